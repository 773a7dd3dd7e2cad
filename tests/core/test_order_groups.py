"""Orders that stand and fall together."""

import pytest
from msgspec import structs

from realtime.core.model import Order, OrderId
from realtime.core.order_groups import group_members, is_orphaned, is_streamed, lacks_legs
from realtime.core.state import EMPTY, AccountState


def order(name: str, status: str, order_class: str = "bracket") -> Order:
    return Order(id=OrderId(name), status=status, order_class=order_class)


def state_of(*orders: Order, legs_of: str | None = "entry") -> AccountState:
    parents = {o.id: OrderId(legs_of) for o in orders if legs_of is not None and o.id != legs_of}
    return structs.replace(EMPTY, orders={o.id: o for o in orders}, parents=parents)


def test_a_group_is_the_parent_and_its_legs_whoever_asks() -> None:
    entry, profit, stop = (order(name, "new") for name in ("entry", "profit", "stop"))
    state = state_of(entry, profit, stop)
    assert group_members(state, entry) == group_members(state, stop) == (entry, profit, stop)


def test_a_simple_order_is_a_group_of_its_own() -> None:
    alone = order("alone", "new", "")
    assert group_members(state_of(alone, legs_of=None), alone) == (alone,)


def test_a_group_order_without_relatives_lacks_them() -> None:
    entry, profit = order("entry", "new"), order("profit", "held")
    assert lacks_legs(state_of(entry, legs_of=None), entry)
    assert not lacks_legs(state_of(entry, profit), entry)
    assert not lacks_legs(state_of(entry, profit), profit)
    assert not lacks_legs(EMPTY, order("spread", "new", "mleg"))
    assert not lacks_legs(EMPTY, order("alone", "new", ""))


@pytest.mark.parametrize(
    ("order_class", "parent", "sibling", "outlived"),
    [
        ("bracket", "new", "held", False),
        ("bracket", "filled", "new", False),  # the entry has filled: the exits begin
        ("bracket", "filled", "filled", True),
        ("bracket", "filled", "canceled", True),
        ("bracket", "canceled", "held", True),
        ("bracket", "filled", "replaced", False),  # goes on under another id
        ("bracket", "replaced", "held", False),
        ("oco", "new", None, False),
        ("oco", "filled", None, True),
        ("oto", "filled", None, False),
        ("oto", "expired", None, True),
    ],
)
def test_a_held_leg_ends_with_its_group(
    order_class: str, parent: str, sibling: str | None, outlived: bool
) -> None:
    orders = [order("entry", parent, order_class), order("stop", "held", order_class)]
    if sibling is not None:
        orders.append(order("profit", sibling, order_class))
    assert is_orphaned(state_of(*orders), orders[1]) == outlived


def test_a_leg_that_works_tells_its_own_end() -> None:
    """A stop that fired has canceled the take-profit, and works."""
    fired = order("stop", "new")
    orders = (order("entry", "filled"), order("profit", "canceled"), fired)
    assert not is_orphaned(state_of(*orders), fired)


@pytest.mark.parametrize(
    ("before", "now", "is_leg", "told"),
    [
        (None, "held", True, False),
        (None, "held", False, False),  # listed flat
        (None, "canceled", True, False),
        (None, "new", True, True),
        (None, "canceled", False, True),
        ("held", "canceled", True, False),
        ("held", "replaced", True, False),
        ("held", "new", True, True),
        ("new", "canceled", True, True),
    ],
)
def test_of_a_leg_that_waits_nothing_needs_to_be_told(
    before: str | None, now: str, is_leg: bool, told: bool
) -> None:
    ours = order("stop", before) if before is not None else None
    assert is_streamed(ours, order("stop", now), is_leg=is_leg) is told


def test_what_a_leg_traded_and_what_has_no_group_must_be_told() -> None:
    filled = structs.replace(order("stop", "filled"), filled_qty="1")
    assert is_streamed(order("stop", "held"), filled, is_leg=True)
    assert is_streamed(None, order("alone", "canceled", ""), is_leg=False)
