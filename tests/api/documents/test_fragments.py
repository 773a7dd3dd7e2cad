from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.api.documents.fragments import CachedFragments, FragmentCache, Fragments
from realtime.api.documents.orders import sort_key
from realtime.core.model import OrderId
from realtime.core.state import AccountState
from tests.api.documents.made import (
    ACCOUNT,
    ENTRY,
    TAKE_PROFIT,
    order,
    position,
    record,
    state_of,
    states,
)


def test_unchanged_values_are_not_encoded_again() -> None:
    parts, first, other = CachedFragments(), order(1), order(2)
    kept = parts.order(first), parts.order(other), parts.account(ACCOUNT)
    changed = structs.replace(first, status="filled")
    assert parts.order(changed) is not kept[0]
    assert msgspec.json.decode(parts.order(changed))["status"] == "filled"
    assert (parts.order(other), parts.account(ACCOUNT)) == kept[1:]
    assert parts.order(other) is kept[1]


@given(st.lists(states(), min_size=1, max_size=4))
def test_fragment_equals_a_new_encoding(history: list[AccountState]) -> None:
    """After any changes; the sort key, too."""
    parts = CachedFragments()
    for state in history:
        for each in state.orders.values():
            assert bytes(parts.order(each)) == msgspec.json.encode(each)
            assert parts.sort_key(each) == sort_key(each)


def test_order_with_nested_legs_has_its_own_encoding() -> None:
    parts = CachedFragments()
    rolled_up = structs.replace(ENTRY, legs=(TAKE_PROFIT,))
    alone = parts.order(ENTRY)
    assert len(msgspec.json.decode(parts.order(rolled_up))["legs"]) == 1
    assert parts.sort_key(rolled_up) == sort_key(ENTRY)
    assert parts.order(ENTRY) is alone


def test_position_is_not_mistaken_for_an_order_of_that_name() -> None:
    parts = CachedFragments()
    assert b"avg_entry_price" in bytes(parts.position(position("X")))
    assert b"client_order_id" in bytes(parts.order(order(1, id=OrderId("X"))))
    assert b"avg_entry_price" in bytes(parts.position(position("X")))


def test_fragments_of_removed_orders_are_removed() -> None:
    parts = CachedFragments()
    for number in range(100):
        parts.order(order(number))
    parts.remove_absent(state_of([order(1)]))
    assert parts.size_bytes == 0


def test_fragments_are_kept_from_the_second_request() -> None:
    fragment_cache, used = FragmentCache(), record("alpha", state_of([order(1), order(2)]))

    def render(parts: Fragments) -> bytes:
        return msgspec.json.encode([parts.order(each) for each in used.state.orders.values()])

    first = fragment_cache.render(used, render)
    assert fragment_cache.size_bytes == 0
    assert fragment_cache.render(used, render) == first
    assert fragment_cache.size_bytes > len(first)


def many(count: int) -> tuple[FragmentCache, Callable[[int], bool]]:
    """A cache with room for some of the accounts, and a function: request one, was it cached?"""
    used = [record(f"a{n}", state_of([order(1), order(2)])) for n in range(count)]

    def render(parts: Fragments) -> bool:
        for each in used[0].state.orders.values():
            parts.order(each)
        return isinstance(parts, CachedFragments) and parts.size_bytes > 0

    fragment_cache = FragmentCache()
    for _ in range(2):
        fragment_cache.render(used[0], render)
    fragment_cache.max_bytes = 10 * fragment_cache.size_bytes
    return fragment_cache, lambda number: fragment_cache.render(
        used[number], lambda parts: kept(parts, render)
    )


def kept(parts: Fragments, render: Callable[[Fragments], bool]) -> bool:
    was = isinstance(parts, CachedFragments) and parts.size_bytes > 0
    render(parts)
    return was


def test_accounts_beyond_the_bound_do_not_push_each_other_out() -> None:
    """Requested in turn: those in the cache stay, and are used each time."""
    fragment_cache, ask = many(30)
    rounds = [[ask(number) for number in range(30)] for _ in range(5)]
    assert len(fragment_cache) == 10
    assert [sum(hits) for hits in rounds[2:]] == [10, 10, 10]


def test_account_requested_now_replaces_one_requested_long_ago() -> None:
    fragment_cache, ask = many(30)
    for _ in range(3):
        for number in range(10):
            ask(number)
    rounds = [[ask(number) for number in range(20, 25)] for _ in range(3)]
    assert all(rounds[-1])
    assert len(fragment_cache) == 10


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=20))
def test_fragment_memory_is_bounded(asked: list[tuple[int, int]]) -> None:
    fragment_cache = FragmentCache(max_bytes=10_000)
    for label, count in asked:
        state = state_of([order(number) for number in range(count)])
        used = record(f"a{label}", state)
        fragment_cache.render(
            used,
            lambda parts, used=used: [  # type: ignore[misc]
                parts.order(each) for each in used.state.orders.values()
            ],
        )
        assert 0 <= fragment_cache.size_bytes <= 10_000
    assert len(fragment_cache) <= 6
