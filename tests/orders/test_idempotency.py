"""One order for one key, of one caller; ids that survive a loss of memory."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.orders.errors import Declined
from realtime.orders.idempotency import (
    IdempotencyIndex,
    OrderRecord,
    derive_id,
    make_fingerprint,
    scope_key,
)
from realtime.orders.journal import JournalEntry
from realtime.orders.order_request import is_client_order_id
from tests.orders.trading import make_principal


def make_record(client_order_id: str, key: str | None = None) -> OrderRecord:
    return OrderRecord(account="a", client_order_id=client_order_id, fingerprint="f", key=key)


def make_index(**bounds: int) -> IdempotencyIndex:
    return IdempotencyIndex(random.Random(1), **bounds)


@given(
    st.lists(
        st.tuples(
            st.text(max_size=8), st.text(min_size=1, max_size=8), st.none() | st.integers(0, 99)
        ),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_keys_of_different_callers_and_places_never_collide(
    parts: list[tuple[str, str, int | None]],
) -> None:
    try:
        first, second = (
            scope_key(key, make_principal(name=user), index=index) for user, key, index in parts
        )
    except Declined:
        return  # a key that is none
    assert first != second


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb", "a\nb", "\x7f", "\ud800"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(Declined, match="Idempotency-Key"):
        scope_key(key, make_principal())


def test_an_id_derived_from_a_key_is_always_the_same() -> None:
    assert derive_id("u\tk", "a") == derive_id("u\tk", "a")
    assert len({derive_id("u\tk", "a"), derive_id("u\tk", "b"), derive_id("v\tk", "a")}) == 3
    assert is_client_order_id(derive_id("u\tk", "a"))


def test_the_same_key_or_id_with_another_request_is_refused() -> None:
    index = make_index()
    record = index.identify("a", "mine", "k", "f")
    index.add(record)
    assert index.identify("a", "mine", "k", "f") is record
    assert index.identify("a", "mine", None, "f") is record
    for client_order_id, key in (("mine", None), (None, "k")):
        with pytest.raises(Declined):
            index.identify("a", client_order_id, key, "another request")
    assert index.identify("b", "mine", None, "another request") is not record


def test_the_oldest_is_removed_first_and_said() -> None:
    index = make_index(max_records=2)
    for n in range(3):
        index.add(make_record(f"o-{n}", key=f"k-{n}"))
    assert len(index) == 2
    assert index.get_by_id("a", "o-0") is index.get_by_key("k-0") is None
    assert index.get_by_key("k-2") is not None
    assert not index.is_complete


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (["order.intended"], "unknown"),
        (["order.intended", "order.placed"], "placed"),
        (["order.intended", "order.unknown"], "unknown"),
        (["order.intended", "order.unknown", "order.found"], "placed"),
        (["order.intended", "order.refused"], None),
        (["order.refused"], None),
        (["order.placed"], None),
        (["order.intended", "order.placed", "order.refused"], "placed"),
        (["order.intended", "order.refused_again"], "unknown"),
        (["order.intended", "order.intended"], "unknown"),
    ],
)
def test_what_the_journal_says_of_an_order(events: list[str], state: str | None) -> None:
    index = make_index()
    for event in events:
        entry = JournalEntry(event=event, account="a", client_order_id="o", key="k")
        index.apply(entry, at=1.0)
    record = index.get_by_id("a", "o")
    assert (None if record is None else record.state) == state
    assert index.get_by_key("k") is record


def test_a_fingerprint_differs_with_the_request() -> None:
    assert make_fingerprint({"a": 1, "b": 2}) == make_fingerprint({"b": 2, "a": 1})
    assert make_fingerprint("a", None) != make_fingerprint("a", "None")
