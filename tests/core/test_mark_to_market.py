"""One account marked to market."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.mark_prices import PricePoint, SymbolPrice
from realtime.core.mark_to_market import MarkedAccount, multiplier, unpriced
from realtime.core.model import Account, Order, OrderId, Position, Symbol
from realtime.core.positions import after_execution

NVDA, XLF = Symbol("NVDA"), Symbol("XLF")
ORDER = Order(id=OrderId("o"), symbol="NVDA", asset_class="us_equity")


def account(cash: str = "1000", last_equity: str | None = "5000") -> Account:
    return Account(id="a", account_number="PA0EXAMPLE01", cash=cash, last_equity=last_equity)


def position(
    symbol: str = "NVDA",
    qty: str = "10",
    price: str | None = "100",
    *,
    cost: str = "900",
    each: int = 1,
    intraday: str | None = "50",
) -> Position:
    value = None if price is None else str(Decimal(qty) * Decimal(price) * each)
    return Position(
        symbol=Symbol(symbol),
        qty=qty,
        avg_entry_price=str(Decimal(cost) / (Decimal(qty) * each)),
        current_price=price,
        market_value=value,
        cost_basis=cost,
        asset_class="us_option" if each != 1 else "us_equity",
        unrealized_intraday_pl=intraday,
    )


def marked(*positions: Position, cash: str = "1000") -> MarkedAccount:
    marked_account = MarkedAccount()
    marked_account.rebase(account(cash), {p.symbol: p for p in positions})
    return marked_account


def rebase(of: MarkedAccount, *positions: Position, cash: str = "1000") -> frozenset[Symbol]:
    return of.rebase(account(cash), {p.symbol: p for p in positions})


def test_an_account_that_was_not_read_has_no_equity() -> None:
    assert MarkedAccount().equity is None


def test_equity_is_cash_plus_long_and_short_value() -> None:
    of = marked(position(), position("XLF", "-40", "50", cost="-2048"))
    assert of.equity == 1000 + 1000 - 2000
    assert of.sums[:3] == (Decimal(1000), Decimal(-2000), Decimal(900 - 2048))


@pytest.mark.parametrize(("qty", "step"), [("10", 20), ("-10", -20)])
def test_a_price_moves_long_and_short_positions_by_their_sign(qty: str, step: int) -> None:
    of = marked(position(qty=qty))
    before = of.equity
    assert of.move(NVDA, Decimal(102))
    assert before is not None
    assert of.equity == before + step
    assert of.sums == of.total()
    assert not of.move(NVDA, Decimal(102))
    assert not of.move(XLF, Decimal(102))


@pytest.mark.parametrize(("each", "expected"), [(100, 100), (10, 10), (150, 150)])
def test_the_multiplier_of_an_option_is_the_one_in_its_value(each: int, expected: int) -> None:
    assert multiplier(position(each=each)) == expected


def test_the_multiplier_of_an_option_without_a_price_is_100() -> None:
    assert multiplier(position(price=None, each=100)) == 100


def test_a_fill_moves_cash_at_once_and_not_equity() -> None:
    of = marked(position())
    bought = after_execution(position(), ORDER, NVDA, position_qty="15", qty="5", price="100")
    assert bought is not None
    of.add_execution(NVDA, Decimal(5), Decimal(100))
    of.set_positions({NVDA: bought})
    assert (of.cash, of.equity) == (Decimal(500), Decimal(2000))
    assert of.sums.cost == 1400


def test_today_gain_of_a_position_that_grows_and_shrinks() -> None:
    of = marked(position(intraday="50"))
    assert of.sums.intraday_base == 950
    held = position()
    for qty, size in (("20", 10), ("5", -15)):
        after = after_execution(
            held, ORDER, NVDA, position_qty=qty, qty=str(abs(size)), price="100"
        )
        assert after is not None
        held = after
        of.add_execution(NVDA, Decimal(size), Decimal(100))
        of.set_positions({NVDA: held})
    assert of.sums.intraday_base == Decimal(950 + 1000) / 4
    assert of.sums == of.total()


def test_a_position_without_a_price_makes_equity_unknown_and_is_listed() -> None:
    of = marked(position(), position("XLF", "5", None))
    assert of.equity is None
    assert unpriced(of.holdings.values()) == [XLF]
    of.move(XLF, Decimal(10))
    assert of.equity == 1000 + 1000 + 50
    assert of.sums == of.total()


def test_a_split_in_one_read_changes_price_and_quantity_together() -> None:
    of = marked(position())
    assert rebase(of, position(qty="100", price="10")) == {NVDA}
    assert of.equity == 2000


def test_a_quantity_that_is_split_before_its_price_is_held_back() -> None:
    of = marked(position())
    for _ in range(3):
        rebase(of, position(qty="100", price="100"))
        assert of.equity == 2000
        assert of.holdings[NVDA].held_at == 100
    rebase(of, position(qty="100", price="10"))
    assert (of.equity, of.holdings[NVDA].held_at) == (Decimal(2000), None)


def test_shares_that_were_transferred_count_once_the_price_has_moved() -> None:
    of = marked(position())
    rebase(of, position(qty="100", price="100"))
    assert of.equity == 2000
    rebase(of, position(qty="100", price="100.01"))
    assert of.equity == 1000 + 10001


def test_a_quantity_that_was_traded_is_not_held_back() -> None:
    of = marked(position())
    of.add_execution(NVDA, Decimal(90), Decimal(100))
    of.set_positions({NVDA: position(qty="100")})
    assert of.equity == 2000
    rebase(of, position(qty="100"), cash="-8000")
    assert (of.equity, of.holdings[NVDA].held_at) == (Decimal(2000), None)


def test_a_last_equity_that_the_broker_does_not_know_is_unknown() -> None:
    of = MarkedAccount()
    of.rebase(account(last_equity=None), {})
    assert (of.last_equity, of.equity) == (None, Decimal(1000))


@given(
    st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 500)), max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 10**7)), max_size=40),
)
def test_moved_sums_equal_the_sum_of_all(
    positions: list[tuple[int, int]], moves: list[tuple[int, int]]
) -> None:
    of = marked(
        *(position(f"S{n}", str(qty), str(price)) for n, (qty, price) in enumerate(positions))
    )
    for n, units in moves:
        of.move(Symbol(f"S{n}"), Decimal(units).scaleb(-4))
    assert of.sums == of.total()


def test_a_split_that_another_account_s_read_has_shown_waits_for_this_one_s() -> None:
    """The market's price changes with the first read; quantity and price of others with theirs."""
    of = marked(position())
    assert of.move(NVDA, Decimal(10))  # a warning, and no other value
    assert (of.equity, of.holdings[NVDA].is_held) == (Decimal(2000), True)
    assert not of.move(NVDA, Decimal("10.1"))
    rebase(of, position(qty="100", price="10"))
    assert (of.equity, of.holdings[NVDA].is_held) == (Decimal(2000), False)
    assert of.move(NVDA, Decimal("10.1"))
    assert of.equity == 2010


