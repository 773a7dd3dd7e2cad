"""Executions on their way into the ledger and into the sums of their days, with what they realized.

Those of one change are applied one after another to the positions before it. Those that were missed
count where the books agree: what the last recorded state held, the missed executions and those
since then add up to what is held now. Otherwise something else changed the position, such as a
split, and the results stay unknown. Without a recorded state, what is held now is counted back, and
an entry price is known from the first moment at which nothing was held.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import structs

from realtime.core.model import Position, Symbol, position_symbol
from realtime.core.state import Execution
from realtime.core.timestamps import microseconds
from realtime.history.differences import EventRow, Source
from realtime.history.exact import day_number
from realtime.history.ledger import Ledger
from realtime.history.queue import RecoveredHistory
from realtime.history.realized import (
    FLAT,
    Holding,
    Realized,
    holding_of,
    in_order,
    net_quantity,
    realize,
    shares_of,
    signed_quantity,
    worth,
)
from realtime.history.rollups import Day, RecordedAccount
from realtime.store.records import Record

MAX_COIN_FEE = 3, 1000
"""The broker deducts its fee of up to 0.25 % from the coins that are bought, so less is held.
Source: its page on crypto fees."""


def add_fills(
    ledger: Ledger,
    account: RecordedAccount,
    before: Record | None,
    after: Record,
    rows: Iterable[EventRow],
    source: Source,
) -> None:
    """Add the executions of one change, and mark those that it removed as busted."""
    changed = [row for row in rows if row.execution is not None]
    is_first = before is None or not before.has_data
    if is_first and after.has_data:
        account.traded.clear()
    if not changed:
        return
    number = ledger.names.account(after)
    for row in changed:
        if row.kind == "execution_removed" and row.execution is not None:
            ledger.remove_fill(number, row.execution, account.at_us)
            _count_traded(account, row.execution, -1)
    added = in_order(row.execution for row in changed if row.kind == "execution" and row.execution)
    known = None if is_first or before is None else before.state.positions
    for result in _realize_change(added, known, after.state.positions):
        execution = result.execution
        is_new = _add_fill(ledger, number, result, source)
        if not is_first:
            _count_traded(account, execution, 1)
        executed_us = microseconds(execution.at) if execution.at else account.at_us
        if is_new and day_number(executed_us) == day_number(account.at_us):
            _add_to_day(account.day_sums(ledger, number, account.at_us), result)


def add_recovered_fills(
    ledger: Ledger, number: int, account: RecordedAccount, recovered: RecoveredHistory
) -> None:
    """Add the executions that were missed, also to the sums of their days."""
    missing = in_order(ledger.unresolved(number, recovered.executions))
    if not missing or account.record is None:
        return
    results = realize_missed(
        missing,
        before=recovered.held,
        now=account.record.state.positions,
        traded=account.traded,
        has_other_changes=lambda symbol: ledger.has_other_changes(number, symbol),
    )
    first_day = ledger.first_day(number)
    days: dict[int, Day] = {}
    for result in results:
        execution = result.execution
        is_new = _add_fill(ledger, number, result, "rest")
        day = day_number(microseconds(execution.at)) if execution.at else -1
        if first_day is None or day < first_day:
            continue  # before anything was recorded: a day without its other figures
        if day not in days:
            is_open = account.day is not None and account.day.day == day
            days[day] = (
                account.day if is_open and account.day else Day(day, ledger.day(number, day))
            )
        _add_to_day(days[day], result, is_new=is_new)
    for sums in days.values():
        ledger.put_day(number, sums.day, sums.values())


def realize_missed(
    missing: Sequence[Execution],
    *,
    before: Mapping[Symbol, Holding] | None,
    now: Mapping[Symbol, Position],
    traded: Mapping[Symbol, int],
    has_other_changes: Callable[[str], bool],
) -> list[Realized]:
    """What each missed execution realized, in their order.

    `before`: what was held before them; None: not recorded. `traded`: symbol → net quantity of the
    executions after them.
    """
    held: dict[Symbol, Holding] = {}
    unknown: set[Symbol] = set()
    fees = _largest_fees(missing)
    for symbol, net in net_quantity(missing).items():
        first_qty = holding_of(now.get(symbol)).qty - traded.get(symbol, 0) - net
        fee = fees.get(symbol, 0)
        if before is None:
            is_flat = -fee <= first_qty <= 0
            held[symbol] = FLAT if is_flat else Holding(first_qty, None)
            is_short_coin = symbol in fees and first_qty < -fee  # which the broker does not have
            is_known = not is_short_coin and not has_other_changes(symbol)
        else:
            held[symbol] = before.get(symbol, FLAT)
            is_known = 0 <= held[symbol].qty - first_qty <= fee
        if not is_known:
            unknown.add(symbol)
    return [
        structs.replace(result, gain=None)
        if position_symbol(result.execution.symbol) in unknown
        else result
        for result in realize(missing, held)
    ]


def _largest_fees(executions: Iterable[Execution]) -> dict[Symbol, int]:
    """Symbol of a coin → the largest fee of its purchases, in coins."""
    share, whole = MAX_COIN_FEE
    fees: dict[Symbol, int] = {}
    for execution in executions:
        bought = signed_quantity(execution)
        if "/" in execution.symbol and bought > 0:
            symbol = position_symbol(execution.symbol)
            fees[symbol] = fees.get(symbol, 0) + bought * share // whole
    return fees


def _realize_change(
    executions: Sequence[Execution],
    before: Mapping[Symbol, Position] | None,
    after: Mapping[Symbol, Position],
) -> list[Realized]:
    """What the executions of one change realized; `before` None: the positions are not known."""
    symbols = {position_symbol(execution.symbol) for execution in executions}
    held = {symbol: holding_of((before or {}).get(symbol)) for symbol in symbols}
    newest: set[Symbol] = set()
    results = []
    for result in reversed(realize(executions, held)):
        symbol = position_symbol(result.execution.symbol)
        if symbol not in newest:  # whatever was known before, this is what is held now
            newest.add(symbol)
            result = structs.replace(result, after=holding_of(after.get(symbol)))
        results.append(result if before is not None else structs.replace(result, gain=None))
    return results[::-1]


def _add_fill(ledger: Ledger, number: int, result: Realized, source: Source) -> bool:
    """Add an execution, or its result if only that was not known; returns whether it was new."""
    is_new = ledger.add_fill(number, result.execution, realized=result.gain, source=source)
    if not is_new and result.gain is not None:
        ledger.set_realized(number, result.execution, result.gain)
    return is_new


def _count_traded(account: RecordedAccount, execution: Execution, sign: int) -> None:
    symbol = position_symbol(execution.symbol)
    account.traded[symbol] = account.traded.get(symbol, 0) + sign * signed_quantity(execution)


def _add_to_day(day: Day, result: Realized, *, is_new: bool = True) -> None:
    execution = result.execution
    shares = shares_of(execution.symbol)
    day.add_fill(
        position_symbol(execution.symbol),
        worth(execution.qty, execution.price, shares) if is_new else 0,
        result.gain,
        is_flat=result.after.qty == 0,
    )
