"""Executions that were undone while nobody told us."""

from decimal import Decimal

import pytest

from realtime.core.model import Account, ExecutionId, FillActivity, Order, OrderId
from realtime.core.outcomes import Snapshot
from realtime.core.reconcile import reconcile
from realtime.core.state import AccountState, Execution

ORDER = OrderId("order")
BEFORE, AFTER = "2026-10-06T14:02:13Z", "2026-10-06T14:05:00Z"


def order(filled: str, at: str = BEFORE) -> Order:
    return Order(id=ORDER, status="partially_filled", filled_qty=filled, updated_at=at, symbol="A")


def execution(name: str, qty: str, second: int) -> Execution:
    return Execution(
        execution_id=ExecutionId(name),
        order_id=ORDER,
        symbol="A",
        side="buy",
        qty=qty,
        price="1",
        at=f"2026-10-06T14:02:{second:02}Z",
    )


def fill(name: str, qty: str) -> FillActivity:
    return FillActivity(id=f"20261006::{name}", order_id=ORDER, symbol="A", side="buy", qty=qty)


def counted(filled: str, *executions: Execution, at: str = BEFORE) -> AccountState:
    return AccountState(
        account=Account(id="a", account_number="1"),
        orders={ORDER: order(filled, at)},
        executions={ORDER: {e.execution_id: e for e in executions}},
    )


def left(state: AccountState, told: Order, *fills: FillActivity) -> dict[str, Decimal]:
    """Executions that still count after a reading."""
    snapshot = Snapshot(requested_at=0, orders=(told,), fills=fills, is_full=True)
    known = reconcile(state, snapshot).state.executions[ORDER].values()
    return {e.execution_id: Decimal(e.qty) for e in known if Decimal(e.qty)}


def test_an_execution_that_was_busted_counts_no_more() -> None:
    state = counted("5", execution("a", "2", 1), execution("b", "3", 2))
    assert left(state, order("2", AFTER), fill("a", "2")) == {"a": 2}


def test_a_corrected_execution_counts_under_its_new_name_only() -> None:
    state = counted("5", execution("a", "5", 1))
    assert left(state, order("5", AFTER), fill("new", "5")) == {"new": 5}


@pytest.mark.parametrize("listed", [(), ("a",)])
def test_young_executions_that_the_list_lacks_still_count(listed: tuple[str, ...]) -> None:
    state = counted("5", execution("a", "2", 1), execution("b", "3", 2))
    assert left(state, order("5"), *(fill(name, "2") for name in listed)) == {"a": 2, "b": 3}


def test_of_busted_and_young_the_one_that_fits_is_taken_back() -> None:
    state = counted("5", execution("old", "2", 1), execution("young", "3", 2))
    assert left(state, order("3", AFTER)) == {"young": 3}


def test_of_two_alike_the_older_is_taken_back() -> None:
    state = counted("4", execution("young", "2", 2), execution("old", "2", 1))
    assert left(state, order("2", AFTER)) == {"young": 2}


def test_an_older_version_of_the_order_takes_nothing_back() -> None:
    state = counted("5", execution("a", "2", 1), execution("b", "3", 2), at=AFTER)
    assert left(state, order("2")) == {"a": 2, "b": 3}


def test_what_fits_nothing_is_left_alone() -> None:
    state = counted("5", execution("a", "2", 1), execution("b", "3", 2))
    assert left(state, order("4", AFTER)) == {"a": 2, "b": 3}
