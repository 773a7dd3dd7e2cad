"""What an event executed."""

from decimal import Decimal

import pytest
from msgspec import structs

from realtime.core.executions import (
    execution_id_by_qty,
    executions_of,
    is_multileg,
    is_new_execution,
    unexplained_qty,
)
from realtime.core.model import ExecutionId, LegFill, Order, OrderId, TradeUpdate
from realtime.core.state import EMPTY, AccountState, Execution

ID, LEG = OrderId("o"), OrderId("leg")
ORDER = Order(id=ID, symbol="NVDA", side="buy", filled_qty="4.0", status="partially_filled")
SPREAD = Order(id=ID, symbol="", order_class="mleg", filled_qty="2", status="filled")
FILL = TradeUpdate(
    event="partial_fill",
    order=ORDER,
    timestamp="2026-10-06T14:02:11Z",
    execution_id=ExecutionId("e1"),
    price="188.4",
    qty="4",
)
UNDO = structs.replace(
    FILL, event="trade_bust", execution_id="e2", previous_execution_id=ExecutionId("e1")
)
LEGS = (LegFill(execution_id=ExecutionId("e1"), order_id=LEG, symbol="OPT", qty="2", price="6"),)


@pytest.mark.parametrize(
    ("update", "told"),
    [
        (FILL, {"e1": "4"}),
        (structs.replace(FILL, event="restated"), {"e1": "4"}),
        (structs.replace(FILL, execution_id=None), {"o@4": "4"}),
        (structs.replace(FILL, qty=None), {}),
        (structs.replace(FILL, price=None), {}),
        (UNDO, {"e1": "0", "e2": "0"}),
        (structs.replace(UNDO, event="trade_correct"), {"e1": "0", "e2": "4"}),
        (structs.replace(UNDO, execution_id=None), {"e1": "0", "trade_bust:e1": "0"}),
        (structs.replace(UNDO, previous_execution_id=None), {"e2": "0"}),
        (structs.replace(UNDO, event="restated"), {"e1": "0"}),
        (structs.replace(FILL, order=SPREAD), {}),
        (structs.replace(FILL, order=SPREAD, legs=LEGS), {"e1": "2"}),
    ],
)
def test_executions_told(update: TradeUpdate, told: dict[str, str]) -> None:
    """By its fields; what is undone has executed nothing."""
    assert {e.execution_id: e.qty for e in executions_of(update, {})} == told


def test_a_leg_takes_its_side_from_its_order() -> None:
    """From the frame, else from what is known, else it is not known."""
    leg = Order(id=LEG, symbol="OPT", side="sell")
    update = structs.replace(FILL, order=SPREAD, legs=LEGS)
    nested = structs.replace(update, order=structs.replace(SPREAD, legs=(leg,)))
    assert [e.side for e in executions_of(nested, {})] == ["sell"]
    assert [e.side for e in executions_of(update, {LEG: leg})] == ["sell"]
    assert [e.side for e in executions_of(update, {})] == [""]


def execution(identity: str, qty: str) -> Execution:
    return Execution(
        execution_id=ExecutionId(identity),
        order_id=ID,
        symbol="NVDA",
        side="buy",
        qty=qty,
        price="1",
        at=None,
    )


KNOWN = AccountState(orders={ID: ORDER}, executions={ID: {ExecutionId("e1"): execution("e1", "3")}})


@pytest.mark.parametrize(
    ("identity", "qty", "news"),
    [("e1", "3", False), ("e1", "4", False), ("e1", "0", True), ("e2", "1", True)],
)
def test_is_news(identity: str, qty: str, news: bool) -> None:
    """An id that is not known, or the undoing of one that is."""
    assert is_new_execution(KNOWN, execution(identity, qty)) == news


def test_unexplained() -> None:
    """Filled less executed; a spread does not execute by itself."""
    assert unexplained_qty(KNOWN, ID) == Decimal(1)
    assert unexplained_qty(EMPTY, ID) == 0
    assert is_multileg(SPREAD)
    assert unexplained_qty(AccountState(orders={ID: SPREAD}), ID) == 0


def test_identity_by_quantity() -> None:
    """However the quantity is written."""
    assert execution_id_by_qty(ID, "4.0") == execution_id_by_qty(ID, "4") == "o@4"
