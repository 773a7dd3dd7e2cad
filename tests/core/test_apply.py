"""What one event does, as tables of (state, event, expected)."""

import pytest
from msgspec import structs

from realtime.core.anomalies import is_unresolved
from realtime.core.apply import apply
from realtime.core.model import ExecutionId, Order, OrderId, Position, Symbol, TradeUpdate
from realtime.core.order_status import KNOWN_EVENTS
from realtime.core.outcomes import Anomaly
from realtime.core.state import MONEY, ORDERS, AccountState

T0, T1, T2 = (f"2026-10-06T14:02:1{n}.519102Z" for n in range(3))
ID = OrderId("o1")


def order(status: str, at: str = T1, filled: str = "0", **more: object) -> Order:
    return Order(
        id=ID,
        updated_at=at,
        symbol="NVDA",
        side="buy",
        qty="10",
        filled_qty=filled,
        status=status,
        **more,  # type: ignore[arg-type]  # an order's own fields
    )


def having(known: Order | None) -> AccountState:
    return AccountState(orders={known.id: known} if known else {})


def fill(known: Order, qty: str = "4", position: str | None = "4") -> TradeUpdate:
    return TradeUpdate(
        event="partial_fill",
        order=known,
        timestamp=known.updated_at,
        execution_id=ExecutionId(f"e{known.filled_qty}"),
        price="188.4",
        qty=qty,
        position_qty=position,
    )


NEW, PART = order("new"), order("partially_filled", T1, "4")
FILLED, CANCELED = order("filled", T1, "10"), order("canceled", T1)


@pytest.mark.parametrize(
    ("known", "told", "taken"),
    [
        (None, NEW, True),
        (NEW, order("pending_new", T0), False),
        (NEW, order("pending_new", T1), False),
        (order("pending_new"), NEW, True),
        (NEW, order("pending_cancel", T2), True),
        (order("pending_cancel"), order("new", T2), True),
        (order("done_for_day"), order("new", T2), True),
        (NEW, PART, True),
        (PART, NEW, False),
        (PART, order("new", T2), False),
        (PART, order("partially_filled", T0, "2"), False),
        (PART, order("canceled", T2, "4"), True),
        (NEW, CANCELED, True),
        (CANCELED, order("new", T2), False),
        (CANCELED, order("pending_cancel", T0), False),
        (order("replaced", T2), order("filled", T1, "10"), True),
        (FILLED, order("replaced", T2), False),
        (NEW, order("pondering", T2), True),
        (order("pondering"), order("new", T2), True),
        (NEW, NEW, False),
    ],
)
def test_which_version_is_kept(known: Order | None, told: Order, taken: bool) -> None:
    """Closed over open, more filled over less, later over earlier, further along over behind."""
    state = having(known)
    applied = apply(state, TradeUpdate(event="whatever", order=told), 1.0)
    assert applied.state.orders[ID] is (told if taken else known)
    assert (applied.state is state) == (not taken and not applied.anomalies)


@pytest.mark.parametrize(
    ("known", "update", "kinds"),
    [
        (None, TradeUpdate(event="new", order=NEW), []),
        (NEW, fill(order("partially_filled", T2, "4")), []),
        (None, fill(PART), []),
        (NEW, fill(order("partially_filled", T2, "6")), ["fills_gap"]),
        (None, fill(order("partially_filled", T2, "6")), ["fills_gap"]),
        (NEW, TradeUpdate(event="canceled", order=order("canceled", T2, "4")), ["fills_gap"]),
        (NEW, fill(order("partially_filled", T2, "4"), position="9"), ["position_gap"]),
        (NEW, fill(order("partially_filled", T2, "4"), position=None), []),
        (FILLED, TradeUpdate(event="new", order=order("new", T2)), ["reopened"]),
        (FILLED, TradeUpdate(event="new", order=order("new", T0)), []),
        (FILLED, TradeUpdate(event="replaced", order=order("replaced", T2)), ["contradicted"]),
        (
            NEW,
            TradeUpdate(event="replaced", order=order("replaced", T2, replaced_by="o2")),
            ["successor_unknown"],
        ),
        (
            NEW,
            TradeUpdate(event="new", order=Order(id=OrderId("o2"), replaces=ID, status="new")),
            ["superseded_open"],
        ),
        (
            CANCELED,
            TradeUpdate(event="new", order=Order(id=OrderId("o2"), replaces=ID, status="new")),
            [],
        ),
    ],
)
def test_what_is_doubted(known: Order | None, update: TradeUpdate, kinds: list[str]) -> None:
    """A doubt when something is missing or contradicts, and only then; doubted is provisional."""
    applied = apply(having(known), update, 1.0)
    assert [d.kind for d in applied.anomalies] == kinds
    assert (applied.state.provisional >= ORDERS) == bool(kinds)


