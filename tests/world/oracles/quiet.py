"""When all is quiet: the daemon has exactly what the broker has, each execution once."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from realtime.store.records import Record
from realtime.store.store import Store
from tests.world.broker import Broker
from tests.world.oracles.violation import Violation

IsFromBefore = Callable[[str], bool]
"""Whether an order is older than this run of the daemon."""


def is_settled(store: Store) -> bool:
    """Whether every account is current and confirmed, or refused for good."""
    return all(
        record.link.state == "refused" or (record.link.is_synced and not record.state.provisional)
        for record in store
    )


def check_executions(broker: Broker, record: Record, is_from_before: IsFromBefore) -> None:
    """Each execution is counted exactly once, and an undone one not at all.

    The daemon asks for no executions from before its first connect beyond a page, so what it
    counts of an order is either everything or, for one from before this run, less.
    """
    label = record.profile.label
    truly = {
        e.id: e for e in broker.exchange._account(label).executions.values() if not e.is_busted
    }
    for order_id, known in record.state.executions.items():
        counted = {i: Decimal(e.qty) for i, e in known.items() if Decimal(e.qty)}
        real = {i: e.qty for i, e in truly.items() if e.order.id == order_id}
        if is_from_before(order_id) and counted.items() <= real.items():
            continue
        if counted != real:
            raise Violation("executions", f"{label} {order_id}: counted {counted}, truly {real}")
    executed = {e.order.id for e in truly.values() if not is_from_before(e.order.id)}
    missing = executed - record.state.executions.keys()
    if missing & record.state.orders.keys():
        raise Violation("executions", f"{label}: none counted of {sorted(missing)}")


def unconfirmed(store: Store) -> Sequence[str]:
    """Who is not settled, and why, for a person."""
    return [
        f"{r.profile.label}: {r.link.state}, provisional {sorted(r.state.provisional)},"
        f" {r.link.stale_reason}"
        for r in store
        if r.link.state != "refused" and (not r.link.is_synced or r.state.provisional)
    ]
