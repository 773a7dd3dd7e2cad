"""What a reading changes, and every difference it names."""

import pytest
from msgspec import structs

from realtime.core.model import Account, FillActivity, Order, OrderId, Position, Symbol
from realtime.core.outcomes import Discrepancy, Snapshot
from realtime.core.provisional import mark_provisional, mark_resumed
from realtime.core.reconcile import reconcile
from realtime.core.state import EMPTY, LAG_S, MONEY, ORDERS, AccountState, ReadProgress
from realtime.core.timestamps import microseconds
from tests.core.books import ACCOUNT, Books
from tests.core.histories import NOW, START, essence, follow, snapshot, truth
from tests.core.writing import MILLISECOND

T0, T1, T2 = (f"2026-10-06T14:02:1{n}.519102Z" for n in range(3))
ID = OrderId("o1")


def order(status: str, at: str = T1, filled: str = "0") -> Order:
    return Order(id=ID, updated_at=at, qty="10", filled_qty=filled, status=status, submitted_at=T0)


def having(*orders: Order) -> AccountState:
    return AccountState(account=ACCOUNT, orders={o.id: o for o in orders})


def position(qty: str, symbol: str = "NVDA", **more: str) -> Position:
    return Position(symbol=Symbol(symbol), qty=qty, avg_entry_price="10", **more)  # type: ignore[arg-type]  # a position's own fields


NEW, PART, FILLED = order("new"), order("partially_filled", T1, "4"), order("filled", T1, "10")


@pytest.mark.parametrize(
    ("ours", "theirs", "taken", "kind"),
    [
        (None, NEW, True, "order_missing"),
        (None, FILLED, True, "order_missing"),
        (NEW, order("filled", T2, "10"), True, "order_differs"),
        (NEW, order("canceled", T2), True, "order_differs"),
        (FILLED, NEW, False, None),
        (FILLED, order("new", T0), False, None),
        (FILLED, order("partially_filled", T2, "4"), True, "order_differs"),
        (order("replaced", T1), order("new", T2), True, "order_differs"),
        (NEW, order("new", T2), True, None),
        (NEW, structs.replace(NEW, hwm="12"), True, None),
        (NEW, NEW, False, None),
    ],
)
def test_which_version_is_kept(
    ours: Order | None, theirs: Order, taken: bool, kind: str | None
) -> None:
    """The broker's, unless it is older; a difference if it matters."""
    state = having(*([ours] if ours else []))
    reconciled = reconcile(state, Snapshot(requested_at=NOW, orders=(theirs,)))
    assert reconciled.state.orders[ID] is (theirs if taken else ours)
    assert [d.kind for d in reconciled.discrepancies] == ([kind] if kind else [])
    assert taken or reconciled.state is state


def test_differences_say_both_sides() -> None:
    """For the one who reads the log."""
    state = structs.replace(
        having(NEW),
        positions={Symbol("AAA"): position("1", "AAA"), Symbol("BBB"): position("2", "BBB")},
    )
    read = Snapshot(
        requested_at=NOW,
        orders=(order("filled", T2, "10"),),
        positions=(position("3", "BBB"), position("-4", "CCC"), position("0", "DDD")),
        fills=(FillActivity(id="2026::e1", order_id=ID, symbol="NVDA", side="buy", qty="10"),),
    )
    assert reconcile(state, read).discrepancies == (
        Discrepancy("order_differs", "o1", "new 0/10", "filled 10/10"),
        Discrepancy("execution_missing", "e1", None, "buy 10 NVDA"),
        Discrepancy("position_extra", "AAA", "1", None),
        Discrepancy("position_qty", "BBB", "2", "3"),
        Discrepancy("position_missing", "CCC", None, "-4"),
    )


def test_a_first_reading_has_no_differences() -> None:
    """Nothing was known that could differ."""
    books = Books()
    books.fill(books.place())
    reconciled = reconcile(EMPTY, snapshot(books.lists(), NOW))
    assert not reconciled.discrepancies
    assert not reconciled.recovered
    assert not reconciled.state.provisional
    assert essence(reconciled.state) == truth(books)


