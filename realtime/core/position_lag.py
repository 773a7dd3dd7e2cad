"""What was executed so short ago that REST positions may not show it yet.

A symbol's mark remembers its newest execution. While that is young, a position read by REST that
does not agree with it may be an old one, and one that agrees may do so by chance.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from realtime.core.decimals import ZERO, number, plain
from realtime.core.model import Position, Symbol, position_symbol
from realtime.core.state import LAG_S, Execution, PositionEvidence, marked
from realtime.core.timestamps import NEVER, nanoseconds


def outdate(
    marks: dict[Symbol, PositionEvidence],
    execution: Execution,
    heard_at: float,
    positions: Mapping[Symbol, Position] | None,
) -> None:
    """A frame about an earlier execution must not set the position back, nor must a reading.

    An activity does not tell the position, so it is reckoned from `positions`, those shown now:
    REST positions that are neither ours nor the sum may be from before what we have shown already.
    Without them REST positions contain the execution.
    """
    symbol = position_symbol(execution.symbol)
    key = (nanoseconds(execution.at), "", NEVER, ZERO, str(execution.execution_id))
    mark = marks.get(symbol)
    if mark is None or key > mark.key:
        qty = "" if positions is None else _reckoned(mark, execution, heard_at, positions)
        marks[symbol] = marked(
            mark, key=key, qty=qty, side=execution.side, now=heard_at, is_reckoned=True
        )


def _reckoned(
    mark: PositionEvidence | None,
    execution: Execution,
    now: float,
    positions: Mapping[Symbol, Position],
) -> str:
    """The signed position after an execution; empty where a fee in the coin makes it uncertain."""
    if "/" in execution.symbol and execution.side == "buy":
        return ""
    shown = positions.get(position_symbol(execution.symbol))
    before = shown.qty if shown is not None else "0"
    if mark is not None and mark.is_reckoned and mark.qty and mark.heard_at > now - LAG_S:
        before = mark.qty
    step = number(execution.qty)
    return plain(number(before) + (step if execution.side == "buy" else -step))


def find_unsettled(
    marks: Mapping[Symbol, PositionEvidence], theirs: Mapping[Symbol, Position], requested_at: float
) -> Iterable[Symbol]:
    """Symbols whose position, as read, does not agree with what was told of it lately."""
    for symbol, mark in marks.items():
        young = mark.qty and not mark.held_back and mark.heard_at > requested_at - LAG_S
        if young and held(theirs.get(symbol)) != number(mark.qty):
            yield symbol


def is_unproven(marks: Mapping[Symbol, PositionEvidence], requested_at: float) -> bool:
    """Whether agreement proves nothing yet: an execution of which the position was not told or is
    not shown, or a purchase and a sale so close that old positions look like the new ones."""
    since = requested_at - LAG_S
    return any(
        ((mark.is_reckoned or not mark.qty or mark.held_back) and mark.heard_at > since)
        or (mark.turned_at is not None and mark.turned_at > since)
        for mark in marks.values()
    )


def held(position: Position | None) -> Decimal:
    """The quantity of a position, zero without one."""
    return number(position.qty) if position is not None else number("0")
