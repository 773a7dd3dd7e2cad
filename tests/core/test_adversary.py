"""Histories that made other programs wrong: each ends right, or says that it may not be."""

from decimal import Decimal

import pytest
from msgspec import structs

from realtime.core.anomalies import is_unresolved
from realtime.core.apply import apply
from realtime.core.model import OrderId, Position, Symbol, TradeUpdate
from realtime.core.outcomes import Snapshot
from realtime.core.reconcile import reconcile
from realtime.core.state import CLOSED_ORDERS_KEPT, EVICTION_SLACK, MONEY, ORDERS, AccountState
from realtime.core.timestamps import microseconds, nanoseconds
from tests.core.books import ACCOUNT, Books
from tests.core.histories import (
    NOW,
    START,
    anomalies_of,
    essence,
    follow,
    follow_closely,
    snapshot,
    truth,
)
from tests.core.writing import MILLISECOND, SECOND, Style, rfc3339


def filled(books: Books, symbol: str = "AAA", side: str = "buy", qty: int = 10) -> OrderId:
    """An order that is taken in, acknowledged and filled."""
    order_id = books.place(symbol, side, qty)
    books.wait(MILLISECOND)
    books.tell("new", order_id, "new")
    books.wait(MILLISECOND)
    books.fill(order_id)
    books.wait(MILLISECOND)
    return order_id


def later(frame: TradeUpdate, milliseconds: int) -> str:
    """A time after the frame's version of its order."""
    return rfc3339(nanoseconds(frame.order.updated_at) + milliseconds * MILLISECOND)


def traded_for_long(books: Books) -> AccountState:
    """So much that the first orders were finished and dropped."""
    for _ in range(CLOSED_ORDERS_KEPT + EVICTION_SLACK + 1):
        filled(books)
    return follow(books.frames)


def test_new_and_fill_repeated_hours_later_are_not_news() -> None:
    """The same frames three times with the same ids."""
    books = Books()
    filled(books)
    state = follow(books.frames)
    for hours in (1, 2, 3):
        for frame in books.frames:
            applied = apply(state, frame, NOW + hours * 3600)
            assert applied.state is state
            assert not applied.executions
            assert not applied.anomalies


def test_an_open_order_is_never_evicted() -> None:
    """However much is traded after it."""
    books = Books()
    waiting = books.place("BBB")
    state = traded_for_long(books)
    assert waiting in state.orders
    assert len(state.orders) <= CLOSED_ORDERS_KEPT + EVICTION_SLACK + 1
    assert state.executions.keys() <= state.orders.keys()


def test_eviction_does_not_let_an_old_repetition_back_in() -> None:
    """Neither an end nor a beginning of a dropped order; a beginning is looked up, not believed."""
    books = Books()
    state = traded_for_long(books)
    assert books.frames[0].order.id not in state.orders
    for frame in books.frames[:3]:
        applied = apply(state, frame, NOW + 3600)
        assert essence(applied.state) == essence(state)
        assert not applied.executions
        assert [d.kind for d in applied.anomalies] == (
            [] if frame.order.is_closed else ["late_news"]
        )
    asked = Snapshot(requested_at=NOW + 3601, orders=(books.orders[books.frames[0].order.id],))
    answered = reconcile(state, asked)
    assert answered.state is state
    assert not answered.discrepancies


def test_legs_of_a_dropped_bracket_do_not_come_back_as_held() -> None:
    """An old frame of a parent carries legs that were finished since."""
    books = Books()
    entry = books.place_bracket("BBB")
    books.fill(entry)
    books.wait(MILLISECOND)
    books.fill(books.legs(entry)[0])
    books.wait(MILLISECOND)
    bracket = list(books.frames)
    state = follow(bracket, traded_for_long(books))
    assert entry not in state.orders
    assert not [o.id for o in state.orders.values() if not o.is_closed]


def test_legs_that_were_dropped_before_their_parent_do_not_come_back_as_held() -> None:
    """The parent had news since, so it is known; its old frame is not news, nor are its legs."""
    books = Books()
    entry = books.place_bracket("BBB")
    old = books.frames[0]
    books.fill(entry)
    books.wait(MILLISECOND)
    books.fill(books.legs(entry)[0])
    state = traded_for_long(books)
    state = structs.replace(state, orders={**state.orders, entry: books.orders[entry]})
    assert apply(state, old, NOW).state is state


def test_news_of_a_dropped_order_that_moved_a_position_is_doubted() -> None:
    """A fill that was held up for very long, of a symbol that nothing else told of."""
    books = Books()
    late = filled(books, "BBB")
    held_up = books.frames.pop(2)
    state = traded_for_long(books)
    state = structs.replace(state, orders={i: o for i, o in state.orders.items() if i != late})
    applied = apply(state, held_up, NOW)
    assert [d.kind for d in applied.anomalies] == ["position_gap"]


