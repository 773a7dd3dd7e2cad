"""Whatever happens to the frames on their way, the state ends as the broker's books stand.

Converges from the stream alone: orders, who is whose leg, executions, signed quantities. Average
entry prices, gains and `qty_available` of a position depend on the order of arrival and stay
provisional until REST has spoken; no property here speaks of them before a reading.
"""

import random

from hypothesis import given
from hypothesis import strategies as st

from realtime.core.apply import apply
from realtime.core.reconcile import reconcile, snapshot_of
from realtime.core.state import EMPTY, MONEY
from tests.core.books import Books
from tests.core.histories import (
    NOW,
    START,
    anomalies_of,
    essence,
    follow,
    follow_closely,
    histories,
    snapshot,
    truth,
)

chances = st.randoms(use_true_random=False)
CONTRADICTIONS = ("reopened", "contradicted")
LATER = NOW + 3600


@given(histories())
def test_frames_in_order_give_the_books(books: Books) -> None:
    """Nothing lost, nothing out of order: the state is the books, and nothing is doubted."""
    state, steps = follow_closely(books.frames)
    assert essence(state) == truth(books)
    assert state.parents == (books.parents if books.style.parent_legs else {})
    assert {d.kind for d in anomalies_of(steps)} <= {"successor_unknown", "superseded_open"}


@given(histories(busts=False), chances)
def test_any_order_and_any_duplication_converges(books: Books, rng: random.Random) -> None:
    """Frames shuffled and repeated end where the books stand."""
    frames = books.frames + rng.choices(books.frames, k=5)
    rng.shuffle(frames)
    assert essence(follow(frames)) == truth(books)


@given(histories(), chances)
def test_busts_in_any_order_converge_or_are_doubted(books: Books, rng: random.Random) -> None:
    """A version that overtakes its bust cannot be told from an old one: it is asked about."""
    frames = books.frames + rng.choices(books.frames, k=5)
    rng.shuffle(frames)
    state, steps = follow_closely(frames)
    mine, theirs = essence(state), truth(books)
    doubted = {d.order_id for d in anomalies_of(steps) if d.kind in CONTRADICTIONS}
    differing = {i for i in books.orders if state.orders.get(i) != books.orders[i]}
    assert differing <= doubted
    assert mine["executions"] == theirs["executions"]
    assert mine["positions"] == theirs["positions"]


@given(histories())
def test_twice_is_once(books: Books) -> None:
    """Hearing everything again is not news: the same object."""
    state = follow(books.frames)
    for frame in books.frames:
        again = apply(state, frame, NOW + 60)
        assert again.state is state
        assert not again.executions


@given(histories(), chances)
def test_what_was_lost_is_recovered_by_a_reading(books: Books, rng: random.Random) -> None:
    """Any frames missing, then the broker's true lists: the truth, each execution once.

    A bust that was lost cannot be recovered from lists of fills, so busts arrive.
    """
    heard = [f for f in books.frames if f.previous_execution_id or rng.random() < 0.6]
    rng.shuffle(heard)
    state = reconcile(follow(heard), snapshot(books.lists(), LATER, is_dated=True)).state
    assert essence(state) == truth(books)
    assert state.parents == books.parents
    assert not state.provisional or state.provisional == {"account", "positions"}


@given(histories(), chances)
def test_a_second_reading_confirms(books: Books, rng: random.Random) -> None:
    """The reading after the one that repaired finds nothing and leaves nothing provisional."""
    heard = [f for f in books.frames if rng.random() < 0.6]
    state = reconcile(follow(heard), snapshot(books.lists(), LATER, is_dated=True)).state
    again = reconcile(state, snapshot(books.lists(), LATER + 60, is_dated=True))
    assert not again.discrepancies
    assert not again.recovered
    assert not again.state.provisional


@given(histories())
def test_reading_what_is_known_changes_nothing(books: Books) -> None:
    """`reconcile(s, snapshot_of(s))` has no difference and gives the same object."""
    state = follow(books.frames)
    confirmed = reconcile(state, snapshot_of(state, requested_at=LATER)).state
    again = reconcile(confirmed, snapshot_of(confirmed, requested_at=LATER))
    assert essence(confirmed) == essence(state)
    assert not again.discrepancies
    assert again.state is confirmed


@given(histories(), chances)
def test_replay_after_a_reading_changes_nothing(books: Books, rng: random.Random) -> None:
    """What was buffered while the snapshot was read is known already.

    Only a bust is told by no list: it may set a position back until REST is read once more.
    """
    state = reconcile(EMPTY, snapshot(books.lists(), NOW)).state
    frames = list(books.frames)
    rng.shuffle(frames)
    replayed, steps = follow_closely(frames, state)
    doubted = {d.order_id for d in anomalies_of(steps) if d.kind in CONTRADICTIONS}
    assert {i for i in books.orders if replayed.orders.get(i) != books.orders[i]} <= doubted
    assert essence(replayed)["executions"] == truth(books)["executions"]
    if replayed.provisional.isdisjoint(MONEY):
        assert essence(replayed)["positions"] == truth(books)["positions"]
    assert replayed.provisional.isdisjoint(MONEY) or any(f.previous_execution_id for f in frames)


@given(histories(), st.integers(0, 1_000_000), chances)
def test_a_stale_list_never_sets_an_order_back(
    books: Books, moment: int, rng: random.Random
) -> None:
    """A list from any earlier moment, read late, changes no order; nor an execution."""
    state = follow(books.frames)
    stale = books.history[moment % len(books.history)]
    late = reconcile(state, snapshot(stale, NOW)).state
    assert essence(late)["orders"] == truth(books)["orders"]
    assert essence(late)["executions"] == truth(books)["executions"]


@given(histories(), st.integers(0, 1_000_000), st.integers(0, 1_000_000))
def test_a_snapshot_between_two_frames_converges(books: Books, read: int, landed: int) -> None:
    """Positions read early and landing late do not undo fills heard in between."""
    moment = read % len(books.history)
    landing = moment + landed % (len(books.history) - moment)
    state = follow(books.frames[:moment], now=NOW)
    state = follow(books.frames[moment:landing], state, now=NOW + 1)
    state = reconcile(state, snapshot(books.history[moment], NOW + 0.5)).state
    state = follow(books.frames[landing:], state, now=NOW + 2)
    assert essence(state) == truth(books)


@given(histories(busts=False), chances)
def test_closed_stays_closed(books: Books, rng: random.Random) -> None:
    """Without a bust no order reopens, in whatever order the frames come."""
    frames = list(books.frames)
    rng.shuffle(frames)
    state = START
    for frame in frames:
        closed = {i for i, o in state.orders.items() if o.is_closed}
        state = apply(state, frame, NOW).state
        assert closed <= {i for i, o in state.orders.items() if o.is_closed}


@given(histories(), chances)
def test_a_state_never_changes_in_place(books: Books, rng: random.Random) -> None:
    """A reader may keep a state for as long as it likes."""
    frames = list(books.frames)
    rng.shuffle(frames)
    state, kept = START, []
    for frame in frames:
        state = apply(state, frame, NOW).state
        kept.append((state, repr(state)))
    state = reconcile(state, snapshot(books.lists(), LATER, is_dated=True)).state
    for old, words in kept:
        assert repr(old) == words
