from msgspec import UNSET, structs

from realtime.api.documents.status import (
    STATES,
    count_states,
    make_link_row,
    make_status_row,
    with_countdown,
    with_message_times,
)
from realtime.api.documents.timestamps import format_millis
from realtime.core.state import EMPTY
from tests.api.documents.made import BOOKS, LIVE, LOST, NOW, fleet, record


def test_row_of_a_synced_link() -> None:
    row = make_link_row(record(state=BOOKS))
    assert structs.asdict(row) == {
        "connected": True,
        "reconnect_attempts": 0,
        "last_error": None,
        "has_data": True,
        "last_error_message": None,
        "remedy": None,
        "state": "synced",
        "since": "2026-10-03T03:59:00.250Z",
        "next_attempt_at": None,
        "positions": 3,
        "open_orders": 2,
        "stale": False,
        "stale_since": None,
        "stale_reason": None,
        "polled_at": None,
        "tier": "premium",
        "paper": True,
        "owner": UNSET,
    }


def test_row_of_a_lost_link_keeps_its_data_and_states_since_when_and_why() -> None:
    row = make_link_row(record(state=BOOKS, link=LOST))
    assert (row.connected, row.has_data, row.positions) == (False, True, 3)
    assert row.last_error == "2026-10-03T03:59:58Z"
    assert row.stale_since == "2026-10-03T03:59:58.750Z"
    assert row.stale_reason == row.last_error_message == "connection closed (1006)"


def test_numbers_of_an_account_that_was_never_read_are_null() -> None:
    row = make_link_row(record(state=EMPTY, link=LOST))
    assert (row.has_data, row.positions, row.open_orders) == (False, None, None)


def test_the_countdown_follows_the_clock_and_ends_at_zero() -> None:
    lost = record(link=LOST)
    row = make_status_row(lost)
    counts = [with_countdown(row, lost, NOW + s).next_attempt_in_s for s in (0, 1, 41.26, 99)]
    assert counts == [41.3, 40.3, 0.0, 0.0]
    live = record(link=LIVE)
    assert with_countdown(make_status_row(live), live, NOW).next_attempt_in_s is None


def test_every_link_state_is_counted() -> None:
    counts = count_states(fleet())
    assert list(counts) == list(STATES)
    assert {state: n for state, n in counts.items() if n} == {
        "synced": 2,
        "waiting": 1,
        "refused": 1,
        "disabled": 1,
    }


def test_last_message_time_changes_without_a_new_version() -> None:
    heard = record()
    row = make_status_row(heard)
    assert row.last_message_at is None
    assert with_message_times(row, heard).last_message_at == "2026-10-03T03:59:58.250Z"
    unheard = structs.replace(heard, last_message_at=None)
    assert with_message_times(row, unheard).last_message_at is None


def test_since_is_when_the_account_was_last_in_sync() -> None:
    """Attempts to reconnect, and changes of the link's state, do not change it."""
    lost = structs.replace(LOST, stale_since=NOW - 90, since=NOW - 1)
    for state in ("waiting", "connecting", "authorizing", "refused"):
        current = record(link=structs.replace(lost, state=state))
        row = with_countdown(make_status_row(current), current, NOW)
        assert (row.since, row.out_of_sync_s) == (format_millis(NOW - 90), 90)
    synced = record(link=LIVE)
    row = with_countdown(make_status_row(synced), synced, NOW)
    assert (row.since, row.out_of_sync_s) == (format_millis(LIVE.since), None)