def test_a_fill_may_be_the_first_word_of_an_order() -> None:
    """Nothing is missing."""
    books = Books()
    filled(books)
    applied = apply(START, books.frames[-1], NOW)
    assert essence(applied.state) == truth(books)
    assert not applied.anomalies


@pytest.mark.parametrize("replaced_first", [False, True])
def test_a_fill_races_a_replacement(replaced_first: bool) -> None:
    """The old order is reported `replaced` with nothing executed although it filled.

    The execution is kept, whichever comes first, and the contradiction is asked about.
    """
    books = Books()
    old = books.place()
    books.wait(MILLISECOND)
    before = books.orders[old]
    books.fill(old)
    fill = books.frames[-1]
    lie = structs.replace(
        before, status="replaced", replaced_by=OrderId("o2"), updated_at=later(fill, 1)
    )
    replaced = TradeUpdate(event="replaced", order=lie, timestamp=lie.updated_at)
    frames = [*books.frames[:1], replaced, fill] if replaced_first else [*books.frames, replaced]
    state, steps = follow_closely(frames)
    assert state.orders[old].filled_qty == "10"
    assert [Decimal(e.qty) for e in state.executions[old].values()] == [10]
    assert Decimal(state.positions[Symbol("AAA")].qty) == 10
    assert "contradicted" in {d.kind for d in anomalies_of(steps)}

    read = Snapshot(requested_at=NOW + 60, orders=(lie,), covers_anomalies=True)
    state = reconcile(state, read).state
    assert state.orders[old] == lie
    assert follow(frames, state).orders[old] == lie


def test_two_fills_equal_in_price_size_and_second() -> None:
    """Two executions, and the position after the second; also without event ids."""
    books = Books(Style(published=False, coarse=True))
    order_id = books.place()
    books.fill(order_id, 3)
    books.fill(order_id, 3)
    for frames in (books.frames, books.frames[::-1]):
        state = follow(frames)
        assert essence(state) == truth(books)
        assert len(state.executions[order_id]) == 2


def test_two_orders_fill_within_a_microsecond() -> None:
    """Only the event ids tell which position was the later."""
    books = Books()
    first, second = books.place(), books.place(side="sell")
    books.fill(first)
    books.fill(second, 3)
    for frames in (books.frames, books.frames[::-1]):
        assert essence(follow(frames)) == truth(books)


def test_a_broker_two_minutes_ahead_changes_nothing() -> None:
    """The broker's time is compared with the broker's time, ours with ours."""
    books = Books()
    filled(books)
    ours = 1_791_295_331.0 - 120
    state = follow(books.frames, now=ours)
    state = reconcile(state, snapshot(books.lists(), ours + 2)).state
    assert not state.provisional
    lagging = reconcile(state, snapshot(books.history[0], ours + 2))
    assert lagging.unsettled == {"AAA"}
    assert essence(lagging.state) == truth(books)


def test_growth_without_an_execution_is_doubted() -> None:
    """A partial fill was lost, and the cancel tells of its quantity."""
    books = Books()
    order_id = books.place()
    books.fill(order_id, 4)
    lost = books.frames.pop()
    books.close("canceled", order_id)
    state, steps = follow_closely(books.frames)
    (doubt,) = anomalies_of(steps)
    assert doubt.kind == "fills_gap"
    assert is_unresolved(state, doubt)
    assert state.provisional == ORDERS | MONEY
    assert not is_unresolved(follow([lost], state), doubt)


def test_growth_of_a_leg_is_doubted() -> None:
    """A parent's frame shows a leg that filled unheard."""
    books = Books()
    entry = books.place_bracket()
    books.fill(entry)
    books.fill(books.legs(entry)[0], 4)
    books.frames.pop()
    books.wait(MILLISECOND)
    books.tell("restated", entry)
    _, steps = follow_closely(books.frames)
    assert [d.kind for d in anomalies_of(steps)] == ["fills_gap"]


def test_an_execution_of_a_spread_without_its_legs_is_doubted() -> None:
    """The parent fills, which leg executed is not told: nothing is made up."""
    books = Books()
    books.fill(books.place_mleg())
    told = structs.replace(books.frames[-1], legs=None)
    state, steps = follow_closely([books.frames[0], told])
    assert {d.kind for d in anomalies_of(steps)} == {"fills_gap"}
    assert not state.executions


def test_a_spread_executes_though_its_frame_has_no_leg_orders() -> None:
    """The legs' own ids and symbols are enough."""
    books = Books(Style(parent_legs=False))
    spread = books.place_mleg()
    books.fill(spread)
    frame = next(f for f in books.frames if f.legs)
    applied = apply(START, frame, NOW)
    assert len(applied.executions) == 2
    assert essence(applied.state)["positions"] == truth(books)["positions"]
    assert {d.order_id for d in applied.anomalies} == set(books.legs(spread))
    assert essence(follow(books.frames)) == truth(books)


