"""The union of subscriptions: counted, lingering, never wrong."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from realtime.market.stream.union import LINGER_S, MAX_LINGERING, SubscriptionUnion

A, B, STAR = ("trades", "A"), ("trades", "B"), ("trades", "*")


def test_a_subscription_stays_for_a_while_after_its_last_client() -> None:
    union = SubscriptionUnion()
    union.add({A, B})
    union.add({A})
    union.remove({A, B}, now=10.0)
    assert (union.used, union.lingering) == ({A}, {B})
    assert union.expire(10.0 + LINGER_S - 1) == frozenset()
    assert union.expire(10.0 + LINGER_S) == {B}
    assert union.wanted == {A}


def test_a_client_that_returns_ends_the_linger() -> None:
    union = SubscriptionUnion()
    union.add({A})
    union.remove({A}, now=0.0)
    union.add({A})
    assert union.expire(1000.0) == frozenset()
    assert union.wanted == {A}


def test_what_the_broker_refused_does_not_linger() -> None:
    union = SubscriptionUnion()
    union.add({A})
    union.remove({A}, now=0.0, lingers=False)
    assert union.wanted == set()


def test_all_symbols_are_a_name_beside_others() -> None:
    """When `*` goes, the named symbols are still wanted."""
    union = SubscriptionUnion(linger_s=0.0)
    union.add({STAR})
    union.add({A})
    union.remove({STAR}, now=0.0)
    union.expire(0.0)
    assert union.wanted == {A}


def test_lingering_ends_at_once_where_room_is_needed() -> None:
    union = SubscriptionUnion()
    union.add({A, B})
    union.remove({B}, now=0.0)
    assert union.end_lingering() == {B}
    assert union.next_expiry() is None


def test_what_lingers_is_bounded() -> None:
    union = SubscriptionUnion()
    for number in range(3 * MAX_LINGERING):
        pair = ("trades", f"S{number}")
        union.add({pair})
        union.remove({pair}, now=0.0)
    assert len(union.lingering) == MAX_LINGERING
    assert ("trades", f"S{3 * MAX_LINGERING - 1}") in union.lingering


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("ABCD*"), st.floats(0, 20))))
def test_the_union_is_the_sum_of_the_clients(steps: list[tuple[int, str, float]]) -> None:
    union, now = SubscriptionUnion(), 0.0
    clients: list[set[tuple[str, str]]] = [set() for _ in range(5)]
    for number, name, passed in steps:
        now += passed
        pair, own = ("trades", name), clients[number]
        if pair in own:
            own.remove(pair)
            union.remove({pair}, now)
        else:
            own.add(pair)
            union.add({pair})
        union.expire(now)
        counts = Counter(pair for client in clients for pair in client)
        assert union.used == set(counts)
        assert not union.used & union.lingering
