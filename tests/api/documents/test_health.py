import pytest
from msgspec import structs

from realtime.api.documents.health import count_fleet, get_condition, is_tried, make_health
from realtime.core.link import Link
from realtime.core.state import EMPTY
from realtime.store.records import Record
from tests.api.documents.made import DISABLED, LIVE, LOST, NOW, REFUSED, record

STARTING = Link(state="starting", since=NOW)
CONNECTING = Link(state="connecting", since=NOW)

live = record(link=LIVE)
lost = record(link=LOST)
unread = record(state=EMPTY, link=STARTING)


@pytest.mark.parametrize(
    ("link", "has_data", "expected"),
    [
        (STARTING, False, False),
        (CONNECTING, False, False),
        (structs.replace(CONNECTING, reconnect_attempts=1), False, True),
        (structs.replace(CONNECTING, last_error_at=NOW), False, True),
        (CONNECTING, True, True),
        (LOST, False, True),
        (REFUSED, False, True),
    ],
)
def test_account_is_tried_once_its_first_attempt_has_ended(
    link: Link, has_data: bool, expected: bool
) -> None:
    assert is_tried(record(state=None if has_data else EMPTY, link=link)) is expected


@pytest.mark.parametrize(
    ("records", "is_started", "expected"),
    [
        ([], True, "degraded"),
        ([live], True, "ok"),
        ([live, record(state=EMPTY, link=DISABLED)], True, "ok"),
        ([live, lost], True, "degraded"),
        ([record(state=EMPTY, link=REFUSED)], True, "degraded"),
        ([live, unread], False, "starting"),
        ([live, unread], True, "degraded"),
        ([record(link=structs.replace(LIVE, stale_reason="behind"))], True, "degraded"),
    ],
)
def test_condition(records: list[Record], is_started: bool, expected: str) -> None:
    assert get_condition(count_fleet(records), is_started=is_started) == expected


def test_health_document() -> None:
    counts = count_fleet([live, lost, unread, record(link=DISABLED)])
    document = make_health(counts, is_started=False, version="1.2", started_at=NOW - 3.14, now=NOW)
    assert structs.asdict(document) == {
        "status": "starting",
        "version": "1.2",
        "uptime_s": 3.1,
        "total_accounts": 4,
        "connected_accounts": 1,
        "stale_accounts": 2,
        "disabled_accounts": 1,
        "as_of": "2026-10-03T04:00:00.250Z",
        "history": None,
    }


def test_clock_set_back_gives_no_negative_uptime() -> None:
    document = make_health(
        count_fleet([]), is_started=True, version="1", started_at=NOW, now=NOW - 9
    )
    assert document.uptime_s == 0.0
