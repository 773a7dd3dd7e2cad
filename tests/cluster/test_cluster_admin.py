"""What a person may do about ownership, over HTTP and with the text of the command."""

import asyncio

import msgspec
import pytest

from realtime.api.documents.cluster import EngineDocument
from realtime.cli.cluster_format import format_engine
from tests.cluster.several import Reply, Several, play

PAIR = ("beta", "gamma")


def read(reply: Reply) -> EngineDocument:
    assert reply.status == 200, reply.json
    return msgspec.convert(reply.json, EngineDocument)


def test_the_status_shows_members_and_what_they_own() -> None:
    """Each account once."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(several.all_synced, 20)
        document = read(await several.ask("beta", "GET", "/admin/cluster"))
        assert document.reachable
        assert not document.unowned
        counts = {row.member: row.accounts for row in document.members}
        assert set(counts) == set(PAIR)
        assert sum(counts.values()) == len(several.labels)
        assert document.accounts == counts["beta"]
        text = "\n".join(format_engine(document))
        assert "this daemon" in text
        assert f"{counts['gamma']} accounts" in text

    play(scene, daemons=PAIR)


def test_a_drain_is_begun_over_http_and_shows_how_far_it_is() -> None:
    """In the end the daemon owns nothing."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(several.all_synced, 20)
        assert read(await several.ask("beta", "POST", "/admin/cluster/drain")).draining
        await asyncio.sleep(10)
        document = read(await several.ask("beta", "GET", "/admin/cluster"))
        assert (document.accounts, document.moving) == (0, 0)
        assert [row.draining for row in document.members] == [True, False]

    play(scene, daemons=PAIR)


@pytest.mark.slow
def test_the_last_daemon_goes_on_alone_only_while_the_engine_does_not_answer() -> None:
    """Then it owns every account and orders leave; once the engine answers, that decides again."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(several.all_synced, 20)
        refused = await several.ask("beta", "POST", "/admin/cluster/alone")
        assert (refused.status, refused.json["code"]) == (409, "engine_reachable")
        several.model.go_down(60)
        await several.kill("gamma")
        await asyncio.sleep(10)
        for number, label in enumerate(several.labels):
            assert (await several.order("beta", label, f"down-{number}")).status == 503
        assert read(await several.ask("beta", "POST", "/admin/cluster/alone")).alone
        await several.until(
            lambda: all(several.record("beta", label).link.is_synced for label in several.labels),
            60,
        )
        for number, label in enumerate(several.labels):
            assert (await several.order("beta", label, f"alone-{number}")).status == 200
        await several.until(lambda: not several.coordinator("beta").is_alone, 300)
        await several.until(several.all_synced, 60)
        document = read(await several.ask("beta", "GET", "/admin/cluster"))
        assert document.reachable
        assert not document.alone
        assert document.accounts == len(several.labels)
        for number, label in enumerate(several.labels):
            assert (await several.order("beta", label, f"again-{number}")).status == 200

    play(scene, daemons=PAIR, slot_s=9.0)
