"""Evidence of recent executions that REST positions may not show yet.

A symbol's evidence is its newest execution. While that is young, a position read by REST that
disagrees with it may be an old one, and one that agrees may do so by chance.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from realtime.core.decimals import ZERO, number, plain
from realtime.core.model import Position, Symbol, position_symbol
from realtime.core.state import LAG_S, EvidenceKey, Execution, PositionEvidence
from realtime.core.timestamps import NEVER, nanoseconds


def next_evidence(
    old: PositionEvidence | None,
    *,
    key: EvidenceKey,
    qty: str,
    side: str,
    now: float,
    is_computed: bool = False,
    held_back: Execution | None = None,
) -> PositionEvidence:
    """The evidence after a newer execution; `side` is empty if the direction is unknown."""
    turned = not side or (old is not None and side != old.side)
    turned_at = now if turned else old.turned_at if old is not None else None
    return PositionEvidence(
        key=key,
        qty=qty,
        side=side,
        received_at=now,
        turned_at=turned_at,
        is_computed=is_computed,
        held_back=held_back,
    )


def add_recovered(
    evidence: dict[Symbol, PositionEvidence],
    execution: Execution,
    received_at: float,
    positions: Mapping[Symbol, Position] | None,
) -> None:
    """Add an execution that only REST reported, so that neither an event about an earlier one nor a
    read that lags sets the position back.

    An activity does not contain the position, so it is computed from `positions`, those shown now:
    REST positions that are neither ours nor the sum may be from before what was shown already.
    Without them REST positions contain the execution.
    """
    symbol = position_symbol(execution.symbol)
    key = (nanoseconds(execution.at), "", NEVER, ZERO, str(execution.execution_id))
    old = evidence.get(symbol)
    if old is None or key > old.key:
        qty = "" if positions is None else _computed_qty(old, execution, received_at, positions)
        evidence[symbol] = next_evidence(
            old, key=key, qty=qty, side=execution.side, now=received_at, is_computed=True
        )


def _computed_qty(
    old: PositionEvidence | None,
    execution: Execution,
    now: float,
    positions: Mapping[Symbol, Position],
) -> str:
    """The signed position after an execution; empty where a fee in the coin makes it uncertain."""
    if "/" in execution.symbol and execution.side == "buy":
        return ""
    shown = positions.get(position_symbol(execution.symbol))
    before = shown.qty if shown is not None else "0"
    if old is not None and old.is_computed and old.qty and old.received_at > now - LAG_S:
        before = old.qty
    step = number(execution.qty)
    return plain(number(before) + (step if execution.side == "buy" else -step))


def find_unsettled(
    evidence: Mapping[Symbol, PositionEvidence],
    theirs: Mapping[Symbol, Position],
    requested_at: float,
) -> Iterable[Symbol]:
    """Symbols whose position, as read, does not agree with their young evidence."""
    for symbol, newest in evidence.items():
        is_young = newest.received_at > requested_at - LAG_S
        is_usable = newest.qty and not newest.held_back and is_young
        if is_usable and held_qty(theirs.get(symbol)) != number(newest.qty):
            yield symbol


def may_agree_by_chance(evidence: Mapping[Symbol, PositionEvidence], requested_at: float) -> bool:
    """Whether agreement proves nothing yet: after a young execution whose position is unknown or
    not shown, or a purchase and a sale so close that old positions look like the new ones."""
    since = requested_at - LAG_S
    return any(
        ((e.is_computed or not e.qty or e.held_back) and e.received_at > since)
        or (e.turned_at is not None and e.turned_at > since)
        for e in evidence.values()
    )


def held_qty(position: Position | None) -> Decimal:
    """The quantity of a position, zero without one."""
    return number(position.qty) if position is not None else ZERO
