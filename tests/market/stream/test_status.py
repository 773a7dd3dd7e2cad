"""The state of streams as `/market/status` reports it."""

import asyncio

import msgspec

from realtime.api.documents.timestamps import format_millis, set_display_offset
from realtime.market.stream.status import StreamsStatus, get_streams_status
from tests.market.stream.scene import Scene, in_virtual_time


def encode(scene: Scene) -> StreamsStatus:
    """The document, checked to be JSON."""
    status = get_streams_status(scene.streams, format_millis)
    assert b"demo-secret" not in msgspec.json.encode(status)
    return status


def test_plan_feed_clients_and_names_are_reported() -> None:
    async def main(scene: Scene) -> None:
        await scene.streams.wait_probed()
        first, second = await scene.client(), await scene.client()
        await first.send(action="subscribe", trades=["AAPL", "KO"], bars=["*"])
        await second.send(action="subscribe", trades=["AAPL"])
        await asyncio.sleep(5)
        status = encode(scene)
        assert (status.plan, status.feed, status.clients) == ("basic", "iex", 2)
        (row,) = status.streams
        assert (row.path, row.state, row.clients) == ("/v2/iex", "connected", 2)
        assert row.subscribed == {"bars": 1, "trades": 2}
        assert (row.confirmed, row.unconfirmed, row.missed) == (3, [], [])
        assert row.elements["t"] > 0
        assert row.sent > row.elements["t"], "each client counts"
        assert row.last_element_at is not None
        assert row.last_element_at.startswith("2026-09-")

    in_virtual_time(main)


def test_what_was_missed_is_listed_with_its_times() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client()
        await client.send(action="subscribe", quotes=["AAPL"], trades=["KO"])
        await asyncio.sleep(20)
        scene.set(silent_symbols=["AAPL"])
        await scene.until(lambda: scene.streams.hubs["/v2/iex"].missed.total > 0)
        (row,) = encode(scene).streams
        document = msgspec.to_builtins(row.missed[0])
        assert document.keys() == {"symbol", "channel", "from", "to", "count", "repaired"}
        assert (document["symbol"], document["channel"]) == ("AAPL", "quotes")
        assert document["from"] < document["to"]

    in_virtual_time(main)


def test_a_name_that_the_broker_never_confirms_is_listed() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client()
        await client.send(action="subscribe", bars=["AAPL"])
        hub = scene.streams.hubs["/v2/iex"]
        hub.plan.refused["trades", "KO"] = 405
        (row,) = encode(scene).streams
        assert (row.unconfirmed, row.unconfirmed_total) == (["trades KO"], 1)

    in_virtual_time(main)


def test_times_are_those_of_the_other_documents() -> None:
    """The machine's clock was set after the start: by an hour."""

    async def main(scene: Scene) -> None:
        await (await scene.client()).send(action="subscribe", trades=["AAPL"])
        await asyncio.sleep(5)
        set_display_offset(3600.0)
        try:
            (row,) = encode(scene).streams
            hub = scene.streams.hubs["/v2/iex"]
            assert hub.last_element_at is not None
            assert row.since == format_millis(hub.status.since)
            assert row.last_element_at == format_millis(hub.last_element_at)
        finally:
            set_display_offset(0.0)

    in_virtual_time(main)
