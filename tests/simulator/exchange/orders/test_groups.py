"""Bracket, one-cancels-other, one-triggers-other: what one order does to its relatives."""

from typing import Any

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, Json, nested

BRACKET: dict[str, Any] = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "12"},
    "stop_loss": {"stop_price": "8"},
}


def world_with_bracket(qty: int = 1, **more: Any) -> tuple[ExchangeHarness, Json]:
    harness = ExchangeHarness()
    harness.exchange.set_price("F", "10")
    return harness, harness.buy("F", qty, **{**BRACKET, **more})


def leg(order: Json, number: int) -> str:
    return str(nested(order, "legs", number, "id"))


def test_children_have_ids_at_once_and_wait_held() -> None:
    """They sell what the entry buys; the open list does not show them."""
    harness, order = world_with_bracket(qty=2)
    for number, kind in enumerate(["limit", "stop"]):
        child = harness.order(leg(order, number))
        assert (child["status"], child["type"], child["side"]) == ("held", kind, "sell")
        assert (child["qty"], child["position_intent"]) == ("2", "sell_to_close")
    open_ids = [o["id"] for o in harness.exchange.orders("alpha", {})]
    assert open_ids == [order["id"]]


def test_take_profit_works_after_the_entry_and_cancels_the_stop() -> None:
    """The order of events of the protocol notes."""
    harness, order = world_with_bracket()
    harness.step()
    assert harness.events() == ["pending_new", "new", "fill", "new"]
    harness.exchange.set_price("F", "12")
    harness.step()
    assert harness.events()[4:] == ["fill", "canceled"]
    assert harness.status(leg(order, 1)) == "canceled"
    assert harness.qty("F") == 0


def test_the_stop_cancels_the_take_profit_when_touched() -> None:
    """Then it goes to the venue itself and fills there."""
    harness, order = world_with_bracket()
    harness.step()
    harness.updates.clear()
    harness.exchange.set_price("F", "7.9")
    harness.step()
    assert harness.events(leg(order, 0)) == ["canceled"]
    assert harness.events(leg(order, 1)) == ["new", "fill"]


def test_children_wait_for_the_whole_entry() -> None:
    """A partial fill activates nothing."""
    harness, order = world_with_bracket(qty=50)
    harness.step()
    while harness.status(order["id"]) == "partially_filled":
        assert harness.status(leg(order, 0)) == "held"
        harness.step()
    assert harness.status(leg(order, 0)) == "new"


def test_a_partial_take_profit_shrinks_the_stop() -> None:
    """The old stop is `replaced` by a held one for what is left."""
    for seed in range(60):
        harness = ExchangeHarness(seed=seed)
        harness.exchange.set_price("F", "10")
        order = harness.buy("F", 50, **BRACKET)
        harness.settle()
        harness.updates.clear()
        harness.exchange.set_price("F", "12")
        harness.step()
        if "partial_fill" in harness.events():
            break
    first, replaced = harness.frames()[0], harness.frames()[1]
    assert (replaced["event"], nested(replaced, "order", "id")) == ("replaced", leg(order, 1))
    smaller = harness.order(nested(replaced, "order", "replaced_by"))
    assert smaller["status"] == "held"
    left = 50 - int(str(nested(first, "order", "filled_qty")))
    assert smaller["qty"] == str(left)
    harness.settle()
    assert harness.status(smaller["id"]) in ("canceled", "replaced")
    assert harness.qty("F") == 0


@pytest.mark.parametrize("number", [0, 1])
def test_canceling_one_exit_cancels_the_other(number: int) -> None:
    """Whichever it is."""
    harness, order = world_with_bracket()
    harness.step()
    harness.exchange.cancel("alpha", leg(order, number))
    assert {harness.status(leg(order, 0)), harness.status(leg(order, 1))} == {"canceled"}


def test_canceling_the_entry_cancels_the_children() -> None:
    """With events for all three, or for the entry alone."""
    for with_frames, count in ((True, 3), (False, 1)):
        harness = ExchangeHarness()
        harness.exchange.quirks.bracket_cancel_frame = with_frames
        harness.exchange.set_price("F", "10")
        order = harness.buy("F", 1, type="limit", limit_price="9", **BRACKET)
        harness.exchange.cancel("alpha", str(order["id"]))
        assert harness.events().count("canceled") == count
        assert harness.status(leg(order, 1)) == "canceled"


def test_legs_in_frames_are_a_switch() -> None:
    """On: the parent's frames show them; off: null."""
    for switch in (True, False):
        harness = ExchangeHarness()
        harness.exchange.quirks.parent_legs_in_frame = switch
        harness.exchange.set_price("F", "10")
        harness.buy("F", 1, **BRACKET)
        assert (nested(harness.frames()[0], "order", "legs") is not None) == switch


