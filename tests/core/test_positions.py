"""A position after an execution."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.core.model import Order, OrderId, Position, Symbol
from realtime.core.positions import after_execution

NVDA = Symbol("NVDA")
ORDER = Order(id=OrderId("o"), symbol="NVDA", asset_class="us_equity", asset_id="a1")


def held(qty: str, average: str, available: str | None = None) -> Position:
    side = "short" if qty.startswith("-") else "long"
    return Position(
        symbol=NVDA,
        qty=qty,
        avg_entry_price=average,
        side=side,
        qty_available=available or qty,
        current_price="20",
    )


@pytest.mark.parametrize(
    ("old", "qty", "price", "becomes", "average", "side"),
    [
        (None, "10", "12", "10", "12", "long"),
        (None, "10", "12", "-10", "12", "short"),
        (held("10", "10"), "10", "12", "20", "11", "long"),
        (held("-10", "10"), "10", "12", "-20", "11", "short"),
        (held("10", "10"), "4", "12", "6", "10", "long"),
        (held("-10", "10"), "4", "12", "-6", "10", "short"),
        (held("10", "10"), "14", "12", "-4", "12", "short"),
        (held("-10", "10"), "14", "12", "4", "12", "long"),
        (held("10", "10"), "0", "12", "10", "10", "long"),
    ],
)
def test_average(
    old: Position | None, qty: str, price: str, becomes: str, average: str, side: str
) -> None:
    """Opening weighs, reducing keeps, turning starts anew."""
    position = after_execution(old, ORDER, NVDA, position_qty=becomes, qty=qty, price=price)
    assert position is not None
    assert (position.qty, position.avg_entry_price, position.side) == (becomes, average, side)


def test_a_flat_position_is_none() -> None:
    """Also when the broker writes its zero with decimals."""
    flat = after_execution(held("10", "10"), ORDER, NVDA, position_qty="0.00", qty="10", price="9")
    assert flat is None


def test_a_first_position_carries_the_orders_asset() -> None:
    """All that can be known from the frame, the rest is null."""
    position = after_execution(None, ORDER, NVDA, position_qty="10", qty="10", price="12")
    assert position == Position(
        symbol=NVDA,
        asset_id="a1",
        asset_class="us_equity",
        qty="10",
        side="long",
        avg_entry_price="12",
        current_price="12",
        qty_available="10",
        market_value="120",
        cost_basis="120",
        unrealized_pl="0",
        unrealized_plpc="0",
    )


@pytest.mark.parametrize(
    ("old", "qty", "becomes", "available"),
    [
        (held("10", "10"), "5", "15", "15"),
        (held("10", "10", "0"), "4", "6", "0"),
        (held("10", "10", "10"), "4", "6", "6"),
        (held("-10", "10", "0"), "4", "-6", "0"),
        (held("10", "10"), "14", "-4", "-4"),
    ],
)
def test_available(old: Position, qty: str, becomes: str, available: str) -> None:
    """What opens is free at once; what closes was held by the closing order already."""
    position = after_execution(old, ORDER, NVDA, position_qty=becomes, qty=qty, price="12")
    assert position is not None
    assert position.qty_available == available


def test_an_option_is_worth_a_hundred_times_its_price() -> None:
    """Cost and value are per contract of 100 shares."""
    old = structs.replace(held("2", "6.3"), asset_class="us_option")
    position = after_execution(old, ORDER, NVDA, position_qty="4", qty="2", price="6.3")
    assert position is not None
    assert (position.cost_basis, position.market_value) == ("2520", "8000")


quantities = st.decimals(-(10**9), 10**9, places=9).map(str)
prices = st.sampled_from(["0", "0.000000000001", "0.01", "188.4", "999999999999"])


@given(st.none() | st.tuples(quantities, prices, prices), quantities, quantities, prices)
def test_any_position_is_valued(
    old: tuple[str, str, str] | None, told: str, qty: str, price: str
) -> None:
    """Whatever the broker tells, the quantity told is held, and nothing overflows."""
    known = None
    if old is not None and Decimal(old[0]):
        known = Position(symbol=NVDA, qty=old[0], avg_entry_price=old[1], current_price=old[2])
    position = after_execution(
        known, ORDER, NVDA, position_qty=told, qty=qty.lstrip("-"), price=price
    )
    assert Decimal(position.qty if position else 0) == Decimal(told)
