"""The events of a change of the store: the only work on the writer's path.

Nothing is encoded here, and parts are compared by identity: values are replaced and never changed,
so a part that is the same object has not changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from realtime.analytics.tier_bounds import Alert
from realtime.core.model import Order, OrderId, TradeUpdate
from realtime.core.order_versions import flatten
from realtime.core.state import Execution
from realtime.store.records import Change, OrderInDoubt, Record

Kind = Literal[
    "order",
    "changed",
    "working",
    "doubt",
    "account",
    "positions",
    "link",
    "row",
    "mark",
    "gap",
    "gone",
    "alert",
]

Type = Literal["order", "account", "positions", "link", "row", "mark", "fleet", "alert"]
"""The types that a client can select; `gap` and `gone` are always sent. `fleet` is sent once an
interval, without a change."""

KINDS: Mapping[Type, frozenset[Kind]] = {
    "order": frozenset({"order", "changed", "working", "doubt"}),
    "account": frozenset({"account"}),
    "positions": frozenset({"positions"}),
    "link": frozenset({"link"}),
    "row": frozenset({"row"}),
    "mark": frozenset({"mark"}),
    "fleet": frozenset(),
    "alert": frozenset({"alert"}),
}
ALWAYS: frozenset[Kind] = frozenset({"gap", "gone"})

STATE_KINDS: frozenset[Kind] = frozenset({"working", "account", "positions", "link", "row", "mark"})
"""Of these only the newest of each account matters."""

SNAPSHOT: tuple[Kind, ...] = ("link", "account", "positions", "working", "row", "mark")
"""The contents of a snapshot for each account, in this order."""


class CorrectedEvent(Struct, frozen=True):
    """Orders whose change no trade update reported, or reported differently."""

    record: Record
    changed: list[Order]
    removed: list[OrderId]


class GapFoundEvent(Struct, frozen=True):
    """A gap in the stream; times are epoch seconds, `None` where the executions state them."""

    since: float | None
    until: float | None
    repaired: bool
    recovered: tuple[Execution, ...]


EventSource = TradeUpdate | CorrectedEvent | GapFoundEvent | OrderInDoubt | Alert | None
"""What an event is encoded from; None: the current state."""


def get_events(change: Change) -> Sequence[tuple[Kind, EventSource]]:
    """The events of a change, in the order in which a client must apply them."""
    before, after = change.before, change.after
    if after is None:
        return [("gone", None)]
    events: list[tuple[Kind, EventSource]] = [("order", update) for update in change.updates]
    if before is None:
        events += [(kind, None) for kind in SNAPSHOT]
        return events
    if change.doubt is not None:
        events.append(("doubt", change.doubt))
    if before.link is not after.link or change.recovered:
        events += _gap(change, before, after)
    if not _is_as_reported(change, before, after):
        events += _orders(change, before, after)
    events += _parts(before, after)
    return events


def _is_as_reported(change: Change, before: Record, after: Record) -> bool:
    """Whether the orders changed as the one event reported, which is nearly always so; or not."""
    orders = after.state.orders
    if not change.updates:
        return before.state.orders is orders
    order = change.updates[0].order
    return (
        len(change.updates) == 1
        and change.recovered is None
        and order.legs is None
        and before.has_data
        and orders.get(order.id) is order
    )


def _gap(change: Change, before: Record, after: Record) -> Iterator[tuple[Kind, EventSource]]:
    was, now = before.link, after.link
    if now is not was and before.has_data:
        if now.is_stale and not was.is_stale:
            yield "gap", GapFoundEvent(now.stale_since, None, repaired=False, recovered=())
            return
        if was.is_stale and not now.is_stale:
            recovered = change.recovered or ()
            yield (
                "gap",
                GapFoundEvent(was.stale_since, after.as_of, repaired=True, recovered=recovered),
            )
            return
    if change.recovered:
        until = None if now.is_stale else after.as_of
        yield (
            "gap",
            GapFoundEvent(None, until, repaired=until is not None, recovered=change.recovered),
        )


def _orders(change: Change, before: Record, after: Record) -> Iterator[tuple[Kind, EventSource]]:
    old, new = before.state.orders, after.state.orders
    if old is new and not change.updates:
        return
    if not before.has_data:
        yield "working", None
        return
    reported = {order.id: order for update in change.updates for order, _ in flatten(update.order)}
    is_update = change.recovered is None and change.updates
    candidates = reported if is_update else {**old, **new, **reported}
    changed, removed = [], []
    for order_id in candidates:
        order = new.get(order_id)
        sent = reported.get(order_id, old.get(order_id))
        if order is None:
            if order_id in reported or (sent is not None and not sent.is_closed):
                removed.append(order_id)
        elif order is not sent and order != sent:
            changed.append(order)
    if changed or removed:
        yield "changed", CorrectedEvent(after, changed, removed)


def _parts(before: Record, after: Record) -> Sequence[tuple[Kind, EventSource]]:
    if before.version == after.version:
        return _CONFIRMED if before.confirmed_at != after.confirmed_at else ()
    if before.mark is not after.mark:
        return _MARKED
    was, now = before.state, after.state
    has_new_link = before.link is not after.link
    is_same_trust = not has_new_link and now.provisional == was.provisional
    if is_same_trust and before.has_data and now.account is was.account and now is not was:
        # As after nearly every event.
        return _ROW if now.positions is was.positions else _POSITIONS_AND_ROW
    trust_changed = (
        now.provisional != was.provisional or before.link.is_stale != after.link.is_stale
    )
    events: list[tuple[Kind, EventSource]] = []
    if trust_changed or now.positions is not was.positions:
        events.append(("positions", None))
    if trust_changed or now.account is not was.account:
        events.append(("account", None))
    if has_new_link or before.has_data != after.has_data:
        events.append(("link", None))
    if has_new_link or now is not was:
        events.append(("row", None))
    return events


_ROW: Sequence[tuple[Kind, EventSource]] = (("row", None),)
_POSITIONS_AND_ROW: Sequence[tuple[Kind, EventSource]] = (("positions", None), ("row", None))
_CONFIRMED: Sequence[tuple[Kind, EventSource]] = (("account", None), ("row", None))
_MARKED: Sequence[tuple[Kind, EventSource]] = (("mark", None),)
