"""What executions realize, one after another, at average cost.

The broker's average entry price of an execution's position is the price that counts. Where a
position before the first execution is not known, what closes it has no result: `None`, never 0.
"""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from realtime.core.model import Position, Symbol, position_symbol
from realtime.core.state import Execution
from realtime.core.timestamps import microseconds
from realtime.history.exact import quantity

PRICE_TO_MONEY = 10**14
"""qty × price is of 10⁻¹⁸; money is of 10⁻⁴."""

OPTION_SHARES = 100
_OPTION = re.compile(r"[A-Z0-9.]{1,6}\d{6}[CP]\d{8}", re.ASCII)


class Holding(Struct, frozen=True, gc=False):
    """A quantity (negative: short) and its average entry price, both of 10⁻⁹."""

    qty: int = 0
    entry: int | None = None
    """None: not known, or nothing is held."""


FLAT = Holding()


class Realized(Struct, frozen=True, gc=False):
    """One execution in its place among others."""

    execution: Execution
    gain: int | None
    """Money of 10⁻⁴; 0 where it only added to a position, None where the entry is not known."""
    after: Holding


def holding_of(position: Position | None) -> Holding:
    """What a position holds; `FLAT` without one."""
    if position is None:
        return FLAT
    return Holding(quantity(position.qty) or 0, quantity(position.avg_entry_price))


def in_order(executions: Iterable[Execution]) -> list[Execution]:
    """Executions by the broker's time; those of one time stay as they came."""
    return sorted(executions, key=lambda e: microseconds(e.at) if e.at else 0)


def realize(executions: Iterable[Execution], held: Mapping[Symbol, Holding]) -> list[Realized]:
    """What each execution realizes, in their order; symbols that are not in `held` are flat."""
    holdings = dict(held)
    results = []
    for execution in executions:
        symbol = position_symbol(execution.symbol)
        after, gain = _apply(holdings.get(symbol, FLAT), execution)
        holdings[symbol] = after
        results.append(Realized(execution, gain, after))
    return results


def net_quantity(executions: Iterable[Execution]) -> dict[Symbol, int]:
    """Symbol → what executions bought less what they sold."""
    totals: dict[Symbol, int] = {}
    for execution in executions:
        symbol = position_symbol(execution.symbol)
        totals[symbol] = totals.get(symbol, 0) + signed_quantity(execution)
    return totals


def signed_quantity(execution: Execution) -> int:
    """An execution's quantity, negative for a sale."""
    traded = abs(quantity(execution.qty) or 0)
    return traded if execution.side == "buy" else -traded


def shares_per_unit(asset_class: str | None) -> int:
    """How many shares one unit of an asset class is about."""
    return OPTION_SHARES if asset_class == "us_option" else 1


def shares_of(symbol: str) -> int:
    """How many shares one unit of a symbol is about: an option has the OCC's form, such as
    `AAPL261218C00190000`."""
    # The length first: this runs for every execution, and most are of stocks.
    return OPTION_SHARES if len(symbol) > 15 and _OPTION.fullmatch(symbol) else 1


def worth(qty: str | None, price: str | None, shares: int = 1) -> int:
    """qty × price × shares as money of 10⁻⁴; 0 where one of them is not known."""
    return (quantity(qty) or 0) * (quantity(price) or 0) * shares // PRICE_TO_MONEY


def _apply(held: Holding, execution: Execution) -> tuple[Holding, int | None]:
    """What is held after an execution, and what it realized."""
    change, price = signed_quantity(execution), quantity(execution.price)
    qty = held.qty + change
    if price is None or not change:
        return Holding(qty, None), None
    if held.qty == 0:
        return Holding(qty, price), 0
    if (held.qty > 0) == (change > 0):
        return Holding(qty, _average(held, change, price)), 0
    gain = None
    if held.entry is not None:
        closed = min(abs(held.qty), abs(change))
        each = price - held.entry if held.qty > 0 else held.entry - price
        gain = closed * each * shares_of(execution.symbol) // PRICE_TO_MONEY
    if qty == 0:
        return FLAT, gain
    return Holding(qty, held.entry if (qty > 0) == (held.qty > 0) else price), gain


def _average(held: Holding, change: int, price: int) -> int | None:
    if held.entry is None:
        return None
    return (held.qty * held.entry + change * price) // (held.qty + change)
