"""What elements of market data mean for prices: each changes the price of one symbol or nothing.

Times in elements are MessagePack timestamps; prices are float 64, read in their shortest form.
"""

from decimal import Decimal

import msgspec
from msgspec import Struct

from realtime.broker.market_codec import Element
from realtime.core.mark_prices import (
    PricePoint,
    StreamTrade,
    SymbolPrice,
    add_trade,
    cancel_trade,
    correct_trade,
    is_last_price,
    set_quote,
    set_status,
)
from realtime.core.model import Symbol, position_symbol

MARKED_KINDS = frozenset("tcxqs")
"""Message types that can change a mark."""


class _Fields(Struct):
    """Fields of the five message types; each has some of them."""

    i: int | str | None = None
    p: float = 0.0
    c: list[str] | str | None = None
    oi: int | str | None = None
    ci: int | str | None = None
    cp: float = 0.0
    cc: list[str] | str | None = None
    bp: float = 0.0
    ap: float = 0.0
    sc: str = ""


_decode = msgspec.msgpack.Decoder(_Fields).decode


def price_symbol(element: Element) -> Symbol:
    """The symbol as positions spell it: `ETHUSD` for `ETH/USD`."""
    return position_symbol(element.symbol)


def apply_element(state: SymbolPrice, element: Element, *, max_change: Decimal) -> SymbolPrice:
    """The price of the element's symbol after it; the same object if it says nothing of it.

    Raises `msgspec.ValidationError` for fields of other types than Alpaca's.
    """
    fields = _decode(element.raw)
    match element.kind:
        case "t":
            if fields.p <= 0 or not _sets_price(element, fields.c):
                return state
            trade = _trade(fields.i, fields.p, element.time_ns())
            return add_trade(state, trade, max_change=max_change)
        case "c":
            if fields.cp <= 0:
                return state
            if not _sets_price(element, fields.cc):
                return cancel_trade(state, str(fields.oi), max_change=max_change)
            trade = _trade(fields.ci, fields.cp, element.time_ns())
            return correct_trade(state, str(fields.oi), trade, max_change=max_change)
        case "x":
            return cancel_trade(state, str(fields.i), max_change=max_change)
        case "q":
            return set_quote(state, exact(fields.bp), exact(fields.ap), element.time_ns())
        case "s":
            return set_status(state, fields.sc, element.time_ns())
        case _:
            return state


def exact(value: float) -> Decimal:
    """The decimal number that was meant: the shortest that has this float."""
    return Decimal(repr(value))


def _trade(trade_id: int | str | None, price: float, at: int) -> StreamTrade:
    return StreamTrade(str(trade_id), PricePoint(price=exact(price), at=at, source="trade"))


def _sets_price(element: Element, conditions: list[str] | str | None) -> bool:
    """Conditions of options are one letter with another meaning; coins have none."""
    return not isinstance(conditions, list) or is_last_price(conditions)
