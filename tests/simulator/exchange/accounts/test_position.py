"""Quantity and average price, by the broker's two methods."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from realtime.simulator.exchange.accounts.position import Lot, Position, compress
from realtime.simulator.exchange.orders.order import Execution
from tests.simulator.exchange.harness import ExchangeHarness


def execution(harness: ExchangeHarness, qty: str, price: str) -> Execution:
    """Return a trade; the order behind it does not matter to a position."""
    return Execution(
        id=f"{qty}@{price}",
        order=None,  # type: ignore[arg-type]  # a position never looks at it
        asset=harness.exchange._state.listing.get_tradable("F"),
        qty=abs(Decimal(qty)),
        price=Decimal(price),
        at=0,
        position_delta=Decimal(qty),
        cash_delta=-Decimal(qty) * Decimal(price),
    )


def position(*trades: tuple[str, str]) -> Position:
    harness = ExchangeHarness()
    holding = Position(asset=harness.exchange._state.listing.get_tradable("F"))
    for qty, price in trades:
        holding.apply(execution(harness, qty, price))
    return holding


def test_adding_moves_the_average_and_reducing_leaves_it() -> None:
    """The weighted average of the day."""
    holding = position(("100", "10"), ("50", "12"), ("-60", "15"))
    assert holding.qty == 90
    assert holding.avg_entry_price == Decimal("10.666666667")


def test_average_becomes_compressed_fifo_overnight() -> None:
    """The broker's own example: 683.33 by weight becomes 770 by lots."""
    holding = position(("100", "10"), ("50", "12"))
    holding.end_day()
    harness = ExchangeHarness()
    holding.apply(execution(harness, "30", "15"))
    assert holding.avg_entry_price == Decimal("11.388888889")
    holding.end_day()
    holding.apply(execution(harness, "-120", "20"))
    assert round(holding.cost_basis, 2) == Decimal("683.33")
    holding.end_day()
    assert round(holding.cost_basis, 2) == Decimal("770.00")
    assert holding.avg_entry_price == Decimal("12.833333333")


def test_through_zero_the_new_side_starts_at_its_price() -> None:
    """What is over opens the other side."""
    holding = position(("10", "10"), ("-15", "12"))
    assert holding.qty == -5
    assert holding.avg_entry_price == 12
    holding.end_day()
    assert holding.lots == [Lot(Decimal(-5), Decimal(12))]


def test_intraday_base_of_a_mixed_holding() -> None:
    """Last close for what was held over night, the entry for what was opened today."""
    holding = position(("10", "10"))
    holding.end_day()
    harness = ExchangeHarness()
    holding.apply(execution(harness, "5", "20"))
    assert holding.intraday_base(Decimal(12)) == 10 * 12 + 5 * 20
    holding.apply(execution(harness, "-12", "30"))  # the oldest go first
    assert holding.intraday_base(Decimal(12)) == 3 * 20


trades = st.lists(
    st.tuples(st.integers(-20, 20).filter(bool), st.integers(1, 50)), min_size=1, max_size=12
)


@given(days=st.lists(trades, min_size=1, max_size=4))
def test_quantity_is_the_sum_of_trades(days: list[list[tuple[int, int]]]) -> None:
    """By weight and by lots alike, over any number of days."""
    harness = ExchangeHarness()
    holding = Position(asset=harness.exchange._state.listing.get_tradable("F"))
    total = 0
    for day in days:
        for qty, price in day:
            holding.apply(execution(harness, str(qty), str(price)))
            total += qty
            assert holding.qty == total
        holding.end_day()
        assert holding.qty == total
        assert bool(holding.avg_entry_price) == bool(total)
        assert all((lot.qty > 0) == (total > 0) for lot in holding.lots)


@given(day=trades, number=st.integers(0, 11))
def test_a_busted_trade_never_happened(day: list[tuple[int, int]], number: int) -> None:
    """Rebuilding without it equals never having booked it."""
    harness = ExchangeHarness()
    undone = number % len(day)
    holding, other = (
        Position(asset=harness.exchange._state.listing.get_tradable("F")) for _ in "ab"
    )
    for place, (qty, price) in enumerate(day):
        trade = execution(harness, str(qty), str(price))
        holding.apply(trade)
        if place == undone:
            trade.is_busted = True
        else:
            other.apply(execution(harness, str(qty), str(price)))
    holding.rebuild()
    assert (holding.qty, holding.avg_entry_price) == (other.qty, other.avg_entry_price)


def test_compress_makes_one_lot_a_day() -> None:
    """Also when openings and closings mix."""
    day = [(Decimal(10), Decimal(10)), (Decimal(-4), Decimal(11)), (Decimal(6), Decimal(14))]
    assert compress([], day) == [Lot(Decimal(12), Decimal(12))]
