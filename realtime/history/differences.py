"""What became different between two states of an account, as rows of a day file.

Results are recorded, not inputs: whatever led from one state to the next, the rows say how the next
differs. The states share what did not change, so only differing objects are looked at.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from realtime.core.model import Account, Order, Position
from realtime.core.persistent_map import differing_keys
from realtime.core.state import AccountState, Execution
from realtime.store.records import Record

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])

Source = Literal["stream", "rest"]
Kind = Literal[
    "order",
    "order_removed",
    "execution",
    "execution_removed",
    "position",
    "position_removed",
    "account",
    "link",
    "removed",
]

ACCOUNT_FACTS = (
    "account_number",
    "status",
    "crypto_status",
    "trading_blocked",
    "transfers_blocked",
    "account_blocked",
    "trade_suspended_by_user",
    "shorting_enabled",
    "multiplier",
    "pattern_day_trader",
    "options_approved_level",
    "options_trading_level",
)
"""Members of an account that are not money: recorded by the event."""


class EventRow(Struct, frozen=True, kw_only=True, gc=False):
    """One row. Ids and numbers are still the broker's strings."""

    kind: Kind
    order_id: str | None = None
    execution_id: str | None = None
    parent: str | None = None
    symbol: str | None = None
    side: str | None = None
    qty: str | None = None
    price: str | None = None
    status: str | None = None
    broker_at: str | None = None
    body: bytes | None = None
    execution: Execution | None = None
    """Of `execution` and `execution_removed`."""
    order: Order | None = None
    """Of `order`: the order as it is now."""


def differences(before: Record | None, after: Record) -> list[EventRow]:
    """The rows that lead from one record to the next; from nothing, every row there is."""
    old = AccountState() if before is None else before.state
    new = after.state
    rows: list[EventRow] = []
    if new is not old:
        if new.orders is not old.orders:
            rows += _orders(old, new)
        if new.executions is not old.executions:
            rows += _executions(old, new)
        if new.positions is not old.positions:
            rows += _positions(old.positions, new.positions)
        if new.account is not old.account and _account_changed(old.account, new.account):
            rows.append(EventRow(kind="account", body=msgspec.json.encode(new.account)))
    if before is None or before.link != after.link:
        body = msgspec.json.encode(after.link)
        rows.append(EventRow(kind="link", status=after.link.state, body=body))
    return rows


def changed_members(before: Struct | None, after: Struct) -> bytes:
    """JSON of the members of `after` that are not as in `before`; all of them where a member has
    disappeared, for JSON has no word for that. Fields that only the broker knows are among them."""
    encoded = msgspec.json.encode(after)
    if before is None:
        return encoded
    members, known = _members.decode(encoded), _members.decode(msgspec.json.encode(before))
    if known.keys() - members.keys():
        return encoded
    return msgspec.json.encode(
        {name: raw for name, raw in members.items() if name not in known or known[name] != raw}
    )


def _orders(old: AccountState, new: AccountState) -> Iterator[EventRow]:
    for order_id in differing_keys(old.orders, new.orders):
        order = new.orders.get(order_id)
        if order is None:
            yield EventRow(kind="order_removed", order_id=order_id)
            continue
        known = old.orders.get(order_id)
        parent = new.parents.get(order_id)
        if known == order and parent == old.parents.get(order_id):
            continue  # read again, and the same
        yield EventRow(
            kind="order",
            order_id=order_id,
            parent=parent,
            symbol=order.symbol,
            side=order.side,
            qty=order.filled_qty,
            price=order.filled_avg_price,
            status=order.status,
            broker_at=order.updated_at,
            body=changed_members(known, order),
            order=order,
        )


def _executions(old: AccountState, new: AccountState) -> Iterator[EventRow]:
    for order_id in differing_keys(old.executions, new.executions):
        known = old.executions.get(order_id, {})
        current = new.executions.get(order_id, {})
        for execution_id, execution in current.items():
            if known.get(execution_id) != execution:
                yield _execution("execution", execution)
        if order_id in new.orders:  # otherwise they left together with their order
            for execution_id, execution in known.items():
                if execution_id not in current:
                    yield _execution("execution_removed", execution)


def _execution(kind: Literal["execution", "execution_removed"], execution: Execution) -> EventRow:
    return EventRow(
        kind=kind,
        order_id=execution.order_id,
        execution_id=execution.execution_id,
        symbol=execution.symbol,
        side=execution.side,
        qty=execution.qty,
        price=execution.price,
        broker_at=execution.at,
        execution=execution,
    )


def _positions(old: Mapping[Any, Position], new: Mapping[Any, Position]) -> Iterator[EventRow]:
    for symbol in differing_keys(old, new):
        position = new.get(symbol)
        if position is None:
            yield EventRow(kind="position_removed", symbol=symbol)
        elif _position_changed(old.get(symbol), position):
            yield EventRow(
                kind="position",
                symbol=symbol,
                side=position.side,
                qty=position.qty,
                price=position.avg_entry_price,
                body=msgspec.json.encode(position),
            )


def _position_changed(old: Position | None, new: Position) -> bool:
    if old is None:
        return True
    return (old.qty, old.avg_entry_price, old.qty_available, old.side, old.cost_basis) != (
        new.qty,
        new.avg_entry_price,
        new.qty_available,
        new.side,
        new.cost_basis,
    )


def _account_changed(old: Account | None, new: Account | None) -> bool:
    if old is None or new is None:
        return new is not None
    return any(getattr(old, name) != getattr(new, name) for name in ACCOUNT_FACTS)


def closed_order(row: EventRow) -> Order | None:
    """The order of a row that is final now."""
    return row.order if row.order is not None and row.order.is_closed else None


def state_body(record: Record) -> bytes:
    """A record's state as JSON, for a snapshot row."""
    state = record.state
    return msgspec.json.encode(
        {
            "account": state.account,
            "positions": dict(state.positions),
            "orders": dict(state.orders),
            "parents": dict(state.parents),
            "link": record.link,
        }
    )
