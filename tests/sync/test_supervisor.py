"""Connections of one account, with the simulator's faults, in virtual time."""

import asyncio

import pytest
from structlog.testing import capture_logs

from realtime.broker.socket_connect import CLOSE_TIMEOUT_S
from realtime.broker.trading_stream import TradingStream
from realtime.sync.link_reporter import NOT_CONNECTED
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


@pytest.mark.slow
def test_outage_has_one_line_at_its_start_one_a_minute_and_one_at_its_end() -> None:
    async def act(fleet: Fleet) -> None:
        with capture_logs() as lines:
            await fleet.fault(kind="refuse_handshake", account="alpha", status=503, count=2)
            await fleet.fault(kind="refuse_handshake", account="alpha", status=404, count=3)
            await fleet.fault(kind="cut", account="alpha")
            await fleet.until(lambda: not fleet.links["alpha"].is_synced)
            lost_since = fleet.links["alpha"].stale_since
            await fleet.until(lambda: fleet.links["alpha"].reconnect_attempts == 4, within_s=300)
            assert fleet.links["alpha"].stale_since == lost_since
            await fleet.until(fleet.all_synced, within_s=600)
        shown = [line for line in lines if line["log_level"] != "debug"]
        events = [line["event"] for line in shown if line["event"].startswith("link.")]
        minutes = [line["down_s"] for line in shown if line["event"] == "link.down"]
        assert events == ["link.lost", *["link.down"] * len(minutes), "link.recovered"]
        assert minutes == [60 * (n + 1) for n in range(len(minutes))]
        assert len(minutes) >= 1
        assert fleet.links["bravo"].reconnect_attempts == 0

    play(act)


@pytest.mark.slow
def test_discrepancies_of_polls_and_of_the_reconnect_get_one_line_each() -> None:
    async def act(fleet: Fleet) -> None:
        with capture_logs() as lines:
            await fleet.fault(kind="refuse_handshake", account="alpha", status=503, for_s=200)
            await fleet.fault(kind="cut", account="alpha")
            await fleet.until(lambda: not fleet.links["alpha"].is_synced)
            for _ in range(30):
                fleet.buy("alpha", qty="1")
                await asyncio.sleep(5)
            await fleet.until(fleet.all_synced, within_s=600)
        shown = [line for line in lines if line["log_level"] != "debug"]
        assert not [line for line in shown if line["event"] == "reconcile.difference_found"]
        polls = [line["differences"] for line in shown if line["event"] == "poll.applied"]
        assert 1 <= len(polls) <= 8
        assert sum(polls) >= 25

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


@pytest.mark.slow
def test_taken_connection_is_first_our_own_and_only_later_another_programs() -> None:
    async def act(fleet: Fleet) -> None:
        began = asyncio.get_running_loop().time()
        waits: dict[float, tuple[float, str]] = {}
        while (age := asyncio.get_running_loop().time() - began) < 900:
            link = fleet.links["alpha"]
            if link.next_attempt_at is not None:
                waits[link.since] = (link.next_attempt_at - link.since, str(link.stale_reason))
                expected = "may still count our last" if age < 235 else ""
                assert expected in str(link.stale_reason)
            await asyncio.sleep(1)
        early = [wait_s for wait_s, reason in waits.values() if "our last connection" in reason]
        late = [wait_s for wait_s, reason in waits.values() if "our last" not in reason]
        assert 4 <= len(early) <= 6
        assert all(45 <= wait_s <= 75 and wait_s != 60 for wait_s in early)
        assert len(set(early)) == len(early)
        assert all(wait_s > 60 for wait_s in late)
        assert "another program may hold" in str(fleet.links["alpha"].remedy)
        assert fleet.links["bravo"].is_synced

    play(act, before={"kind": "refuse_handshake", "account": "alpha", "status": 429})


@pytest.mark.slow
def test_unclean_disconnect_is_over_within_two_minutes() -> None:
    """The broker frees the connection after 90 s."""

    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="second_connection", mode="refuse-429", release_s=90)
        for _ in range(3):
            await fleet.fault(kind="cut", account="alpha")
            await fleet.until(lambda: not fleet.links["alpha"].is_synced)
            took_s = await fleet.until(fleet.all_synced, within_s=400)
            assert 90 <= took_s <= 121
            await asyncio.sleep(300)

    play(act)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refuse_handshake", "status": 429, "for_s": 50},
        {"kind": "refuse_handshake", "status": 503, "for_s": 50},
        {"kind": "second_connection", "mode": "refuse-429"},
    ],
)
def test_refused_handshake_at_the_start_is_read_by_rest_at_once(fault: dict[str, object]) -> None:
    async def act(fleet: Fleet) -> None:
        if fault["kind"] == "second_connection":
            await fleet.until(lambda: fleet.record("alpha").has_data)
            return
        took_s = await fleet.until(lambda: fleet.record("alpha").has_data, within_s=2)
        assert took_s < 1
        link = fleet.links["alpha"]
        assert link.is_stale
        assert link.polled_at is not None
        assert str(link.stale_reason).startswith("link down: ")

    play(act, before={"account": "alpha", **fault})