def test_a_missing_position_step_is_doubted() -> None:
    """A fill of another order of the symbol was lost."""
    books = Books()
    filled(books)
    lost = len(books.frames) - 1
    filled(books)
    _, steps = follow_closely(f for i, f in enumerate(books.frames) if i != lost)
    assert [d.kind for d in anomalies_of(steps)] == ["position_gap"]


def test_a_round_trip_within_the_lag_is_not_confirmed_by_coincidence() -> None:
    """Bought and sold: a position list from before agrees, and its account is old."""
    books = Books()
    filled(books)
    filled(books, side="sell")
    state = follow(books.frames)
    early = reconcile(state, snapshot(books.history[0], NOW + 2)).state
    assert early.provisional >= MONEY
    assert not reconcile(early, snapshot(books.lists(), NOW + 11)).state.provisional


def test_an_execution_without_a_position_is_not_confirmed_early() -> None:
    """What cannot be compared is trusted only when it can no longer lag."""
    books = Books()
    filled(books)
    frames = [structs.replace(f, position_qty=None) for f in books.frames]
    state = follow(frames)
    for requested_at, confirmed in ((NOW - 1, False), (NOW + 2, False), (NOW + 11, True)):
        read = reconcile(state, snapshot(books.lists(), requested_at)).state
        assert (not read.provisional) == confirmed


def test_a_recovered_execution_is_not_confirmed_while_positions_may_lag() -> None:
    """The frame was lost, orders and fills tell of it, positions and account are from before."""
    books = Books()
    filled(books)
    lagging = structs.replace(books.lists(), positions=())
    state = reconcile(START, snapshot(lagging, NOW)).state
    state = reconcile(state, snapshot(lagging, NOW + 2)).state
    assert state.provisional >= MONEY
    state = reconcile(state, snapshot(books.lists(), NOW + 11)).state
    assert not state.provisional
    assert essence(state) == truth(books)


def test_a_doubt_outlives_a_reading_that_began_before_it() -> None:
    """The snapshot was under way when the gap showed."""
    books = Books()
    order_id = books.place()
    books.fill(order_id, 4)
    before = books.history[1]
    books.close("canceled", order_id)
    state = follow([books.frames[0], books.frames[-1]])
    landed = reconcile(state, snapshot(before, NOW - 1)).state
    assert landed.provisional == ORDERS | MONEY
    recovered = reconcile(landed, snapshot(books.lists(), NOW + 1)).state
    assert recovered.provisional == MONEY
    assert not reconcile(recovered, snapshot(books.lists(), NOW + 12)).state.provisional


def test_an_activity_that_comes_late_is_not_a_second_execution() -> None:
    """Also where the stream told no id for it."""
    books = Books()
    order_id = filled(books)
    for frames in (
        books.frames,
        [structs.replace(f, execution_id=None) for f in books.frames],
    ):
        state = follow(frames)
        again = reconcile(state, snapshot(books.lists(), NOW + 20))
        assert not again.recovered
        assert len(state.executions[order_id]) == 1


@pytest.mark.parametrize("event", ["trade_bust", "trade_correct"])
def test_an_undoing_without_an_id_counts_once(event: str) -> None:
    """Twice heard is once."""
    books = Books()
    order_id = filled(books)
    books.undo(order_id, Decimal(4) if event == "trade_correct" else None)
    frames = [*books.frames[:-1], structs.replace(books.frames[-1], execution_id=None)]
    state = follow(frames)
    (told,) = apply(follow(books.frames[:-1]), frames[-1], NOW).executions
    assert told.qty == ("4" if event == "trade_correct" else "0")
    total = sum(Decimal(e.qty) for e in state.executions[order_id].values())
    assert total == Decimal(books.orders[order_id].filled_qty or 0)
    assert apply(state, frames[-1], NOW).state is state


def test_an_old_repetition_after_a_restart_does_not_move_a_position() -> None:
    """The fill is older than what the first reading saw, and not among the fills it listed."""
    books = Books()
    filled(books)
    old = books.frames[-1]
    books.wait(60 * SECOND)
    filled(books, side="sell", qty=4)
    listed = structs.replace(books.lists(), fills=())
    empty = AccountState()
    state = reconcile(empty, snapshot(listed, NOW)).state
    assert state.account == ACCOUNT
    applied = apply(state, old, NOW + 1)
    assert essence(applied.state)["positions"] == truth(books)["positions"]


