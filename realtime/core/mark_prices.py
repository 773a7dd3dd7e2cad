"""The price of a symbol at which positions are marked, and when it is not believed yet.

Alpaca values a position at its last trade. So a symbol's price is the newest of two: the last trade
of the data stream, and the price in the broker's positions at the last read. A trade that the feed
corrects or cancels is undone. A price that is far from the one before it is held back until a read
shows it as well: after a split, prices and quantities do not change at the same moment.

Sources: Alpaca "Real-time Stock Data" (corrections, cancelErrors, statuses); the conditions that
leave the last price unchanged are those of the consolidated tapes (CTA and UTP specifications).
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Literal

from msgspec import Struct, structs

PriceSource = Literal["trade", "quote", "broker"]

MAX_TRADES_KEPT = 32
"""Trades of a symbol that a correction or a cancellation can still undo."""

MAX_CHANGE = Decimal("1.3")
"""The largest ratio of two prices in a row of a stock or a coin that is believed at once."""

MAX_OPTION_CHANGE = Decimal(4)
"""The same of an option: its price often doubles."""

CONFIRM_AFTER_NS = 10_000_000_000
"""A read that begins this much later and shows the same price again confirms it: what REST reports
may lag by about ten seconds (Alpaca-API issue 276)."""

NO_LAST_PRICE = frozenset("BCHIMNPQRUVWZ47")
"""Conditions of trades that do not change a stock's last price: average price, cash sale, odd lot,
official open and close, next day, prior reference price, seller, out of sequence, contingent,
derivatively priced. Trades before and after regular hours (T) do: the broker marks with them."""

HALTED = frozenset("2HP")
RESUMED = frozenset("3T")
"""Codes of trading statuses: tapes A and B, tapes C and O."""


class PricePoint(Struct, frozen=True, kw_only=True, gc=False):
    """One price, and when it was so: the time of a trade, or when a read began; epoch ns."""

    price: Decimal
    at: int
    source: PriceSource


class StreamTrade(Struct, frozen=True, gc=False):
    """A trade that determines the last price, until the feed undoes it."""

    trade_id: str
    point: PricePoint


class SymbolPrice(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a symbol's price. Nothing at first."""

    current: PricePoint | None = None
    """The price at which positions are marked."""
    held: PricePoint | None = None
    """A price that is too far from `current` to be believed without a read."""
    trades: tuple[StreamTrade, ...] = ()
    """The last trades, oldest first."""
    broker: PricePoint | None = None
    """What the last read of positions showed."""
    quote: PricePoint | None = None
    """The middle of bid and ask; used only where there is no other price."""
    halted_since: int | None = None
    """Epoch ns; None while the symbol trades."""


UNPRICED = SymbolPrice()


def is_last_price(conditions: Collection[str]) -> bool:
    """Whether a stock's trade with these conditions is its last price."""
    return not any(condition in NO_LAST_PRICE for condition in conditions)


def add_trade(state: SymbolPrice, trade: StreamTrade, *, max_change: Decimal) -> SymbolPrice:
    """The price after a trade of the stream; trades may arrive in any order."""
    trades = state.trades
    if trades and trade.point.at < trades[-1].point.at:
        trades = tuple(sorted((*trades, trade), key=lambda t: t.point.at))
    else:
        trades = (*trades, trade)
    return _choose(structs.replace(state, trades=trades[-MAX_TRADES_KEPT:]), max_change)


def correct_trade(
    state: SymbolPrice, trade_id: str, trade: StreamTrade, *, max_change: Decimal
) -> SymbolPrice:
    """The price after a correction: the new trade has the time of the one that it replaces."""
    if all(known.trade_id != trade_id for known in state.trades):
        return state
    trades = tuple(
        StreamTrade(trade.trade_id, structs.replace(trade.point, at=known.point.at))
        if known.trade_id == trade_id
        else known
        for known in state.trades
    )
    return _choose(structs.replace(state, trades=trades), max_change)


def cancel_trade(state: SymbolPrice, trade_id: str, *, max_change: Decimal) -> SymbolPrice:
    """The price without a trade that the feed cancelled: that of the trade or read before it."""
    trades = tuple(trade for trade in state.trades if trade.trade_id != trade_id)
    if len(trades) == len(state.trades):
        return state
    return _choose(structs.replace(state, trades=trades), max_change)


def set_quote(state: SymbolPrice, bid: Decimal, ask: Decimal, at: int) -> SymbolPrice:
    """The price after a quote; one that is crossed or lacks a side changes nothing."""
    if not 0 < bid <= ask:
        return state
    quote = PricePoint(price=(bid + ask) / 2, at=at, source="quote")
    state = structs.replace(state, quote=quote)
    return structs.replace(state, current=quote) if _has_no_trade(state) else state


def set_status(state: SymbolPrice, code: str, at: int) -> SymbolPrice:
    """The price after a trading status: a halted symbol keeps its price."""
    if code in HALTED:
        return structs.replace(state, halted_since=at)
    return structs.replace(state, halted_since=None) if code in RESUMED else state


def set_broker_price(
    state: SymbolPrice, price: Decimal, at: int, *, max_change: Decimal, is_certain: bool = False
) -> SymbolPrice:
    """The price after a read of positions that began `at`. `is_certain`: the quantity in the same
    read has changed just as much the other way, as in a split."""
    point = PricePoint(price=price, at=at, source="broker")
    if state.broker is not None and at <= state.broker.at:
        return state
    state = structs.replace(state, broker=point)
    if state.trades and at <= state.trades[-1].point.at and not is_certain:
        # 1. Trades are newer than the read: it confirms one that was held back, or says nothing.
        if not _is_confirmed(state, point, max_change):
            return state
        return structs.replace(state, current=state.trades[-1].point, held=None)
    if is_certain or _is_confirmed(state, point, max_change):
        # 2. Believed, however far it is from the price before. Older trades are in other units.
        trades = tuple(t for t in state.trades if is_near(t.point.price, price, max_change))
        return structs.replace(state, current=point, held=None, trades=trades)
    return _choose(state, max_change)


def _choose(state: SymbolPrice, max_change: Decimal) -> SymbolPrice:
    """The state with the newest price, or with it held back."""
    newest = state.broker
    if state.trades and (newest is None or state.trades[-1].point.at > newest.at):
        newest = state.trades[-1].point
    if newest is None:
        return structs.replace(state, current=state.quote, held=None)
    if state.current is None or is_near(newest.price, state.current.price, max_change):
        return structs.replace(state, current=newest, held=None)
    if state.held is not None and is_near(newest.price, state.held.price, max_change):
        return state  # since the first of them
    return structs.replace(state, held=newest)


def _is_confirmed(state: SymbolPrice, point: PricePoint, max_change: Decimal) -> bool:
    """Whether a price that was held back is shown by a read that cannot be behind."""
    held = state.held
    if held is None or not is_near(point.price, held.price, max_change):
        return False
    return point.at - held.at >= CONFIRM_AFTER_NS


def is_near(price: Decimal, other: Decimal, max_change: Decimal) -> bool:
    """Whether one price may follow the other without a read that confirms it."""
    low, high = min(price, other), max(price, other)
    return (low > 0 and high <= low * max_change) or low == high


def _has_no_trade(state: SymbolPrice) -> bool:
    return not state.trades and state.broker is None
