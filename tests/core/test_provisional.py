"""What is provisional, and what clears it."""

from msgspec import structs

from realtime.core.apply import apply
from realtime.core.model import Order, OrderId, TradeUpdate
from realtime.core.outcomes import Snapshot
from realtime.core.provisional import confirm, confirm_orders, mark_provisional, mark_resumed
from realtime.core.reconcile import merge_response, reconcile
from realtime.core.state import EMPTY, LAG_S, MONEY, ORDERS
from tests.core.books import ACCOUNT
from tests.core.histories import NOW, START

T1, T2 = "2026-10-06T14:02:11.519102Z", "2026-10-06T14:02:12Z"


def order(name: str, status: str = "new", **fields: object) -> Order:
    made = Order(id=OrderId(name), status=status, updated_at=T1, submitted_at=T1, symbol="AAA")
    return structs.replace(made, **fields)


def read(*orders: Order, at: float = NOW + 1, is_full: bool = True) -> Snapshot:
    return Snapshot(requested_at=at, orders=orders, covers_anomalies=True, is_full=is_full)


REPLACED = order("o1", "replaced", replaced_by=OrderId("o2"))
SUCCESSOR = order("o2", replaces=REPLACED.id)


def test_an_anomaly_is_cleared_by_a_read_that_began_after_it() -> None:
    """Not by one that was under way, nor by one that did not read the order."""
    marked = mark_provisional(START, ORDERS, NOW)
    assert marked.provisional == ORDERS
    assert confirm(marked, read(at=NOW), is_behind=False).provisional == ORDERS
    other = structs.replace(read(), covers_anomalies=False)
    assert confirm(marked, other, is_behind=False).provisional == ORDERS
    assert not confirm(marked, read(), is_behind=False).provisional


def test_money_is_cleared_by_a_read_of_positions_and_account_that_agrees() -> None:
    marked = mark_provisional(START, MONEY, NOW)
    balances = Snapshot(requested_at=NOW + 1, account=ACCOUNT, positions=())
    assert confirm(marked, balances, is_behind=True).provisional == MONEY
    without_account = structs.replace(balances, account=None)
    assert confirm(marked, without_account, is_behind=False).provisional == MONEY
    assert not confirm(marked, balances, is_behind=False).provisional


def test_a_resumed_stream_is_confirmed_by_a_full_read_that_cannot_lag_any_more() -> None:
    resumed = mark_resumed(START, NOW)
    assert confirm(resumed, read(at=NOW + LAG_S - 1), is_behind=False).provisional == ORDERS
    assert confirm_orders(resumed) is resumed
    assert not confirm(resumed, read(at=NOW + LAG_S), is_behind=False).provisional
    assert mark_resumed(EMPTY, NOW) is EMPTY, "nothing was ever read"


def test_events_that_resolve_every_anomaly_confirm_orders() -> None:
    marked = mark_provisional(START, ORDERS | MONEY, NOW)
    assert confirm_orders(marked).provisional == MONEY
    assert confirm_orders(START) is START


def test_an_order_read_by_id_that_names_an_unknown_successor_leaves_orders_provisional() -> None:
    """The read raises the next question; it is not the answer."""
    by_id = read(REPLACED, is_full=False)
    state = reconcile(mark_provisional(START, ORDERS, NOW), by_id).state
    assert "orders" in state.provisional
    assert confirm_orders(state) is state
    found = reconcile(state, read(SUCCESSOR, at=NOW + 2, is_full=False)).state
    assert "orders" not in found.provisional


def test_a_list_that_names_an_unknown_successor_makes_orders_provisional() -> None:
    """Also the first one, and one of a few orders beside the balances."""
    assert "orders" in reconcile(START, read(REPLACED)).state.provisional
    first = structs.replace(read(REPLACED), account=ACCOUNT)
    assert "orders" in reconcile(EMPTY, first).state.provisional
    beside = Snapshot(requested_at=NOW, orders=(REPLACED,), positions=(), account=ACCOUNT)
    assert "orders" in reconcile(START, beside).state.provisional


def test_a_response_that_names_an_unknown_successor_makes_orders_provisional() -> None:
    assert merge_response(START, REPLACED).provisional == ORDERS
    assert not merge_response(START, SUCCESSOR).provisional


def test_a_chain_that_grows_while_it_is_read_stays_provisional() -> None:
    """The successor arrives, and is replaced itself by an order that is not known."""
    state = apply(START, TradeUpdate(event="replaced", order=REPLACED), NOW).state
    assert state.provisional == ORDERS
    next_one = structs.replace(SUCCESSOR, status="replaced", replaced_by=OrderId("o3"))
    state = apply(state, TradeUpdate(event="replaced", order=next_one), NOW + 1).state
    assert confirm_orders(state).provisional == ORDERS
    end = order("o3", replaces=SUCCESSOR.id)
    state = apply(state, TradeUpdate(event="new", order=end), NOW + 2).state
    assert not confirm_orders(state).provisional