def test_the_exit_holds_the_shares_once() -> None:
    """Take-profit and stop share them: selling more is refused and names the take-profit."""
    harness, order = world_with_bracket(qty=3)
    harness.settle()
    with pytest.raises(ApiError) as caught:
        harness.sell("F", 1)
    assert caught.value.body == {
        "available": "0",
        "code": 40310000,
        "existing_qty": "3",
        "held_for_orders": "3",
        "message": "insufficient qty available for order (requested: 1, available: 0)",
        "related_orders": [leg(order, 0)],
        "symbol": "F",
    }
    assert harness.exchange.position("alpha", "F")["qty_available"] == "0"


def test_oco_is_an_exit_pair() -> None:
    """The take-profit is the parent, the stop its leg; one ends the other."""
    harness = ExchangeHarness()
    harness.own("F", 1, price="10")
    pair = {"take_profit": {"limit_price": "12"}, "stop_loss": {"stop_price": "8"}}
    order = harness.sell("F", 1, type="limit", order_class="oco", **pair)
    assert (order["limit_price"], nested(order, "legs", 0, "status")) == ("12", "held")
    harness.exchange.set_price("F", "7.5")
    harness.step()
    assert harness.status(order["id"]) == "canceled"
    assert harness.status(leg(order, 0)) == "filled"


def test_oco_needs_a_position() -> None:
    """It cannot open one."""
    harness = ExchangeHarness()
    pair = {"take_profit": {"limit_price": "12"}, "stop_loss": {"stop_price": "8"}}
    with pytest.raises(ApiError, match="exit orders"):
        harness.sell("F", 1, type="limit", order_class="oco", **pair)


def test_oto_triggers_its_one_leg() -> None:
    """A stop-loss works at the venue after the entry: no other exit competes with it."""
    harness = ExchangeHarness()
    harness.exchange.set_price("F", "10")
    order = harness.buy("F", 1, order_class="oto", stop_loss={"stop_price": "8"})
    harness.step()
    assert harness.status(leg(order, 0)) == "new"
    harness.exchange.set_price("F", "8")
    harness.step()
    assert harness.status(leg(order, 0)) == "filled"


def test_a_rejected_entry_takes_its_children_along() -> None:
    """They are canceled, not left waiting for ever."""
    harness = ExchangeHarness()
    harness.exchange.set_price("F", "10")
    harness.exchange.reject_next("alpha")
    order = harness.buy("F", 1, **BRACKET)
    assert harness.status(order["id"]) == "rejected"
    assert harness.status(leg(order, 0)) == "canceled"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"take_profit": None}, "bracket orders require take_profit.limit_price"),
        ({"stop_loss": {}}, "bracket orders require stop_loss.stop_price"),
        ({"take_profit": {"limit_price": "7"}}, "take_profit.limit_price must be > stop_loss"),
        ({"stop_loss": {"stop_price": "10"}}, "stop_loss.stop_price must be <= base_price - 0.01"),
        ({"take_profit": {"limit_price": "9"}}, "take_profit.limit_price must be >= base_price"),
        ({"time_in_force": "ioc"}, "DAY or GTC"),
        ({"stop_loss": {"stop_price": "7.001"}}, "sub-penny"),
        ({"order_class": "oto"}, "either take_profit or stop_loss"),
    ],
)
def test_bad_groups(change: dict[str, Any], message: str) -> None:
    """Each with its reason."""
    with pytest.raises(ApiError, match=message):
        world_with_bracket(**change)


def test_replacing_a_leg_keeps_the_group() -> None:
    """The new take-profit still cancels the stop."""
    harness, order = world_with_bracket()
    harness.step()
    new = harness.exchange.replace("alpha", leg(order, 0), {"limit_price": "13"})
    parent = harness.order(order["id"], nested=True)
    assert leg(parent, 0) == new["id"]
    harness.exchange.set_price("F", "13")
    harness.step()
    assert harness.status(leg(order, 1)) == "canceled"


def test_replacing_a_watched_stop_keeps_it_watched() -> None:
    """It stays held and fires at its new price."""
    harness, order = world_with_bracket()
    harness.step()
    new = harness.exchange.replace("alpha", leg(order, 1), {"stop_price": "9"})
    assert harness.status(new["id"]) == "held"
    harness.exchange.set_price("F", "8.9")
    harness.step()
    assert harness.status(new["id"]) == "filled"
    assert harness.status(leg(order, 0)) == "canceled"


def test_replacing_the_entry_keeps_its_legs() -> None:
    """Their quantity follows the new entry's."""
    harness, order = world_with_bracket(type="limit", limit_price="9.5")
    new = harness.exchange.replace("alpha", str(order["id"]), {"qty": "4"})
    child = harness.order(leg(order, 0))
    assert child["qty"] == "4"
    assert leg(harness.order(new["id"], nested=True), 0) == child["id"]
