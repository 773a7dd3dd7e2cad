"""One account's life, against the simulator's faults, in virtual time."""

import asyncio

from structlog.testing import capture_logs

from tests.equality import unequal
from tests.fleet import Farm
from tests.sync.scene import play


def test_a_start_ends_live_with_everything_read() -> None:
    async def act(farm: Farm) -> None:
        for label, link in farm.links.items():
            assert (link.state, link.stale_reason, link.reconnect_attempts) == ("live", None, 0)
            assert farm.record(label).has_data
            assert await unequal(farm, label) == []

    play(act)


def test_a_fill_is_visible_at_once_and_money_follows() -> None:
    async def act(farm: Farm) -> None:
        order_id = farm.buy("alpha", qty="3")
        await farm.until(lambda: _status(farm, "alpha", order_id) == "filled")
        assert farm.record("alpha").state.provisional >= {"account", "positions"}
        await farm.until(farm.settled)
        assert await unequal(farm, "alpha") == []

    play(act)


def test_an_outage_begins_once_and_ends_once_in_the_log() -> None:
    async def act(farm: Farm) -> None:
        with capture_logs() as lines:
            await farm.fault(kind="refuse_handshake", account="alpha", status=503, count=4)
            await farm.fault(kind="cut", account="alpha")
            await farm.until(lambda: not farm.links["alpha"].is_live)
            lost_since = farm.links["alpha"].stale_since
            await farm.until(lambda: farm.links["alpha"].reconnect_attempts == 4, within_s=300)
            assert farm.links["alpha"].stale_since == lost_since
            await farm.until(farm.all_live, within_s=400)
        told = [line["event"] for line in lines if line["event"].startswith("link.")]
        told = [event for event in told if event != "link.retry_scheduled"]
        assert told == ["link.lost", "link.recovered"]
        warned = [
            line["reason"]
            for line in lines
            if line["event"] == "link.retry_scheduled" and line["log_level"] == "warning"
        ]
        assert len(warned) == 1, "the same reason four times is one line"
        assert farm.links["bravo"].reconnect_attempts == 0

    play(act)


def test_what_happened_while_away_is_recovered() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="cut", account="alpha")
        await farm.until(lambda: not farm.links["alpha"].is_live)
        order_id = farm.buy("alpha", qty="7")
        await asyncio.sleep(1)
        assert _status(farm, "alpha", order_id) is None
        assert farm.record("alpha").link.is_stale
        await farm.until(farm.settled)
        assert _status(farm, "alpha", order_id) == "filled"
        assert len(farm.record("alpha").state.executions) >= 1
        assert await unequal(farm, "alpha") == []

    play(act)


def test_no_answer_to_authorization_is_given_up_and_tried_again() -> None:
    async def act(farm: Farm) -> None:
        await farm.until(lambda: farm.links["alpha"].state == "waiting")
        assert "no answer to authorization within 10 s" in str(
            farm.links["alpha"].last_error_message
        )
        await farm.until(farm.all_live)

    play(act, before={"kind": "auth_silent", "account": "alpha", "count": 1})


def test_no_answer_to_listen_is_given_up_and_tried_again() -> None:
    async def act(farm: Farm) -> None:
        await farm.until(lambda: farm.links["alpha"].state == "waiting")
        assert "no answer to listen within 10 s" in str(farm.links["alpha"].last_error_message)
        await farm.until(farm.all_live)

    play(act, before={"kind": "listen_silent", "account": "alpha", "count": 1})


def test_a_taken_connection_waits_a_minute_and_names_the_likely_cause() -> None:
    async def act(farm: Farm) -> None:
        await farm.until(lambda: farm.links["alpha"].state == "waiting")
        link, now = farm.links["alpha"], farm.record("alpha").as_of
        assert link.next_attempt_at is not None
        assert link.next_attempt_at - now >= 60
        assert "another program" in str(link.remedy)
        await farm.until(lambda: farm.links["bravo"].is_live)
        took_s = await farm.until(farm.all_live, within_s=200)
        assert took_s >= 55

    play(act, before={"kind": "refuse_handshake", "account": "alpha", "status": 429, "count": 1})


def test_refused_credentials_are_not_hammered_and_touch_no_other() -> None:
    async def act(farm: Farm) -> None:
        await farm.until(lambda: farm.links["alpha"].state == "refused")
        await farm.until(lambda: farm.links["bravo"].is_live)
        assert farm.links["alpha"].remedy
        tried = farm.attempts("alpha"), farm.requests("alpha")
        await asyncio.sleep(1000)
        assert (farm.attempts("alpha"), farm.requests("alpha")) == tried
        assert farm.links["alpha"].state == "refused"
        assert farm.links["bravo"].is_live

    play(act, before={"kind": "key_revoked", "account": "alpha"})


def test_a_key_revoked_in_mid_session_ends_refused() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="key_revoked", account="alpha")
        await farm.until(lambda: farm.links["alpha"].state == "refused")
        record = farm.record("alpha")
        assert record.has_data
        assert record.link.is_stale

    play(act)


def test_the_key_of_another_account_is_refused() -> None:
    async def act(farm: Farm) -> None:
        await farm.until(lambda: farm.links["alpha"].state == "refused")
        assert "PA0SIM000001" in str(farm.links["alpha"].last_error_message)
        assert farm.record("alpha").state.account is None

    play(act, live_first=False, numbers={"alpha": "PA0EXAMPLE09"})


def test_a_long_outage_is_polled_and_stays_marked() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="refuse_handshake", account="alpha", status=503, for_s=400)
        await farm.fault(kind="cut", account="alpha")
        await farm.until(lambda: not farm.links["alpha"].is_live)
        order_id = farm.buy("alpha", qty="2")
        await farm.until(lambda: _status(farm, "alpha", order_id) == "filled", within_s=200)
        link = farm.links["alpha"]
        assert link.is_stale
        assert link.polled_at is not None
        await farm.until(farm.all_live, within_s=900)
        assert farm.links["alpha"].polled_at is None

    play(act)


def test_a_dead_path_without_a_goodbye_is_found_by_pings() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="maintenance", for_s=30)
        await farm.until(lambda: not farm.all_live())
        await farm.until(farm.settled, within_s=200)
        for label in farm.links:
            assert await unequal(farm, label) == []

    play(act)


def test_a_new_socket_waits_for_the_slot_of_the_lost_one() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="second_connection", mode="refuse-429", release_s=90)
        await farm.fault(kind="cut", account="alpha")
        await farm.until(lambda: "429" in str(farm.links["alpha"].last_error_message))
        before = farm.attempts("alpha")
        await farm.until(farm.all_live, within_s=400)
        assert farm.attempts("alpha") - before <= 2, "it must not hammer"

    play(act)


def test_frames_that_cannot_be_read_lead_to_a_full_reading() -> None:
    async def act(farm: Farm) -> None:
        with capture_logs() as lines:
            await farm.fault(kind="garbage", account="alpha", form="truncated", instead=True)
            order_id = farm.buy("alpha")
            await farm.until(lambda: _status(farm, "alpha", order_id) == "filled")
            await farm.until(farm.settled)
        assert any(line["event"] == "frame.unreadable" for line in lines)
        assert await unequal(farm, "alpha") == []
        assert farm.links["alpha"].reconnect_attempts == 0

    play(act)


def _status(farm: Farm, label: str, order_id: str) -> str | None:
    orders = {str(key): order for key, order in farm.record(label).state.orders.items()}
    order = orders.get(order_id)
    return order.status if order is not None else None
