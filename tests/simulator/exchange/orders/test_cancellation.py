"""Cancels: at once, held back, too late, of everything."""

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, nested

NOBODY = "00000000-0000-4000-8000-000000000000"


def waiting(harness: ExchangeHarness, symbol: str = "F") -> str:
    return str(harness.buy(symbol, 10, type="limit", limit_price="5")["id"])


def test_straight_to_canceled() -> None:
    """One event, both times set."""
    harness = ExchangeHarness()
    order_id = waiting(harness)
    harness.exchange.cancel("alpha", order_id)
    assert harness.events() == ["pending_new", "new", "canceled"]
    order = nested(harness.frames()[-1], "order")
    assert nested(order, "canceled_at") == harness.frames()[-1]["timestamp"]
    assert nested(order, "cancel_requested_at") is not None


def test_what_cannot_be_canceled() -> None:
    """Each refusal has its own status and message."""
    harness = ExchangeHarness()
    order_id = waiting(harness)
    harness.exchange.cancel("alpha", order_id)
    for wrong, status, message in (
        (order_id, 422, 'order is already in "canceled" state'),
        (NOBODY, 404, f"order not found for {NOBODY}"),
        ("rt-0001", 422, "order_id is missing"),
    ):
        with pytest.raises(ApiError) as caught:
            harness.exchange.cancel("alpha", wrong)
        assert (caught.value.status, caught.value.body["message"]) == (status, message)


def test_another_accounts_order_does_not_exist() -> None:
    """For this account."""
    harness = ExchangeHarness()
    harness.open_account("bravo")
    with pytest.raises(ApiError, match="not found"):
        harness.exchange.cancel("bravo", waiting(harness))


def test_held_cancels_wait() -> None:
    """pending_cancel until switched off; a second cancel is refused meanwhile."""
    harness = ExchangeHarness()
    harness.exchange.hold_cancels("alpha", True)
    order_id = waiting(harness)
    harness.exchange.cancel("alpha", order_id)
    assert harness.status(order_id) == "pending_cancel"
    with pytest.raises(ApiError, match="pending_cancel"):
        harness.exchange.cancel("alpha", order_id)
    harness.exchange.hold_cancels("alpha", False)
    assert harness.events()[2:] == ["pending_cancel", "canceled"]


def test_a_fill_in_between_refuses_the_cancel() -> None:
    """The order is filled, and says that the cancel came too late."""
    harness = ExchangeHarness()
    harness.exchange.hold_cancels("alpha", True)
    order_id = waiting(harness)
    harness.exchange.cancel("alpha", order_id)
    harness.exchange.set_price("F", "5")
    harness.settle()
    assert harness.events()[-2:] == ["fill", "order_cancel_rejected"]
    refused = harness.frames()[-1]
    assert refused["reason"] == "TOO_LATE_TO_CANCEL"
    assert "execution_id" not in refused
    assert nested(refused, "order", "status") == "filled"
    assert nested(refused, "order", "cancel_requested_at") is None
    harness.exchange.hold_cancels("alpha", False)
    assert harness.status(order_id) == "filled"


def test_cancel_all_shows_each_as_pending() -> None:
    """One item an order, with or without its body; nothing is left open."""
    for with_body in (True, False):
        harness = ExchangeHarness()
        harness.exchange.quirks.cancel_all_body = with_body
        ids = [waiting(harness), waiting(harness, "AAPL")]
        answer = harness.exchange.cancel_all("alpha")
        assert [(item["id"], item["status"]) for item in answer] == [(i, 200) for i in ids]
        assert ("body" in answer[0]) == with_body
        if with_body:
            assert nested(answer, 0, "body", "status") == "pending_cancel"
        assert harness.exchange.orders("alpha", {}) == []
        assert harness.exchange.cancel_all("alpha") == []


def test_cancel_all_reports_orders_that_could_not_be_canceled() -> None:
    """An order that is being replaced refuses."""
    harness = ExchangeHarness()
    harness.exchange.hold_replaces("alpha", True)
    order_id = waiting(harness)
    harness.exchange.replace("alpha", order_id, {"qty": 2})
    answer = {item["id"]: item["status"] for item in harness.exchange.cancel_all("alpha")}
    assert answer[order_id] == 422