def test_a_price_that_this_account_s_read_has_shown_is_believed() -> None:
    of = marked(position())
    of.move(NVDA, Decimal(10))
    rebase(of, position(price="10"))
    assert of.move(NVDA, Decimal(10))
    assert of.equity == 1100


@pytest.mark.parametrize(
    ("fill", "read", "price", "expected"),
    [
        (3, "13", "100", 2300),  # as the fill left it
        (3, "130", "10", 2300),  # and split since
        (3, "130", "100", 2000),  # split, and priced before it: the old quantity is kept
        (3, "12.99", "100", 2299),  # coins, with their fee
    ],
)
def test_after_a_fill_only_another_quantity_waits(
    fill: int, read: str, price: str, expected: int
) -> None:
    of = marked(position(), cash="1000")
    of.add_execution(NVDA, Decimal(fill), Decimal(0))
    of.set_positions({NVDA: position(qty=read, price=price)})
    assert of.equity == expected


def test_a_position_that_no_trade_explains_waits_for_a_confirmed_read() -> None:
    """After a change of its name a position may be shown twice."""
    of = marked(position())
    both = {p.symbol: p for p in (position(), position("ZNVDA"))}
    of.set_positions(both)
    assert (of.equity, of.holdings[Symbol("ZNVDA")].is_held) == (Decimal(2000), True)
    of.set_positions({Symbol("ZNVDA"): both[Symbol("ZNVDA")]})
    assert of.equity == 2000
    rebase(of, position("ZNVDA"))
    assert (of.equity, list(of.holdings)) == (Decimal(2000), [Symbol("ZNVDA")])