def test_an_execution_that_another_has_overtaken_does_not_move_a_position() -> None:
    """Both were missed and are not yet among the fills that REST lists, but the orders tell."""
    books = Books()
    filled(books)
    overtaken = books.frames[-1]
    books.wait(SECOND)
    filled(books, side="sell", qty=4)
    newest = books.frames[-1]
    listed = structs.replace(books.lists(), fills=())
    state = reconcile(AccountState(), snapshot(listed, NOW)).state
    applied = apply(state, overtaken, NOW + 1)
    assert applied.state.positions == state.positions
    assert {doubt.kind for doubt in applied.anomalies} == {"position_gap"}
    assert applied.state.provisional == MONEY | ORDERS
    after = apply(applied.state, newest, NOW + 2)
    assert essence(after.state) == truth(books)


@pytest.mark.parametrize(("seconds_later", "taken"), [(2, False), (-0.5, False), (-2, True)])
def test_a_position_from_before_a_reading_that_knew_more_is_not_taken(
    seconds_later: float, taken: bool
) -> None:
    """A split, for one: no frame tells it, and a late frame tells the position before it."""
    books = Books()
    filled(books)
    late = books.frames[-1]
    split = Position(symbol=Symbol("AAA"), qty="20", side="long")
    state = AccountState(account=ACCOUNT, positions={split.symbol: split})
    read_at = microseconds(late.timestamp) + round(seconds_later * 1_000_000)
    applied = apply(state, late, NOW + 12, read_at)
    assert applied.state.positions[split.symbol].qty == ("10" if taken else "20")
    assert "position_gap" in {doubt.kind for doubt in applied.anomalies}
    assert applied.state.provisional == MONEY | ORDERS


@pytest.mark.parametrize("corrected", [None, Decimal(4)])
def test_a_position_of_a_reversal_from_before_a_split_is_not_taken(
    corrected: Decimal | None,
) -> None:
    books = Books()
    books.undo(filled(books), corrected)
    *before, late = books.frames
    state = follow(before)
    split = structs.replace(state.positions[Symbol("AAA")], qty="20")
    read_at = microseconds(late.timestamp) + 2_000_000
    for ours, expected in ((split, "20"), (state.positions[Symbol("AAA")], corrected)):
        applied = apply(
            structs.replace(state, positions={ours.symbol: ours}), late, NOW + 12, read_at
        )
        position = applied.state.positions.get(ours.symbol)
        assert Decimal(position.qty if position else 0) == Decimal(expected or 0)
        gaps = [anomaly for anomaly in applied.anomalies if anomaly.kind == "position_gap"]
        assert len(gaps) == (ours is split)


def test_a_part_that_the_next_part_has_overtaken_does_not_move_a_position() -> None:
    """The order itself tells that it has executed more."""
    books = Books()
    order_id = books.place()
    for _ in range(2):
        books.fill(order_id, 3)
    overtaken = books.frames[-2]
    listed = structs.replace(books.lists(), fills=())
    state = reconcile(AccountState(), snapshot(listed, NOW)).state
    applied = apply(state, overtaken, NOW + 1)
    assert applied.state.positions == state.positions
    assert "position_gap" in {doubt.kind for doubt in applied.anomalies}


def test_a_vanished_order_leaves_nothing_behind() -> None:
    """Its executions go with it; but only when it was asked for twice, as lists may lag."""
    books = Books()
    order_id = books.place()
    books.fill(order_id, 4)
    state = follow(books.frames)
    read = Snapshot(
        requested_at=NOW + 20, not_found=(order_id,), covers_anomalies=True, is_full=True
    )
    once = reconcile(state, read)
    assert not once.discrepancies
    assert once.state.orders == state.orders
    assert "orders" in once.state.provisional
    found = reconcile(once.state, snapshot(books.lists(), NOW + 25))
    assert not found.state.progress.not_found_since
    assert "orders" not in found.state.provisional
    gone = reconcile(once.state, structs.replace(read, requested_at=NOW + 30))
    assert "orders" not in gone.state.provisional
    assert [d.kind for d in gone.discrepancies] == ["order_vanished"]
    assert not gone.state.orders
    assert not gone.state.executions


@pytest.mark.parametrize("orders", [1, 2])
def test_a_frame_without_an_execution_before_its_fills_does_not_hide_a_position(
    orders: int,
) -> None:
    """An event that is dated later than two fills and overtakes both, the fills then in reverse."""
    books = Books()
    ids = [books.place() for _ in range(orders)]
    books.fill(ids[0], 2)
    books.wait(SECOND)
    books.fill(ids[-1], 2)
    first, second = books.frames[-2:]
    books.wait(SECOND)
    for order_id in ids:
        books.tell("restated", order_id)
    state = follow([*books.frames[-orders:], second, first])
    assert essence(state) == truth(books)
