"""Whether an anomaly is resolved. Which ones an event reveals: `test_apply.py`."""

import pytest

from realtime.core.anomalies import is_unresolved
from realtime.core.model import ExecutionId, Order, OrderId
from realtime.core.outcomes import Anomaly, AnomalyKind
from realtime.core.state import AccountState, Execution

ID, OTHER = OrderId("o1"), OrderId("o2")


def state(*orders: Order, executed: str | None = None) -> AccountState:
    execution = Execution(
        execution_id=ExecutionId("e1"),
        order_id=ID,
        symbol="AAA",
        side="buy",
        qty=executed or "0",
        price="1",
        at=None,
    )
    return AccountState(
        orders={o.id: o for o in orders},
        executions={ID: {execution.execution_id: execution}} if executed else {},
    )


def order(status: str = "new", **fields: object) -> Order:
    return Order(id=ID, status=status, **fields)  # type: ignore[arg-type]  # fields of an order


@pytest.mark.parametrize(
    ("kind", "now", "unresolved"),
    [
        ("overdue", state(order()), True),
        ("overdue", state(order("filled")), False),
        ("superseded_open", state(order()), True),
        ("superseded_open", state(order("replaced")), False),
        ("successor_unknown", state(order("replaced", replaced_by=OTHER)), True),
        (
            "successor_unknown",
            state(order("replaced", replaced_by=OTHER), Order(id=OTHER, status="new")),
            False,
        ),
        ("legs_unknown", state(order(order_class="bracket")), True),
        ("legs_unknown", state(order()), False),
        ("fills_gap", state(order(filled_qty="3"), executed="2"), True),
        ("fills_gap", state(order(filled_qty="3"), executed="3"), False),
        ("fills_gap", state(), True),
        ("position_gap", state(order()), True),
        ("late_news", state(), True),
        ("reopened", state(order()), True),
    ],
)
def test_events_resolve_some_anomalies_and_only_a_read_the_others(
    kind: AnomalyKind, now: AccountState, unresolved: bool
) -> None:
    assert is_unresolved(now, Anomaly(kind, ID, "")) is unresolved
