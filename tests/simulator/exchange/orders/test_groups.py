"""Bracket, one-cancels-other, one-triggers-other: what one order does to its relatives."""

from typing import Any

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import Json, World, nested

BRACKET: dict[str, Any] = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "12"},
    "stop_loss": {"stop_price": "8"},
}


def world_with_bracket(qty: int = 1, **more: Any) -> tuple[World, Json]:
    world = World()
    world.exchange.set_price("F", "10")
    return world, world.buy("F", qty, **{**BRACKET, **more})


def leg(order: Json, number: int) -> str:
    return str(nested(order, "legs", number, "id"))


def test_children_have_ids_at_once_and_wait_held() -> None:
    """They sell what the entry buys; the open list does not show them."""
    world, order = world_with_bracket(qty=2)
    for number, kind in enumerate(["limit", "stop"]):
        child = world.order(leg(order, number))
        assert (child["status"], child["type"], child["side"]) == ("held", kind, "sell")
        assert (child["qty"], child["position_intent"]) == ("2", "sell_to_close")
    open_ids = [o["id"] for o in world.exchange.orders("alpha", {})]
    assert open_ids == [order["id"]]


def test_take_profit_works_after_the_entry_and_cancels_the_stop() -> None:
    """The order of events of the protocol notes."""
    world, order = world_with_bracket()
    world.step()
    assert world.events() == ["pending_new", "new", "fill", "new"]
    world.exchange.set_price("F", "12")
    world.step()
    assert world.events()[4:] == ["fill", "canceled"]
    assert world.status(leg(order, 1)) == "canceled"
    assert world.qty("F") == 0


def test_the_stop_cancels_the_take_profit_when_touched() -> None:
    """Then it goes to the venue itself and fills there."""
    world, order = world_with_bracket()
    world.step()
    world.updates.clear()
    world.exchange.set_price("F", "7.9")
    world.step()
    assert world.events(leg(order, 0)) == ["canceled"]
    assert world.events(leg(order, 1)) == ["new", "fill"]


def test_children_wait_for_the_whole_entry() -> None:
    """A partial fill activates nothing."""
    world, order = world_with_bracket(qty=50)
    world.step()
    while world.status(order["id"]) == "partially_filled":
        assert world.status(leg(order, 0)) == "held"
        world.step()
    assert world.status(leg(order, 0)) == "new"


def test_a_partial_take_profit_shrinks_the_stop() -> None:
    """The old stop is `replaced` by a held one for what is left."""
    for seed in range(60):
        world = World(seed=seed)
        world.exchange.set_price("F", "10")
        order = world.buy("F", 50, **BRACKET)
        world.settle()
        world.updates.clear()
        world.exchange.set_price("F", "12")
        world.step()
        if "partial_fill" in world.events():
            break
    first, replaced = world.frames()[0], world.frames()[1]
    assert (replaced["event"], nested(replaced, "order", "id")) == ("replaced", leg(order, 1))
    smaller = world.order(nested(replaced, "order", "replaced_by"))
    assert smaller["status"] == "held"
    left = 50 - int(str(nested(first, "order", "filled_qty")))
    assert smaller["qty"] == str(left)
    world.settle()
    assert world.status(smaller["id"]) in ("canceled", "replaced")
    assert world.qty("F") == 0


@pytest.mark.parametrize("number", [0, 1])
def test_canceling_one_exit_cancels_the_other(number: int) -> None:
    """Whichever it is."""
    world, order = world_with_bracket()
    world.step()
    world.exchange.cancel("alpha", leg(order, number))
    assert {world.status(leg(order, 0)), world.status(leg(order, 1))} == {"canceled"}


def test_canceling_the_entry_cancels_the_children() -> None:
    """With events for all three, or for the entry alone."""
    for with_frames, count in ((True, 3), (False, 1)):
        world = World()
        world.exchange.quirks.bracket_cancel_frame = with_frames
        world.exchange.set_price("F", "10")
        order = world.buy("F", 1, type="limit", limit_price="9", **BRACKET)
        world.exchange.cancel("alpha", str(order["id"]))
        assert world.events().count("canceled") == count
        assert world.status(leg(order, 1)) == "canceled"


