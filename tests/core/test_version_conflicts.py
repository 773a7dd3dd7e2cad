"""REST has an order further along than we do, in a version that is older."""

import pytest
from msgspec import structs

from realtime.core.apply import apply
from realtime.core.model import Order, OrderId, TradeUpdate
from realtime.core.outcomes import Reconciled, Snapshot
from realtime.core.reconcile import merge_response, reconcile
from realtime.core.state import LAG_S, AccountState, VersionConflict
from realtime.core.timestamps import microseconds
from realtime.core.version_conflicts import is_conflict
from tests.core.books import ACCOUNT
from tests.core.histories import NOW

EARLIER, LATER, LATEST = (f"2026-10-06T14:02:1{n}.519102Z" for n in range(3))
ID = OrderId("o1")
WAIT_S = 20.0


def order(status: str, at: str, filled: str = "0") -> Order:
    return Order(
        id=ID, updated_at=at, submitted_at=EARLIER, qty="10", filled_qty=filled, status=status
    )


ENDED, WORKING = order("replaced", EARLIER), order("new", LATER)
HAVING = AccountState(account=ACCOUNT, orders={ID: WORKING})


def read(state: AccountState, at: float, *orders: Order, is_full: bool = True) -> Reconciled:
    snapshot = Snapshot(requested_at=at, orders=orders, covers_anomalies=True, is_full=is_full)
    return reconcile(state, snapshot)


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (ENDED, WORKING, True),
        (order("partially_filled", EARLIER, "4"), WORKING, True),
        (order("filled", EARLIER, "10"), order("canceled", LATER), True),
        (order("replaced", LATER), WORKING, False),
        (order("replaced", LATEST), WORKING, False),
        (order("new", EARLIER), WORKING, False),
        (order("new", EARLIER), order("canceled", LATER), False),
        (order("partially_filled", EARLIER, "4"), order("canceled", LATER), False),
    ],
)
def test_what_is_disputed(theirs: Order, ours: Order, expected: bool) -> None:
    """Only what is further along: that an order works again is never concluded."""
    assert is_conflict(theirs, ours) is expected


def test_who_is_believed_and_when() -> None:
    """Ours, marked, for as long as lists can lag; then REST."""
    first = read(HAVING, NOW, ENDED)
    assert first.state.orders == {ID: WORKING}
    assert not first.discrepancies
    assert "orders" in first.state.provisional
    assert first.state.progress.needs_second_read
    soon = read(first.state, NOW + WAIT_S - 1, ENDED)
    assert soon.state.orders == {ID: WORKING}
    assert "orders" in soon.state.provisional
    then = read(soon.state, NOW + WAIT_S, ENDED)
    assert then.state.orders == {ID: ENDED}
    assert [(d.kind, d.ours, d.theirs) for d in then.discrepancies] == [
        ("order_differs", "new 0/10", "replaced 0/10")
    ]
    assert "orders" not in then.state.provisional
    assert not then.state.progress.needs_second_read


def test_rest_that_lagged_is_in_the_wrong() -> None:
    """An execution undone sets an order back; a list from before it disputes that for a while."""
    first = read(HAVING, NOW, order("filled", EARLIER, "10"))
    assert "orders" in first.state.provisional
    then = read(first.state, NOW + LAG_S, WORKING)
    assert then.state.orders == {ID: WORKING}
    assert not then.state.provisional


def test_another_version_of_ours_is_another_dispute() -> None:
    """What was heard since, the reading that began the dispute could not know."""
    first = read(HAVING, NOW, ENDED)
    heard = apply(
        first.state,
        TradeUpdate(event="pending_cancel", order=order("pending_cancel", LATEST)),
        NOW + 1,
    ).state
    assert heard.orders[ID].status == "pending_cancel"
    then = read(heard, NOW + WAIT_S, ENDED)
    assert then.state.orders == heard.orders
    assert then.state.progress.version_conflicts == {
        ID: VersionConflict(version=microseconds(LATEST), since=NOW + WAIT_S)
    }


def test_what_was_not_read_stays_disputed() -> None:
    """A full reading shows every order that works with us; another does not."""
    first = read(HAVING, NOW, ENDED)
    other = structs.replace(WORKING, id=OrderId("o2"))
    assert (
        read(first.state, NOW + 1, other, is_full=False).state.progress.version_conflicts
        == first.state.progress.version_conflicts
    )
    assert not read(first.state, NOW + 1, other).state.progress.version_conflicts


def test_the_answer_to_a_call_begins_no_dispute() -> None:
    """Nobody knows how old it is."""
    assert merge_response(HAVING, ENDED) == HAVING


DROPPED = AccountState(account=ACCOUNT, evicted_before=microseconds(LATEST))
"""Orders as late as `LATEST` were dropped; `WORKING` and `ENDED` are older."""


def test_a_list_from_before_an_end_does_not_show_a_dropped_order() -> None:
    """It ended and was dropped while the list was on its way; the next one shows how it ended."""
    first = read(DROPPED, NOW, WORKING)
    assert not first.state.orders
    assert not first.discrepancies
    assert "orders" in first.state.provisional
    assert first.state.progress.needs_second_read
    then = read(first.state, NOW + LAG_S, ENDED)
    assert not then.state.orders
    assert "orders" not in then.state.provisional
    assert not then.state.progress.needs_second_read


def test_an_old_order_that_still_works_is_shown_once_lists_cannot_lag() -> None:
    """Its frames were lost, and orders that are newer were dropped since."""
    first = read(DROPPED, NOW, WORKING)
    soon = read(first.state, NOW + WAIT_S - 1, WORKING)
    assert not soon.state.orders
    then = read(soon.state, NOW + WAIT_S, WORKING)
    assert then.state.orders == {ID: WORKING}
    assert "orders" not in then.state.provisional


def test_an_old_order_that_works_is_shown_at_once_where_it_was_read_by_id() -> None:
    """What is read by its id does not lag, nor does the answer to a call of ours."""
    assert read(DROPPED, NOW, WORKING, is_full=False).state.orders == {ID: WORKING}
    assert merge_response(DROPPED, WORKING).orders == {ID: WORKING}


def test_a_dropped_order_that_replaced_a_known_one_is_shown() -> None:
    """The known one names it."""
    known = structs.replace(ENDED, id=OrderId("o0"), replaced_by=ID)
    ended = structs.replace(ENDED, replaces=known.id)
    assert not read(DROPPED, NOW, ended).state.orders
    state = structs.replace(DROPPED, orders={known.id: known})
    assert read(state, NOW, ended).state.orders == {known.id: known, ID: ended}