@pytest.mark.parametrize("kind", ["auth_silent", "listen_silent"])
def test_late_handshake_at_the_start_is_read_by_rest_meanwhile(kind: str) -> None:
    async def act(fleet: Fleet) -> None:
        took_s = await fleet.until(lambda: fleet.record("alpha").has_data, within_s=9)
        assert took_s < 4
        link = fleet.links["alpha"]
        assert link.state in ("connecting", "authorizing")
        assert (link.is_stale, link.stale_reason) == (True, NOT_CONNECTED)
        assert link.polled_at is not None
        await fleet.until(fleet.all_synced)

    play(act, before={"kind": kind, "account": "alpha", "count": 1})


def test_rest_429_at_the_start_keeps_the_stream_and_has_its_own_reason() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: "rate limited" in str(fleet.links["alpha"].stale_reason))
        link = fleet.links["alpha"]
        assert link.state == "syncing"
        assert "connection" not in f"{link.stale_reason} {link.remedy}"
        assert link.next_attempt_at is not None
        await fleet.until(fleet.all_synced, within_s=100)
        assert fleet.attempts("alpha") == 1

    play(act, before={"kind": "rate_limited", "account": "alpha", "count": 1})


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refuse_handshake", "status": 403, "count": 3},
        {"kind": "refuse_handshake", "status": 401, "count": 3},
        {"kind": "server_error", "status": 403, "count": 1},
        {"kind": "server_error", "status": 401, "count": 1},
        {"kind": "unauthorized", "html": True, "count": 1},
        {"kind": "unauthorized", "html": True, "count": 20},
    ],
)
def test_block_page_or_gateway_is_waited_for(fault: dict[str, object]) -> None:
    async def act(fleet: Fleet) -> None:
        remedies = set()
        while not fleet.all_synced():
            await asyncio.sleep(0.05)
            assert fleet.links["alpha"].state != "refused"
            remedies.add(fleet.links["alpha"].remedy)
        if fault["kind"] != "server_error":
            assert any("proxy, a gateway or a login page" in str(remedy) for remedy in remedies)

    play(act, accounts=1, before=fault)


def test_one_rejection_of_the_key_is_retried() -> None:
    """The broker's own JSON; the second in a row is final."""

    async def act(fleet: Fleet) -> None:
        await fleet.until(fleet.all_synced)
        assert fleet.links["alpha"].last_error_message is not None

    play(act, before={"kind": "unauthorized", "account": "alpha", "count": 1})


def test_two_rejections_of_the_key_are_final() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: fleet.links["alpha"].state == "refused", within_s=30)
        assert "valid key" in str(fleet.links["alpha"].remedy)

    play(act, before={"kind": "unauthorized", "account": "alpha", "count": 2})


def test_rejection_during_a_session_keeps_the_stream() -> None:
    async def act(fleet: Fleet) -> None:
        before = fleet.attempts("alpha")
        await fleet.fault(kind="unauthorized", account="alpha", count=1)
        await asyncio.sleep(200)
        assert fleet.links["alpha"].is_synced
        assert fleet.attempts("alpha") == before

    play(act)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("faults", "state"),
    [
        pytest.param([{"kind": "error_frame", "close": False}], "waiting", id="error frame"),
        pytest.param([{"kind": "deaf", "count": 1}], "deaf", id="deaf"),
        pytest.param([{"kind": "key_revoked", "cut": False}], "refused", id="key revoked"),
    ],
)
def test_state_is_stale_before_the_lost_stream_is_closed(
    faults: list[dict[str, object]], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing takes seconds where the network is slow; events of that time are lost."""
    is_closing = asyncio.Event()
    close = TradingStream.close

    async def close_slowly(stream: TradingStream) -> None:
        is_closing.set()
        await asyncio.sleep(CLOSE_TIMEOUT_S)
        await close(stream)

    async def act(fleet: Fleet) -> None:
        for fault in faults:
            await fleet.fault(account="alpha", **fault)
        fleet.buy("alpha", type="limit", limit_price="1")
        await fleet.until(is_closing.is_set, within_s=300)
        link = fleet.links["alpha"]
        assert (link.state, link.is_stale) == (state, True)
        assert link.next_attempt_at is None or link.next_attempt_at > link.since + CLOSE_TIMEOUT_S

    monkeypatch.setattr(TradingStream, "close", close_slowly)
    play(act, accounts=1)


def test_new_connection_waits_for_the_slot_of_the_lost_one() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="second_connection", mode="refuse-429", release_s=90)
        await fleet.fault(kind="cut", account="alpha")
        await fleet.until(lambda: "429" in str(fleet.links["alpha"].last_error_message))
        before = fleet.attempts("alpha")
        await fleet.until(fleet.all_synced, within_s=400)
        assert fleet.attempts("alpha") - before <= 3, "few attempts"

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
