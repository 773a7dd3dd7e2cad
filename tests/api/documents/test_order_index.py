"""The index of an account's orders equals a new sort, and an event costs no sort."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.api.documents.order_index import OrderIndex
from realtime.api.documents.orders import recent_orders, sort_key
from realtime.core.model import Order, OrderId
from realtime.core.persistent_map import put
from realtime.core.state import AccountState
from tests.api.documents.made import order, state_of, states

STATUSES = ("new", "filled", "canceled", "partially_filled")
changes = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(STATUSES)), max_size=60)


@given(st.lists(st.tuples(states(), changes), min_size=1, max_size=3), st.integers(0, 30))
def test_index_equals_a_new_sort(
    history: list[tuple[AccountState, list[tuple[int, str]]]], max_closed: int
) -> None:
    """After events (one order each), and after reads that replace and remove orders."""
    index = OrderIndex()
    for state, events in history:
        assert index.get_recent(state.orders, max_closed, sort_key) == recent_orders(
            state, max_closed
        )
        for number, status in events:
            changed = order(number, status=status)
            state = structs.replace(state, orders=put(state.orders, changed.id, changed))
            assert index.get_recent(state.orders, max_closed, sort_key) == recent_orders(
                state, max_closed
            )


def test_event_reads_the_sort_key_of_its_order_alone() -> None:
    reads: list[OrderId] = []

    def key(some: Order) -> str:
        reads.append(some.id)
        return sort_key(some)

    index = OrderIndex()
    state = state_of([order(n, status="filled") for n in range(500)])
    orders: Mapping[OrderId, Order] = state.orders
    index.get_recent(orders, 20, key)
    assert len(reads) == 500
    for number in range(600, 700):  # more than the map keeps apart from its large dict
        reads.clear()
        new = order(number)
        orders = put(orders, new.id, new)
        index.get_recent(orders, 20, key)
        assert reads == [new.id]