def test_cash_that_moved_with_a_quantity_explains_it() -> None:
    """A bust that no event has reported: without it the value only jumps."""
    paid = marked(position())
    rebase(paid, position(qty="4"), cash="1600")
    assert paid.equity == 1600 + 400
    unpaid = marked(position())
    rebase(unpaid, position(qty="4"))
    assert unpaid.equity == 2000


@pytest.mark.parametrize(("busted", "expected"), [(4, 2000), (10, 2000)])
def test_a_fill_that_the_position_does_not_show_yet_counts_in_both(
    busted: int, expected: int
) -> None:
    """A bust is reported without the position after it: cash and quantity move together."""
    of = marked(position())
    of.add_execution(NVDA, Decimal(-busted), Decimal(100))
    of.set_positions({NVDA: position()})
    assert of.equity == expected
    of.set_positions({NVDA: position()})
    assert of.equity == expected
    rebase(of, *([position(qty="6")] if busted == 4 else []), cash=str(1000 + 100 * busted))
    assert of.equity == 2000


def test_a_fill_that_a_read_showed_before_its_event_counts_once() -> None:
    of = marked(position())
    of.set_positions({NVDA: position(qty="12")})
    of.add_execution(NVDA, Decimal(2), Decimal(100))
    of.set_positions({NVDA: position(qty="12")})
    assert (of.equity, of.holdings[NVDA].size) == (Decimal(2000), Decimal(12))


def test_a_position_of_which_only_the_fill_is_known_is_worth_what_was_paid() -> None:
    of = marked(cash="1000")
    of.add_execution(NVDA, Decimal(-3), Decimal(100))
    of.set_positions({})
    assert (of.equity, of.cash) == (Decimal(1000), Decimal(1300))
    of.move(NVDA, Decimal(101))
    assert of.equity == 997
    of.set_positions({NVDA: position(qty="-3", price="101")})
    assert of.equity == 997
    of.add_execution(NVDA, Decimal(3), Decimal(101))
    of.set_positions({})
    assert of.equity == 997


def test_a_fill_and_its_bust_between_two_reads_leave_nothing() -> None:
    of = marked(cash="1000")
    bought = position(qty="3", price="100")
    of.add_execution(NVDA, Decimal(3), Decimal(100))
    of.set_positions({NVDA: bought})
    assert (of.equity, of.cash) == (Decimal(1000), Decimal(700))
    of.add_execution(NVDA, Decimal(-3), Decimal(100))
    of.set_positions({NVDA: bought})
    assert (of.equity, of.cash) == (Decimal(1000), Decimal(1000))
    of.set_positions({NVDA: bought})
    assert of.equity == 1000


def test_an_execution_without_a_size_changes_nothing() -> None:
    """What is left of one that was reversed: the position that it closed stays closed."""
    of = marked(position(price="100"))
    of.add_execution(NVDA, Decimal(-10), Decimal(100))
    of.add_execution(NVDA, Decimal(0), Decimal(100))
    of.set_positions({})
    assert (of.equity, len(of.holdings)) == (Decimal(2000), 0)


def test_a_position_that_was_opened_split_and_sold_between_two_reads_is_gone() -> None:
    of = marked(cash="1000")
    of.add_execution(NVDA, Decimal(8), Decimal(100))
    of.set_positions({NVDA: position(qty="8", price="100")})
    of.add_execution(NVDA, Decimal(-2), Decimal(400))  # four shares have become one
    for _ in range(2):
        of.set_positions({})
        assert (of.equity, len(of.holdings)) == (Decimal(1000), 0)


def test_a_position_is_no_longer_held_once_the_market_has_its_price() -> None:
    of = marked(position(price="10"))
    (price,) = (holding.price for holding in of.holdings.values())
    assert price is not None
    of.move(NVDA, Decimal(100))
    assert of.holdings[NVDA].is_held
    point = PricePoint(price=price, at=1, source="broker")
    of.move_all({NVDA: SymbolPrice(current=point)})
    assert not of.holdings[NVDA].is_held
