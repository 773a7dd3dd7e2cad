"""What is known of an account."""

from decimal import Decimal

from realtime.core.model import Order, OrderId
from realtime.core.position_evidence import next_evidence
from realtime.core.state import AccountState, EvidenceKey, PositionEvidence


def test_open_orders_work_at_the_broker() -> None:
    """Held legs wait, closed ones are done; an unknown status may still trade."""
    statuses = ["new", "held", "filled", "partially_filled", "pondering", "canceled"]
    orders = {OrderId(s): Order(id=OrderId(s), status=s) for s in statuses}
    assert AccountState(orders=orders).open_orders == 3


def mark(old: PositionEvidence | None, side: str, now: float) -> PositionEvidence:
    key: EvidenceKey = (int(now), "", 0, Decimal(0), "")
    return next_evidence(old, key=key, qty="1", side=side, now=now)


def test_a_mark_remembers_the_last_turn() -> None:
    """While only one side trades, an old position cannot look like the new one."""
    first = mark(None, "buy", 1.0)
    second = mark(first, "buy", 2.0)
    turned = mark(second, "sell", 3.0)
    assert [m.turned_at for m in (first, second, turned, mark(turned, "sell", 4.0))] == [
        None,
        None,
        3.0,
        3.0,
    ]
    assert mark(None, "", 5.0).turned_at == 5.0
