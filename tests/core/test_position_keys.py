"""Two assets under one symbol: a ticker that was reassigned."""

from itertools import permutations

import pytest
from msgspec import structs

from realtime.core.apply import apply
from realtime.core.model import Position, Symbol
from realtime.core.outcomes import Snapshot
from realtime.core.position_keys import has_shared_symbols, positions_by_key
from realtime.core.reconcile import reconcile, snapshot_of
from realtime.core.state import EMPTY, LAG_S, MONEY
from tests.core.books import ACCOUNT, Books
from tests.core.histories import NOW, START

OLD = Position(symbol=Symbol("META"), asset_id="a1", qty="10", side="long")
NEW = Position(symbol=Symbol("META"), asset_id="a2", qty="3", side="long")
OTHER = Position(symbol=Symbol("AAA"), asset_id="a3", qty="1", side="long")


def read(*positions: Position, at: float = NOW) -> Snapshot:
    return Snapshot(requested_at=at, account=ACCOUNT, positions=positions)


@pytest.mark.parametrize("positions", list(permutations([OLD, NEW, OTHER])))
def test_both_are_shown_and_marked(positions: tuple[Position, ...]) -> None:
    """Whatever the order of the list; an event would not say which of them it is about."""
    state = reconcile(START, read(*positions)).state
    assert sorted(state.positions.values(), key=str) == sorted([OLD, NEW, OTHER], key=str)
    assert state.provisional >= MONEY
    again = reconcile(state, read(*reversed(positions), at=NOW + 60))
    assert again.state.positions == state.positions, "the keys are stable"
    assert not again.discrepancies
    assert again.state.provisional >= MONEY


def test_the_mark_ends_when_one_of_them_is_gone() -> None:
    state = reconcile(START, read(OLD, NEW)).state
    for left in (OLD, NEW):
        alone = reconcile(state, read(left, at=NOW + 60)).state
        assert dict(alone.positions) == {left.symbol: left}
        assert not alone.provisional


def test_a_symbol_of_one_asset_is_its_key() -> None:
    """Also when another asset has it from one read to the next, or the broker names no asset."""
    state = reconcile(START, read(OLD)).state
    assert dict(reconcile(state, read(NEW, at=NOW + 60)).state.positions) == {NEW.symbol: NEW}
    bare = structs.replace(OLD, asset_id=None)
    assert positions_by_key([bare], {}) == {bare.symbol: bare}
    assert not has_shared_symbols({bare.symbol: bare})


def test_reading_what_is_known_changes_nothing() -> None:
    state = reconcile(START, read(OLD, NEW)).state
    again = reconcile(state, snapshot_of(state, requested_at=NOW + 60))
    assert again.state.positions == state.positions
    assert not again.discrepancies


def test_a_fill_moves_one_of_them_and_the_other_stays() -> None:
    books = Books()
    books.fill(books.place("META", qty=2))
    state = reconcile(START, read(structs.replace(OLD, qty="5", asset_id=None), NEW)).state
    for frame in books.frames:
        state = apply(state, frame, NOW + LAG_S).state
    assert len(state.positions) == 2
    assert state.provisional >= MONEY


def test_a_flat_position_takes_no_key() -> None:
    flat = structs.replace(OLD, qty="0")
    state = reconcile(EMPTY, read(flat, NEW)).state
    assert dict(state.positions) == {NEW.symbol: NEW}