@pytest.mark.parametrize(("seconds_later", "lags"), [(LAG_S - 1, True), (LAG_S + 1, False)])
def test_a_first_reading_right_after_a_fill_may_lag_it(seconds_later: float, lags: bool) -> None:
    """By the broker's own clock: ours may be minutes off."""
    at = microseconds(T1)
    reading = Snapshot(
        requested_at=NOW,
        broker_time=at + round(seconds_later * 1_000_000),
        account=ACCOUNT,
        positions=(),
        orders=(FILLED,),
        is_full=True,
    )
    state = reconcile(EMPTY, reading).state
    assert (state.provisional >= MONEY) is lags
    # Another read lags, too: agreeing with the first proves nothing before the lag is over.
    for after_s, expected in ((1, lags), (LAG_S - 1, lags), (LAG_S, False)):
        again = Snapshot(requested_at=NOW + after_s, account=ACCOUNT, positions=())
        state = reconcile(state, again).state
        assert (state.provisional >= MONEY) is expected


def test_an_order_that_is_filled_according_to_a_read_is_not_in_positions_that_lag() -> None:
    working = structs.replace(FILLED, status="new", filled_qty="0", updated_at=T0)
    by_id = Snapshot(requested_at=NOW, broker_time=microseconds(T1), orders=(FILLED,))
    state = reconcile(having(working), by_id).state
    for after_s, expected in ((1, True), (LAG_S, False)):
        balances = Snapshot(requested_at=NOW + after_s, account=ACCOUNT, positions=())
        state = reconcile(state, balances).state
        assert (state.provisional >= MONEY) is expected


def test_an_unread_part_is_left_alone() -> None:
    """None is not empty."""
    state = structs.replace(having(NEW), positions={Symbol("NVDA"): position("1")})
    assert reconcile(state, Snapshot(requested_at=NOW)).state is state
    emptied = reconcile(state, Snapshot(requested_at=NOW, positions=())).state
    assert not emptied.positions
    assert emptied.orders == state.orders


def test_held_legs_are_taken_from_a_nested_list() -> None:
    """Flat, each with its parent."""
    books = Books()
    entry = books.place_bracket()
    state = reconcile(START, snapshot(books.lists(), NOW)).state
    assert state.parents == dict.fromkeys(books.legs(entry), entry)
    assert all(o.legs is None for o in state.orders.values())
    assert state.open_orders == 1


def test_positions_that_lag_are_not_taken_but_named() -> None:
    """For about ten seconds the stream knows better; then the broker does."""
    books = Books()
    books.fill(books.place())
    state = follow(books.frames)
    for after_s, unsettled in ((0.5, {"AAA"}), (LAG_S - 0.1, {"AAA"}), (LAG_S + 0.1, set())):
        reconciled = reconcile(state, snapshot(books.history[0], NOW + after_s))
        assert reconciled.unsettled == unsettled
        assert bool(reconciled.state.positions) == bool(unsettled)
        assert (reconciled.state.provisional >= MONEY) == bool(unsettled)


def test_a_recovered_execution_does_not_let_a_lagging_position_set_ours_back() -> None:
    """The second fill was lost, and REST shows the position from before the first."""
    books = Books()
    placed = books.place()
    books.fill(placed, 4)
    told = follow(books.frames)
    books.wait(MILLISECOND)
    books.fill(placed, 6)
    lagging = structs.replace(books.lists(), positions=books.history[0].positions)
    behind = reconcile(told, snapshot(lagging, NOW + 1))
    assert [e.qty for e in behind.recovered] == ["6"]
    assert [p.qty for p in behind.state.positions.values()] == ["4"]
    assert behind.unsettled
    assert behind.state.provisional >= MONEY
    current = reconcile(behind.state, snapshot(books.lists(), NOW + 2))
    assert [p.qty for p in current.state.positions.values()] == ["10"]
    assert not current.unsettled
    assert current.state.provisional >= MONEY, "agreement with our own sum proves nothing yet"
    late = reconcile(behind.state, snapshot(lagging, NOW + 1 + LAG_S + 0.1))
    assert not late.state.positions, "after the lag the broker is right"


def test_a_closed_position_that_lags_does_not_come_back() -> None:
    """The stream told zero."""
    books = Books()
    books.fill(books.place())
    books.wait(MILLISECOND)
    books.fill(books.place(side="sell"))
    state = reconcile(follow(books.frames), snapshot(books.history[2], NOW + 1))
    assert state.unsettled == {"AAA"}
    assert not state.state.positions


