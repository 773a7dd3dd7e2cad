"""A front that applies what it gets has the owner's record, in the owner's order."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from realtime.cluster.frames import AccountChange, AccountSnapshot, FrameReader, encode_frame
from realtime.cluster.record_changes import (
    apply_parts,
    apply_to_map,
    compare_maps,
    find_recovered,
    make_change,
    make_snapshot,
)
from realtime.core.model import OrderId, TradeUpdate
from realtime.core.persistent_map import put
from realtime.errors import ProtocolViolation
from realtime.store.records import Change, Record
from tests.api.documents.made import record
from tests.cluster.made import ALPHA, execution, histories


def send(value: AccountSnapshot | AccountChange) -> Any:  # Any: the same type comes back
    (frame,) = FrameReader().read(encode_frame(value))
    return frame.decode()


def listed(value: Record) -> object:
    """Everything a client may see, with the order of all mappings; versions are the front's own."""
    state = value.state
    return (
        structs.replace(value, version=0, state=record().state),
        [(type(o).__name__, msgspec.json.encode(o)) for o in state.orders.values()],
        [(key, msgspec.json.encode(p)) for key, p in state.positions.items()],
        list(state.parents.items()),
        [(key, list(of_order.items())) for key, of_order in state.executions.items()],
        msgspec.json.encode(state.account),
        state.provisional,
    )


@settings(max_examples=150, deadline=None)
@given(histories())
def test_a_front_has_the_record_of_its_owner_after_every_change(
    versions: list[tuple[Record, tuple[TradeUpdate, ...]]],
) -> None:
    first = send(make_snapshot(versions[0][0], epoch=3, n=0))
    front = apply_parts(Record(profile=versions[0][0].profile), first.parts)
    assert listed(front) == listed(versions[0][0])
    for n, ((before, _), (after, updates)) in enumerate(itertools.pairwise(versions)):
        change = Change(label=ALPHA, before=before, after=after, updates=updates)
        received = send(make_change(change, epoch=3, n=n))
        assert received.is_new_version == (before.version != after.version)
        assert received.updates == list(updates)
        was, front = front, apply_parts(front, received.parts)
        assert listed(front) == listed(after)
        # The parts that are other objects at the owner, and no others, are so at the front.
        for name in ("orders", "positions", "account", "parents", "executions"):
            is_same = getattr(after.state, name) is getattr(before.state, name)
            assert (getattr(front.state, name) is getattr(was.state, name)) == is_same, name
        assert (front.link is was.link) == (after.link is before.link)


@given(
    before=st.dictionaries(st.integers(0, 20), st.integers()),
    after=st.dictionaries(st.integers(0, 20), st.integers()),
    puts=st.lists(st.tuples(st.integers(0, 30), st.integers()), max_size=80),
)
def test_any_mapping_becomes_any_other(
    before: dict[int, int], after: dict[int, int], puts: list[tuple[int, int]]
) -> None:
    mapping: Any = before
    for key, value in puts:
        mapping = put(mapping, key, value)
    for one, other in ((before, after), (before, mapping), (mapping, after), (mapping, before)):
        difference = compare_maps(one, other)
        result = apply_to_map(
            one, difference.changed, difference.removed, replaces=difference.replaces
        )
        assert list(result.items()) == list(other.items())


def test_two_maps_that_share_their_large_part_may_have_lost_an_entry() -> None:
    base = {1: 1, 2: 2}
    one, other = put(base, 3, 3), put(base, 4, 4)
    difference = compare_maps(one, other)
    assert (difference.changed, difference.removed) == ({4: 4}, [3])


def test_a_change_sends_only_what_changed() -> None:
    order_id = OrderId("1")
    many = {f"e{n}": execution(n, order_id) for n in range(50)}
    state = structs.replace(record().state, executions={order_id: many})
    before = record(state=state)
    one = execution(60, order_id)
    after = structs.replace(
        before,
        state=structs.replace(state, executions={order_id: {**many, one.execution_id: one}}),
        version=before.version + 1,
    )
    parts = make_change(Change(label=ALPHA, before=before, after=after), epoch=0, n=1).parts
    assert parts is not None
    assert parts.executions == {order_id: {one.execution_id: one}}
    assert parts.orders is msgspec.UNSET
    assert parts.link is msgspec.UNSET


def test_an_account_that_is_gone_has_no_parts() -> None:
    received = send(make_change(Change(label=ALPHA, before=record(), after=None), epoch=1, n=2))
    assert (received.label, received.parts) == (ALPHA, None)


def test_a_change_that_removes_what_is_not_there_is_refused() -> None:
    with pytest.raises(ProtocolViolation):
        apply_to_map({1: 1}, {}, [2], replaces=False)


def test_recovered_executions_are_those_that_no_event_brought() -> None:
    one, other = OrderId("1"), OrderId("2")
    before = {one: {"e1": execution(1, one)}}
    after = {
        other: {"e9": execution(9, other)},
        one: {"e1": execution(1, one), "e3": execution(3, one)},
    }
    found = find_recovered(before, after)  # type: ignore[arg-type]  # ids are strings
    assert [e.execution_id for e in found] == ["e3", "e9"]