def test_legs_in_frames_are_a_switch() -> None:
    """On: the parent's frames show them; off: null."""
    for switch in (True, False):
        world = World()
        world.exchange.quirks.parent_legs_in_frame = switch
        world.exchange.set_price("F", "10")
        world.buy("F", 1, **BRACKET)
        assert (nested(world.frames()[0], "order", "legs") is not None) == switch


def test_the_exit_holds_the_shares_once() -> None:
    """Take-profit and stop share them: selling more is refused and names the take-profit."""
    world, order = world_with_bracket(qty=3)
    world.settle()
    with pytest.raises(ApiError) as caught:
        world.sell("F", 1)
    assert caught.value.body == {
        "available": "0",
        "code": 40310000,
        "existing_qty": "3",
        "held_for_orders": "3",
        "message": "insufficient qty available for order (requested: 1, available: 0)",
        "related_orders": [leg(order, 0)],
        "symbol": "F",
    }
    assert world.exchange.position("alpha", "F")["qty_available"] == "0"


def test_oco_is_an_exit_pair() -> None:
    """The take-profit is the parent, the stop its leg; one ends the other."""
    world = World()
    world.own("F", 1, price="10")
    pair = {"take_profit": {"limit_price": "12"}, "stop_loss": {"stop_price": "8"}}
    order = world.sell("F", 1, type="limit", order_class="oco", **pair)
    assert (order["limit_price"], nested(order, "legs", 0, "status")) == ("12", "held")
    world.exchange.set_price("F", "7.5")
    world.step()
    assert world.status(order["id"]) == "canceled"
    assert world.status(leg(order, 0)) == "filled"


def test_oco_needs_a_position() -> None:
    """It cannot open one."""
    world = World()
    pair = {"take_profit": {"limit_price": "12"}, "stop_loss": {"stop_price": "8"}}
    with pytest.raises(ApiError, match="exit orders"):
        world.sell("F", 1, type="limit", order_class="oco", **pair)


def test_oto_triggers_its_one_leg() -> None:
    """A stop-loss works at the venue after the entry: nobody competes with it."""
    world = World()
    world.exchange.set_price("F", "10")
    order = world.buy("F", 1, order_class="oto", stop_loss={"stop_price": "8"})
    world.step()
    assert world.status(leg(order, 0)) == "new"
    world.exchange.set_price("F", "8")
    world.step()
    assert world.status(leg(order, 0)) == "filled"


def test_a_rejected_entry_takes_its_children_along() -> None:
    """They are canceled, not left waiting for ever."""
    world = World()
    world.exchange.set_price("F", "10")
    world.exchange.reject_next("alpha")
    order = world.buy("F", 1, **BRACKET)
    assert world.status(order["id"]) == "rejected"
    assert world.status(leg(order, 0)) == "canceled"


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


def test_replacing_a_leg_keeps_the_family() -> None:
    """The new take-profit still cancels the stop."""
    world, order = world_with_bracket()
    world.step()
    new = world.exchange.replace("alpha", leg(order, 0), {"limit_price": "13"})
    parent = world.order(order["id"], nested=True)
    assert leg(parent, 0) == new["id"]
    world.exchange.set_price("F", "13")
    world.step()
    assert world.status(leg(order, 1)) == "canceled"


def test_replacing_a_watched_stop_keeps_it_watched() -> None:
    """It stays held and fires at its new price."""
    world, order = world_with_bracket()
    world.step()
    new = world.exchange.replace("alpha", leg(order, 1), {"stop_price": "9"})
    assert world.status(new["id"]) == "held"
    world.exchange.set_price("F", "8.9")
    world.step()
    assert world.status(new["id"]) == "filled"
    assert world.status(leg(order, 0)) == "canceled"


def test_replacing_the_entry_takes_the_children_over() -> None:
    """Their quantity follows the new entry's."""
    world, order = world_with_bracket(type="limit", limit_price="9.5")
    new = world.exchange.replace("alpha", str(order["id"]), {"qty": "4"})
    child = world.order(leg(order, 0))
    assert child["qty"] == "4"
    assert leg(world.order(new["id"], nested=True), 0) == child["id"]