def test_orders_are_provisional_after_an_outage_until_lists_can_no_longer_lag() -> None:
    """And only a full reading can end it; where nothing was known before there was no outage."""
    books = Books()
    books.place()
    state = mark_resumed(follow(books.frames), NOW)
    for after_s, is_full, is_marked in (
        (0.0, True, True),
        (LAG_S - 0.1, True, True),
        (LAG_S, False, True),
        (LAG_S, True, False),
    ):
        read = snapshot(books.lists(), NOW + after_s, is_full=is_full)
        after = reconcile(state, structs.replace(read, covers_anomalies=True)).state
        assert (after.provisional >= ORDERS) == is_marked
        assert (after.progress.resumed_at == NOW) == is_marked
    assert mark_resumed(EMPTY, NOW) is EMPTY


def test_what_agrees_is_confirmed() -> None:
    """A reading that began after the fill and shows it ends what was provisional."""
    books = Books()
    books.fill(books.place())
    state = follow(books.frames)
    for requested_at, confirmed in ((NOW - 1, False), (NOW, False), (NOW + 1, True)):
        read = reconcile(state, snapshot(books.lists(), requested_at))
        assert (not read.state.provisional) == confirmed


def test_money_alone_confirms_no_orders() -> None:
    """A doubt about orders is answered by orders that were asked for."""
    state = mark_provisional(START, ORDERS | MONEY, NOW)
    money = Snapshot(requested_at=NOW + 1, account=ACCOUNT, positions=())
    assert reconcile(state, money).state.provisional == {"orders"}
    answer = Snapshot(requested_at=NOW + 1, orders=(), covers_anomalies=True)
    assert reconcile(state, answer).state.provisional == MONEY


def test_an_account_is_taken() -> None:
    """Also when nothing else changed; an equal one changes nothing."""
    richer = structs.replace(ACCOUNT, cash="2000")
    taken = reconcile(START, Snapshot(requested_at=NOW, account=richer)).state
    assert taken.account is richer
    assert (
        reconcile(
            taken, Snapshot(requested_at=NOW, account=Account(**structs.asdict(richer)))
        ).state
        is taken
    )


def test_a_fill_of_an_unknown_order_is_left_for_the_next_reading() -> None:
    """Executions are kept and dropped together with their order."""
    fill = FillActivity(id="2026::e1", order_id=OrderId("unknown"), qty="1")
    assert reconcile(START, Snapshot(requested_at=NOW, fills=(fill,))).state is START


def test_recovered_executions_are_told_once() -> None:
    """However often they are listed."""
    fill = FillActivity(id="2026::e1", order_id=ID, symbol="NVDA", side="sell_short", qty="4")
    read = Snapshot(requested_at=NOW, fills=(fill, fill))
    recovered = reconcile(having(PART), read)
    assert [(e.execution_id, e.side) for e in recovered.recovered] == [("e1", "sell")]
    assert not reconcile(recovered.state, read).recovered


@pytest.mark.parametrize(
    ("before", "is_full", "after"),
    [(None, True, T2), (None, False, None), (T1, True, T2), ("2027-01-01T00:00:00Z", True, None)],
)
def test_the_watermark_is_the_brokers_newest_time(
    before: str | None, is_full: bool, after: str | None
) -> None:
    """Of a full reading; it never falls, and our clock has no part in it."""
    state = structs.replace(having(), progress=ReadProgress(watermark=before))
    fill = FillActivity(id="2026::e1", order_id=ID, transaction_time=T2)
    read = Snapshot(requested_at=NOW, orders=(order("new"),), fills=(fill,), is_full=is_full)
    assert reconcile(state, read).state.progress.watermark == (after or before)


def test_an_execution_heard_under_another_orders_id_counts_once() -> None:
    """Activities may name a spread where the stream named its leg."""
    books = Books()
    spread = books.place_mleg()
    books.fill(spread)
    state = follow(books.frames)
    fills = tuple(structs.replace(f, order_id=spread) for f in books.fills)
    assert not reconcile(state, Snapshot(requested_at=NOW, fills=fills)).recovered
    assert spread not in state.executions
