import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.core.model import OrderId
from realtime.core.state import AccountState
from realtime.views.orders import age
from realtime.views.parts import Parts, Shelf
from tests.views.made import ACCOUNT, ENTRY, TAKE_PROFIT, order, position, record, state_of, states


def test_what_did_not_change_is_not_encoded_again() -> None:
    parts, first, other = Parts(), order(1), order(2)
    kept = parts.order(first), parts.order(other), parts.account(ACCOUNT)
    changed = structs.replace(first, status="filled")
    assert parts.order(changed) is not kept[0]
    assert msgspec.json.decode(parts.order(changed))["status"] == "filled"
    assert (parts.order(other), parts.account(ACCOUNT)) == kept[1:]
    assert parts.order(other) is kept[1]


@given(st.lists(states(), min_size=1, max_size=4))
def test_a_part_is_what_encoding_it_gives(history: list[AccountState]) -> None:
    """After any changes; and an order is as old as it is."""
    parts = Parts()
    for state in history:
        for each in state.orders.values():
            assert bytes(parts.order(each)) == msgspec.json.encode(each)
            assert parts.age(each) == age(each)


def test_an_order_with_its_legs_is_another_thing_than_without() -> None:
    parts = Parts()
    rolled_up = structs.replace(ENTRY, legs=(TAKE_PROFIT,))
    alone = parts.order(ENTRY)
    assert len(msgspec.json.decode(parts.order(rolled_up))["legs"]) == 1
    assert parts.age(rolled_up) == age(ENTRY)
    assert parts.order(ENTRY) is alone


def test_a_position_is_not_mistaken_for_an_order_of_that_name() -> None:
    parts = Parts()
    assert b"avg_entry_price" in bytes(parts.position(position("X")))
    assert b"client_order_id" in bytes(parts.order(order(1, id=OrderId("X"))))
    assert b"avg_entry_price" in bytes(parts.position(position("X")))


def test_parts_of_orders_that_left_are_dropped() -> None:
    parts = Parts()
    for number in range(100):
        parts.order(order(number))
    parts.forget_strangers(state_of([order(1)]))
    assert parts.size_bytes == 0


def test_only_who_asks_again_has_parts_kept() -> None:
    shelf, used = Shelf(), record("alpha", state_of([order(1), order(2)]))

    def render(parts: Parts) -> list[bytes]:
        return [bytes(parts.order(each)) for each in used.state.orders.values()]

    first = shelf.use(used, render)
    assert shelf.size_bytes == 0
    assert shelf.use(used, render) == first
    assert shelf.size_bytes > sum(map(len, first))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=20))
def test_memory_is_bounded_whoever_asks(asked: list[tuple[int, int]]) -> None:
    shelf = Shelf(max_bytes=10_000)
    for label, count in asked:
        state = state_of([order(number) for number in range(count)])
        used = record(f"a{label}", state)
        shelf.use(
            used,
            lambda parts, used=used: [  # type: ignore[misc]
                parts.order(each) for each in used.state.orders.values()
            ],
        )
        assert 0 <= shelf.size_bytes <= 10_000
    assert len(shelf) <= 6