@pytest.mark.parametrize(
    ("kind", "state", "is_open"),
    [
        ("superseded_open", having(NEW), True),
        ("superseded_open", having(CANCELED), False),
        ("superseded_open", having(None), False),
        ("overdue", having(NEW), True),
        ("overdue", having(FILLED), False),
        ("successor_unknown", having(order("replaced", replaced_by="o2")), True),
        ("successor_unknown", having(order("replaced", replaced_by=ID)), False),
        ("fills_gap", having(PART), True),
        ("fills_gap", having(NEW), False),
        ("position_gap", having(NEW), True),
        ("reopened", having(NEW), True),
        ("contradicted", having(NEW), True),
        ("late_news", having(None), True),
    ],
)
def test_is_open_question(kind: str, state: AccountState, is_open: bool) -> None:
    """Some doubts are answered by what comes next."""
    doubt = Anomaly(kind, ID, "")  # type: ignore[arg-type]  # each is one of the kinds
    assert is_unresolved(state, doubt) == is_open


def test_a_fill_is_visible_at_once_and_money_is_provisional() -> None:
    """Order, execution, quantity and average price change with the frame."""
    applied = apply(having(NEW), fill(PART), 1.0)
    (execution,) = applied.executions
    assert (execution.qty, execution.price, execution.side) == ("4", "188.4", "buy")
    assert applied.state.positions[Symbol("NVDA")].avg_entry_price == "188.4"
    assert applied.state.provisional == MONEY


def test_a_position_is_replaced_and_never_added_to() -> None:
    """What the broker tells is the whole position."""
    held = Position(symbol=Symbol("NVDA"), qty="100", avg_entry_price="10")
    state = structs.replace(having(NEW), positions={held.symbol: held})
    applied = apply(state, fill(PART, position="9"), 1.0)
    assert applied.state.positions[held.symbol].qty == "9"


def test_a_flat_position_goes() -> None:
    """There is never one of quantity zero."""
    held = Position(symbol=Symbol("NVDA"), qty="-4", avg_entry_price="10")
    state = structs.replace(having(NEW), positions={held.symbol: held})
    applied = apply(state, fill(PART, position="0"), 1.0)
    assert not applied.state.positions
    assert not applied.anomalies


def test_a_coin_pays_its_own_fee() -> None:
    """A buy that credits a little less is no gap; a sale that debits less is."""
    coin = structs.replace(PART, symbol="ETH/USD", asset_class="crypto")
    assert not apply(having(None), fill(coin, position="3.99"), 1.0).anomalies
    assert apply(having(None), fill(coin, position="4.01"), 1.0).anomalies
    sale = structs.replace(coin, side="sell")
    assert not apply(having(None), fill(sale, position="-4"), 1.0).anomalies
    assert apply(having(None), fill(sale, position="-3.99"), 1.0).anomalies


def test_every_event_is_applied_by_its_order() -> None:
    """Known or not: unknown is not an error."""
    for event in [*KNOWN_EVENTS, "restated", ""]:
        applied = apply(having(None), TradeUpdate(event=event, order=NEW), 1.0)
        assert applied.state.orders[ID] is NEW
