"""The difference between two versions of a record as the parts of a frame, and back.

State changes by value, so what is the same object has not changed. A front that applies the parts
to the record before has the record after: equal values, in the same order, and as different objects
exactly where the owner has different ones, so that both announce the same events.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from msgspec import UNSET, Struct, UnsetType, structs

from realtime.cluster.frames import AccountChange, AccountSnapshot, RecordParts
from realtime.core.model import ExecutionId, Order, OrderId, TradeUpdate
from realtime.core.persistent_map import new_entries, put
from realtime.core.state import AccountState, Execution
from realtime.errors import ProtocolViolation
from realtime.store.records import Change, Record

K = TypeVar("K")
V = TypeVar("V")

Executions = Mapping[OrderId, Mapping[ExecutionId, Execution]]
"""order id → its executions"""

MAX_PUTS = 8
"""Changed entries up to which each is put into the map that is shared with the version before."""


class MapDifference(Struct, frozen=True):
    """What turns one mapping into another."""

    changed: dict[Any, Any]
    removed: list[Any]
    replaces: bool
    """Whether `changed` is all of it."""


def make_snapshot(record: Record, *, epoch: int, n: int) -> AccountSnapshot:
    """All of a record; changes up to number `n` are in it."""
    state = record.state
    parts = RecordParts(
        as_of=record.as_of,
        last_message_at=record.last_message_at,
        confirmed_at=record.confirmed_at,
        profile=record.profile,
        link=record.link,
        net_flows=record.net_flows,
        mark=record.mark,
        account=state.account,
        positions=dict(state.positions),
        replaces_positions=True,
        orders=list(state.orders.values()),
        replaces_orders=True,
        parents=dict(state.parents),
        replaces_parents=True,
        executions={order_id: dict(of_order) for order_id, of_order in state.executions.items()},
        replaces_executions=True,
        provisional=sorted(state.provisional),
    )
    return AccountSnapshot(label=record.profile.label, epoch=epoch, n=n, parts=parts)


def make_change(change: Change, *, epoch: int, n: int) -> AccountChange:
    """A change of the store. The front has the record before it, or gets all of a new account."""
    before, after = change.before, change.after
    if after is None:
        return AccountChange(label=change.label, epoch=epoch, n=n, parts=None)
    if before is None:
        parts = make_snapshot(after, epoch=epoch, n=n).parts
    else:
        parts = _make_parts(before, after, change.updates)
    return AccountChange(
        label=change.label,
        epoch=epoch,
        n=n,
        parts=parts,
        is_whole=before is None,
        is_new_version=before is None or before.version != after.version,
        updates=list(change.updates),
        recovered=None if change.recovered is None else list(change.recovered),
        doubt=change.doubt,
    )


def _make_parts(before: Record, after: Record, updates: Sequence[TradeUpdate]) -> RecordParts:
    fields: dict[str, Any] = {
        "as_of": after.as_of,
        "last_message_at": after.last_message_at,
        "confirmed_at": after.confirmed_at,
    }
    for name in ("profile", "link", "net_flows", "mark"):
        if (value := getattr(after, name)) is not getattr(before, name):
            fields[name] = value
    was, now = before.state, after.state
    if now is not was:
        if now.account is not was.account:
            fields["account"] = now.account
        if now.orders is not was.orders:
            difference = compare_maps(was.orders, now.orders)
            of_updates = {id(update.order): at for at, update in enumerate(updates)}
            fields["orders"] = [
                of_updates.get(id(order), order) for order in difference.changed.values()
            ]
            fields["removed_orders"] = difference.removed
            fields["replaces_orders"] = difference.replaces
        for name in ("positions", "parents", "executions"):
            old, new = getattr(was, name), getattr(now, name)
            if new is not old:
                compare = _compare_executions if name == "executions" else compare_maps
                difference = compare(old, new)
                fields[name] = difference.changed
                fields[f"removed_{name}"] = difference.removed
                fields[f"replaces_{name}"] = difference.replaces
        if now.provisional != was.provisional:
            fields["provisional"] = sorted(now.provisional)
    return RecordParts(**fields)


def compare_maps(before: Mapping[K, V], after: Mapping[K, V]) -> MapDifference:
    """The difference of two mappings, by value. Where the order of what stayed is another, all."""
    entries = new_entries(before, after)
    if entries is not None:
        return MapDifference(_without_equal(entries, before), [], False)
    old, new = dict(before.items()), dict(after.items())
    removed = [] if old.keys() <= new.keys() else [key for key in old if key not in new]
    kept = [key for key in old if key in new] if removed else list(old)
    if kept != list(islice(new, len(kept))):
        return MapDifference(new, [], True)
    changed = {key: value for key, value in new.items() if old.get(key) is not value}
    return MapDifference(_without_equal(changed, old), removed, False)


def _compare_executions(before: Executions, after: Executions) -> MapDifference:
    """The same for executions by order: of an order that had some, only those that came."""
    difference = compare_maps(before, after)
    changed: dict[OrderId, dict[ExecutionId, Execution]] = {}
    for order_id, of_order in difference.changed.items():
        old = {} if difference.replaces else before.get(order_id, {})
        of_that_order = compare_maps(old, of_order)
        if of_that_order.removed or of_that_order.replaces:
            return MapDifference({i: dict(e) for i, e in after.items()}, [], True)
        changed[order_id] = of_that_order.changed
    return MapDifference(changed, difference.removed, difference.replaces)


def _without_equal(values: Mapping[K, V], before: Mapping[K, V]) -> dict[K, V]:
    """The entries that `before` does not have. Equal ones that are not the same object were read
    again by REST: the front keeps its own."""
    return {
        key: value
        for key, value in values.items()
        if (old := before.get(key)) is None
        or (old is not value and (type(old) is not type(value) or old != value))
    }


def apply_parts(record: Record, parts: RecordParts) -> Record:
    """The record after the parts; its version is that of `record`."""
    fields: dict[str, Any] = {
        "as_of": parts.as_of,
        "last_message_at": parts.last_message_at,
        "confirmed_at": parts.confirmed_at,
    }
    for name in ("profile", "link", "net_flows", "mark"):
        if (value := getattr(parts, name)) is not UNSET:
            fields[name] = value
    state = _apply_to_state(record.state, parts)
    if state is not record.state:
        fields["state"] = state
    return structs.replace(record, **fields)


def _apply_to_state(state: AccountState, parts: RecordParts) -> AccountState:
    fields: dict[str, Any] = {}
    if parts.account is not UNSET:
        fields["account"] = parts.account
    if not isinstance(parts.orders, UnsetType):
        changed = {order.id: order for order in parts.orders if isinstance(order, Order)}
        if len(changed) != len(parts.orders):
            raise ProtocolViolation("an order twice, or of no update")
        fields["orders"] = apply_to_map(
            state.orders, changed, parts.removed_orders, replaces=parts.replaces_orders
        )
    for name in ("positions", "parents", "executions"):
        value = getattr(parts, name)
        if value is not UNSET:
            if name == "executions" and not parts.replaces_executions:
                value = _merge_executions(state.executions, value)
            fields[name] = apply_to_map(
                getattr(state, name),
                value,
                getattr(parts, f"removed_{name}"),
                replaces=getattr(parts, f"replaces_{name}"),
            )
    if not isinstance(parts.provisional, UnsetType):
        fields["provisional"] = frozenset(parts.provisional)
    return structs.replace(state, **fields) if fields else state


def apply_to_map(
    mapping: Mapping[K, V], changed: Mapping[K, V], removed: Sequence[K], *, replaces: bool
) -> Mapping[K, V]:
    """The mapping after a difference: always another object. Raises `ProtocolViolation` if an entry
    to remove is not there."""
    if replaces:
        return dict(changed)
    gone = frozenset(removed)
    if not gone <= mapping.keys():
        raise ProtocolViolation("a change removes what is not there")
    if gone:
        mapping = {key: value for key, value in mapping.items() if key not in gone}
    if 0 < len(changed) <= MAX_PUTS:
        for key, value in changed.items():
            mapping = put(mapping, key, value)
        return mapping
    return {**mapping, **changed}


def _merge_executions(before: Executions, changed: Executions) -> Executions:
    return {
        order_id: apply_to_map(before.get(order_id, {}), of_order, (), replaces=False)
        for order_id, of_order in changed.items()
    }


def find_recovered(before: Executions, after: Executions) -> tuple[Execution, ...]:
    """Executions of a snapshot that were not known before it, oldest first."""
    found = [
        execution
        for order_id, of_order in after.items()
        for execution_id, execution in of_order.items()
        if execution_id not in before.get(order_id, {})
    ]
    return tuple(sorted(found, key=lambda execution: execution.at or ""))
