"""The price of a symbol at which positions are marked."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.mark_prices import (
    CONFIRM_AFTER_NS,
    MAX_CHANGE,
    MAX_TRADES_KEPT,
    UNPRICED,
    PricePoint,
    StreamTrade,
    SymbolPrice,
    add_trade,
    cancel_trade,
    correct_trade,
    is_last_price,
    set_broker_price,
    set_quote,
    set_status,
)

SECOND = 1_000_000_000


def trade(trade_id: str, price: str, at: int) -> StreamTrade:
    return StreamTrade(trade_id, PricePoint(price=Decimal(price), at=at, source="trade"))


def traded(*trades: StreamTrade, state: SymbolPrice = UNPRICED) -> SymbolPrice:
    for each in trades:
        state = add_trade(state, each, max_change=MAX_CHANGE)
    return state


def read(state: SymbolPrice, price: str, at: int, *, is_certain: bool = False) -> SymbolPrice:
    return set_broker_price(state, Decimal(price), at, max_change=MAX_CHANGE, is_certain=is_certain)


def price_of(state: SymbolPrice) -> str | None:
    return None if state.current is None else str(state.current.price)


@pytest.mark.parametrize(
    ("conditions", "is_last"),
    [
        (["@"], True),
        (["@", "F"], True),
        (["@", "T"], True),
        (["@", "I"], False),
        (["W"], False),
        (["@", "Z"], False),
        ([], True),
    ],
)
def test_conditions_that_leave_the_last_price_unchanged(
    conditions: list[str], is_last: bool
) -> None:
    assert is_last_price(conditions) is is_last


def test_the_newest_trade_is_the_price_in_whatever_order_trades_arrive() -> None:
    assert price_of(traded(trade("1", "10", 1), trade("3", "11", 3), trade("2", "9", 2))) == "11"


def test_a_cancelled_trade_is_undone() -> None:
    state = traded(trade("1", "10", 1), trade("2", "11", 2))
    assert price_of(cancel_trade(state, "2", max_change=MAX_CHANGE)) == "10"
    assert cancel_trade(state, "7", max_change=MAX_CHANGE) is state


def test_a_cancelled_only_trade_leaves_the_price_of_the_last_read() -> None:
    state = traded(trade("1", "10", 5), state=read(UNPRICED, "9", 1))
    assert price_of(cancel_trade(state, "1", max_change=MAX_CHANGE)) == "9"


def test_a_cancelled_only_trade_without_a_read_leaves_no_price() -> None:
    state = cancel_trade(traded(trade("1", "10", 5)), "1", max_change=MAX_CHANGE)
    assert price_of(state) is None


def test_a_corrected_trade_keeps_its_place() -> None:
    state = traded(trade("1", "10", 1), trade("2", "11", 2))
    older = correct_trade(state, "1", trade("9", "10.5", 9), max_change=MAX_CHANGE)
    newest = correct_trade(state, "2", trade("9", "10.5", 9), max_change=MAX_CHANGE)
    assert (price_of(older), price_of(newest)) == ("11", "10.5")


def test_the_newer_of_trade_and_read_is_the_price() -> None:
    state = traded(trade("1", "10", 10))
    assert price_of(read(state, "10.2", 9)) == "10"
    assert price_of(read(state, "10.2", 11)) == "10.2"
    assert price_of(traded(trade("2", "10.3", 12), state=read(state, "10.2", 11))) == "10.3"


def test_a_late_read_does_not_replace_a_newer_one() -> None:
    assert price_of(read(read(UNPRICED, "10", 5), "9", 4)) == "10"


def test_a_far_trade_is_held_back_until_a_read_shows_it() -> None:
    state = traded(trade("2", "10", 20), state=read(UNPRICED, "100", 10))
    assert (price_of(state), state.held is not None) == ("100", True)
    soon = read(state, "10.1", 25)
    assert (price_of(soon), soon.held) == ("100", state.held)  # the broker may book both later
    confirmed = read(soon, "10.1", 20 + CONFIRM_AFTER_NS)
    assert (price_of(confirmed), confirmed.held) == ("10.1", None)


def test_a_read_older_than_the_last_trade_confirms_the_trade() -> None:
    later = 2 * CONFIRM_AFTER_NS
    state = traded(trade("2", "10", 20), trade("3", "10.2", later), state=read(UNPRICED, "100", 10))
    confirmed = read(state, "10.1", 20 + CONFIRM_AFTER_NS)
    assert (price_of(confirmed), confirmed.held) == ("10.2", None)


def test_a_far_trade_is_dropped_when_prices_are_near_again() -> None:
    state = traded(trade("2", "10", 20), trade("3", "101", 21), state=read(UNPRICED, "100", 10))
    assert (price_of(state), state.held) == ("101", None)


def test_a_read_that_is_far_from_the_price_needs_a_second_one() -> None:
    first = read(read(UNPRICED, "100", SECOND), "10", 2 * SECOND)
    assert price_of(first) == "100"
    soon = read(first, "10", 3 * SECOND)
    assert price_of(soon) == "100"
    assert price_of(read(soon, "10", 2 * SECOND + CONFIRM_AFTER_NS)) == "10"


def test_a_read_whose_quantity_changed_the_other_way_is_believed_at_once() -> None:
    state = traded(trade("1", "100", 5), state=read(UNPRICED, "100", 1))
    split = read(state, "10", 6, is_certain=True)
    assert (price_of(split), split.trades) == ("10", ())


def test_a_quote_is_the_price_only_without_a_trade_or_a_read() -> None:
    quoted = set_quote(UNPRICED, Decimal(9), Decimal(11), 1)
    assert price_of(quoted) == "10"
    assert price_of(set_quote(read(UNPRICED, "12", 1), Decimal(9), Decimal(11), 2)) == "12"


@pytest.mark.parametrize(("bid", "ask"), [(11, 9), (0, 9), (9, 0), (-1, 9)])
def test_a_crossed_or_one_sided_quote_changes_nothing(bid: int, ask: int) -> None:
    assert set_quote(UNPRICED, Decimal(bid), Decimal(ask), 1) is UNPRICED


@pytest.mark.parametrize(("halt", "resume"), [("2", "3"), ("H", "T"), ("P", "T")])
def test_a_halted_symbol_keeps_its_price(halt: str, resume: str) -> None:
    state = set_status(traded(trade("1", "10", 1)), halt, 2)
    assert (price_of(state), state.halted_since) == ("10", 2)
    assert set_status(state, "Q", 3).halted_since == 2
    assert set_status(state, resume, 4).halted_since is None


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(900, 1100)), min_size=1, max_size=60))
def test_undoing_every_trade_in_any_order_ends_at_the_read(trades: list[tuple[int, int]]) -> None:
    state = read(UNPRICED, "10", 0)
    for n, (at, cents) in enumerate(trades):
        point = PricePoint(price=Decimal(cents) / 100, at=at, source="trade")
        state = add_trade(state, StreamTrade(str(n), point), max_change=MAX_CHANGE)
    assert len(state.trades) <= MAX_TRADES_KEPT
    newest = max(at for at, _ in trades)
    assert state.current is not None
    assert state.current.at == newest
    for n in range(len(trades)):
        state = cancel_trade(state, str(n), max_change=MAX_CHANGE)
    assert price_of(state) == "10"
