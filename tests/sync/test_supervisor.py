"""Connections of one account, with the simulator's faults, in virtual time."""

import asyncio

from structlog.testing import capture_logs

from tests.equality import unequal
from tests.fleet import Fleet
from tests.sync.scene import play


def test_start_ends_synced_with_everything_read() -> None:
    async def act(fleet: Fleet) -> None:
        for label, link in fleet.links.items():
            assert (link.state, link.stale_reason, link.reconnect_attempts) == ("synced", None, 0)
            assert fleet.record(label).has_data
            assert await unequal(fleet, label) == []

    play(act)


def test_fill_is_visible_at_once_and_balances_follow() -> None:
    async def act(fleet: Fleet) -> None:
        order_id = fleet.buy("alpha", qty="3")
        await fleet.until(lambda: _status(fleet, "alpha", order_id) == "filled")
        assert fleet.record("alpha").state.provisional >= {"account", "positions"}
        await fleet.until(fleet.settled)
        assert await unequal(fleet, "alpha") == []

    play(act)


def test_outage_begins_once_and_ends_once_in_the_log() -> None:
    async def act(fleet: Fleet) -> None:
        with capture_logs() as lines:
            await fleet.fault(kind="refuse_handshake", account="alpha", status=503, count=4)
            await fleet.fault(kind="cut", account="alpha")
            await fleet.until(lambda: not fleet.links["alpha"].is_synced)
            lost_since = fleet.links["alpha"].stale_since
            await fleet.until(lambda: fleet.links["alpha"].reconnect_attempts == 4, within_s=300)
            assert fleet.links["alpha"].stale_since == lost_since
            await fleet.until(fleet.all_synced, within_s=400)
        events = [line["event"] for line in lines if line["event"].startswith("link.")]
        events = [event for event in events if event != "link.retry_scheduled"]
        assert events == ["link.lost", "link.recovered"]
        warnings = [
            line["reason"]
            for line in lines
            if line["event"] == "link.retry_scheduled" and line["log_level"] == "warning"
        ]
        assert len(warnings) == 1, "the same reason four times is one line"
        assert fleet.links["bravo"].reconnect_attempts == 0

    play(act)


def test_changes_during_an_outage_are_recovered() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="cut", account="alpha")
        await fleet.until(lambda: not fleet.links["alpha"].is_synced)
        order_id = fleet.buy("alpha", qty="7")
        await asyncio.sleep(1)
        assert _status(fleet, "alpha", order_id) is None
        assert fleet.record("alpha").link.is_stale
        await fleet.until(fleet.settled)
        assert _status(fleet, "alpha", order_id) == "filled"
        assert len(fleet.record("alpha").state.executions) >= 1
        assert await unequal(fleet, "alpha") == []

    play(act)


def test_unanswered_authorization_is_retried() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: fleet.links["alpha"].state == "waiting")
        assert "no answer to authorization within 10 s" in str(
            fleet.links["alpha"].last_error_message
        )
        await fleet.until(fleet.all_synced)

    play(act, before={"kind": "auth_silent", "account": "alpha", "count": 1})


def test_unanswered_listen_is_retried() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: fleet.links["alpha"].state == "waiting")
        assert "no answer to listen within 10 s" in str(fleet.links["alpha"].last_error_message)
        await fleet.until(fleet.all_synced)

    play(act, before={"kind": "listen_silent", "account": "alpha", "count": 1})


def test_taken_connection_waits_a_minute_and_names_the_likely_cause() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: fleet.links["alpha"].state == "waiting")
        link, now = fleet.links["alpha"], fleet.record("alpha").as_of
        assert link.next_attempt_at is not None
        assert link.next_attempt_at - now >= 60
        assert "another program" in str(link.remedy)
        await fleet.until(lambda: fleet.links["bravo"].is_synced)
        took_s = await fleet.until(fleet.all_synced, within_s=200)
        assert took_s >= 55

    play(act, before={"kind": "refuse_handshake", "account": "alpha", "status": 429, "count": 1})


def test_refused_credentials_are_not_retried_and_affect_no_other_account() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: fleet.links["alpha"].state == "refused")
        await fleet.until(lambda: fleet.links["bravo"].is_synced)
        assert fleet.links["alpha"].remedy
        tried = fleet.attempts("alpha"), fleet.requests("alpha")
        await asyncio.sleep(1000)
        assert (fleet.attempts("alpha"), fleet.requests("alpha")) == tried
        assert fleet.links["alpha"].state == "refused"
        assert fleet.links["bravo"].is_synced

    play(act, before={"kind": "key_revoked", "account": "alpha"})


def test_key_revoked_during_a_session_ends_refused() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="key_revoked", account="alpha")
        await fleet.until(lambda: fleet.links["alpha"].state == "refused")
        record = fleet.record("alpha")
        assert record.has_data
        assert record.link.is_stale

    play(act)


def test_key_of_another_account_is_refused() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: fleet.links["alpha"].state == "refused")
        assert "PA0SIM000001" in str(fleet.links["alpha"].last_error_message)
        assert fleet.record("alpha").state.account is None

    play(act, synced_first=False, numbers={"alpha": "PA0EXAMPLE09"})


def test_long_outage_is_polled_and_stays_stale() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="refuse_handshake", account="alpha", status=503, for_s=400)
        await fleet.fault(kind="cut", account="alpha")
        await fleet.until(lambda: not fleet.links["alpha"].is_synced)
        order_id = fleet.buy("alpha", qty="2")
        await fleet.until(lambda: _status(fleet, "alpha", order_id) == "filled", within_s=200)
        link = fleet.links["alpha"]
        assert link.is_stale
        assert link.polled_at is not None
        await fleet.until(fleet.all_synced, within_s=900)
        assert fleet.links["alpha"].polled_at is None

    play(act)


def test_dead_connection_is_detected_by_pings() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="maintenance", for_s=30)
        await fleet.until(lambda: not fleet.all_synced())
        await fleet.until(fleet.settled, within_s=200)
        for label in fleet.links:
            assert await unequal(fleet, label) == []

    play(act)


def test_new_connection_waits_for_the_slot_of_the_lost_one() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="second_connection", mode="refuse-429", release_s=90)
        await fleet.fault(kind="cut", account="alpha")
        await fleet.until(lambda: "429" in str(fleet.links["alpha"].last_error_message))
        before = fleet.attempts("alpha")
        await fleet.until(fleet.all_synced, within_s=400)
        assert fleet.attempts("alpha") - before <= 2, "few attempts"

    play(act)


def test_unreadable_frames_cause_a_full_read() -> None:
    async def act(fleet: Fleet) -> None:
        with capture_logs() as lines:
            await fleet.fault(kind="garbage", account="alpha", form="truncated", instead=True)
            order_id = fleet.buy("alpha")
            await fleet.until(lambda: _status(fleet, "alpha", order_id) == "filled")
            await fleet.until(fleet.settled)
        assert any(line["event"] == "frame.unreadable" for line in lines)
        assert await unequal(fleet, "alpha") == []
        assert fleet.links["alpha"].reconnect_attempts == 0

    play(act)


def _status(fleet: Fleet, label: str, order_id: str) -> str | None:
    orders = {str(key): order for key, order in fleet.record(label).state.orders.items()}
    order = orders.get(order_id)
    return order.status if order is not None else None
