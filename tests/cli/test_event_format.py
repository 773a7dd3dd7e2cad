"""The line of each event, and which events give none."""

import json
from datetime import UTC, datetime

import pytest

from realtime.cli.event_format import EventFormatter, Line, format_line
from realtime.cli.sse_parser import ServerSentEvent

NOW = datetime(2026, 11, 21, 4, 12, 57, 103_000, UTC).timestamp()
ORDER = {"id": "o1", "symbol": "AAPL", "side": "buy", "qty": "10", "status": "filled"}
HEAD = {"as_of": "2026-11-21T04:12:57Z", "version": 7, "provisional": [], "stale": False}
LINK = {
    "connected": False, "reconnect_attempts": 0, "last_error": None, "has_data": True,
    "last_error_message": None, "remedy": None, "since": "2026-11-21T04:00:00Z",
    "next_attempt_at": None, "positions": None, "open_orders": None, "stale": False,
    "stale_since": None, "stale_reason": None, "polled_at": None, "tier": None, "paper": True,
}  # fmt: skip


def event(name: str, **data: object) -> ServerSentEvent:
    return ServerSentEvent(name, json.dumps({"account_id": "alpha", **HEAD, **data}).encode())


def link(state: str, **more: object) -> ServerSentEvent:
    return event("link", link={**LINK, "state": state, **more})


def balance(cash: str, *provisional: str) -> ServerSentEvent:
    account = {"id": "a", "account_number": "PA0EXAMPLE01", "cash": cash}
    return event("account", account=account, provisional=list(provisional), confirmed_at=None)


def gap(**more: object) -> ServerSentEvent:
    times = {"from": "2026-11-21T04:12:50Z", "to": None}
    return event("gap", **{**times, "repaired": True, "recovered": 0, "executions": [], **more})


def after_snapshot(*snapshot: ServerSentEvent) -> EventFormatter:
    """A formatter whose snapshot had these events."""
    formatter = EventFormatter()
    for each in (*snapshot, event("ready")):
        assert list(formatter.format_event(each, NOW)) == []
    return formatter


def lines(formatter: EventFormatter, *events: ServerSentEvent) -> list[str]:
    formatted = [line for each in events for line in formatter.format_event(each, NOW)]
    return [f"{line.word}: {line.text}" for line in formatted]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {"event": "fill", "price": "187.41", "qty": "10"},
            "fill: AAPL buy 10 @ 187.41 → filled",
        ),
        ({"event": "partial_fill", "price": "2", "qty": "3"}, "fill: AAPL buy 3 @ 2 → filled"),
        (
            {
                "event": "partial_fill",
                "price": "2",
                "qty": "3",
                "order": {**ORDER, "status": "partially_filled", "filled_qty": "7"},
            },
            "fill: AAPL buy 3 @ 2 → 7 of 10 filled",
        ),
        ({"event": "canceled"}, "canceled: AAPL buy 10 → filled"),
        (
            {"event": "pending_new", "order": {**ORDER, "status": "pending_new"}},
            "pending new: AAPL buy 10",
        ),
        (
            {"event": "new", "order": {**ORDER, "status": "new", "trail_percent": "2.5"}},
            "new: AAPL buy 10 trail 2.5 %",
        ),
        (
            {"event": "new", "order": {**ORDER, "limit_price": "5", "stop_price": "4"}},
            "new: AAPL buy 10 limit 5 stop 4 → filled",
        ),
        (
            {"event": "fill", "price": "\x1b[2J", "qty": None, "order": {"id": "o", "status": "x"}},
            "fill: legs ? @  [2J → x",
        ),
    ],
)
def test_order_lines(data: dict[str, object], expected: str) -> None:
    assert lines(after_snapshot(), event("order", **{"order": ORDER, **data})) == [expected]


@pytest.mark.parametrize(
    ("name", "status", "is_detail", "is_problem"),
    [
        ("fill", "filled", False, False),
        ("partial_fill", "partially_filled", False, False),
        ("rejected", "rejected", False, True),
        ("order_cancel_rejected", "new", False, True),
        ("order_replace_rejected", "new", False, True),
        ("new", "new", True, False),
        ("canceled", "canceled", True, False),
        ("replaced", "replaced", True, False),
        ("hologram", "unheard_of", True, False),
    ],
)
def test_fills_and_refusals_are_shown_by_default(
    name: str, status: str, is_detail: bool, is_problem: bool
) -> None:
    order = event("order", event=name, order={**ORDER, "status": status})
    [line] = after_snapshot().format_event(order, NOW)
    assert (line.is_detail, line.is_problem) == (is_detail, is_problem)


@pytest.mark.parametrize(
    ("at", "lag_ms"),
    [
        ("2026-11-21T04:12:57.095Z", 8.0),
        ("2026-11-21T04:12:57.095", 8.0),
        ("2026-11-21T04:12:58Z", None),  # a clock that is ahead
        ("2026-11-20T04:12:57Z", None),  # an old event
        ("yesterday", None),
    ],
)
def test_lag_is_the_time_since_the_brokers_event(at: str, lag_ms: float | None) -> None:
    update = event("order", event="new", order=ORDER, timestamp=at)
    [line] = after_snapshot().format_event(update, NOW)
    assert line.lag_ms == (pytest.approx(lag_ms, abs=0.01) if lag_ms else None)


def test_a_snapshot_gives_no_lines() -> None:
    after_snapshot(link("refused"), event("orders", complete=True, orders=[], removed=[]))


def test_a_lost_link_and_its_recovery() -> None:
    retry = {"next_attempt_at": "2026-11-21T04:13:02.303Z", "reconnect_attempts": 1}
    lost = link("waiting", last_error_message="connection closed (1006)", **retry)
    assert lines(
        after_snapshot(link("synced")),
        gap(repaired=False),
        lost,
        link("connecting"),
        link("syncing"),
        gap(recovered=3),
        link("synced"),
        link("synced"),
    ) == [
        "lost: connection closed (1006), retry in 5.2 s (attempt 1)",
        "gap: 3 missed fills recovered",
        "synced: equal to the broker",
    ]


def test_repeated_attempts_are_details() -> None:
    """An outage is shown once for each reason, however many attempts there are."""
    formatter = after_snapshot(link("synced"))

    def is_detail(state: str, reason: str) -> list[bool]:
        event = link(state, last_error_message=reason)
        return [line.is_detail for line in formatter.format_event(event, NOW)]

    assert is_detail("waiting", "cut") == [False]
    assert is_detail("connecting", "cut") == []
    assert is_detail("waiting", "cut") == [True]
    assert is_detail("waiting", "429") == [False]
    assert is_detail("synced", "429") == [False]
    assert is_detail("waiting", "429") == [False]


def test_an_outage_of_the_snapshot_is_not_shown_again() -> None:
    formatter = after_snapshot(link("waiting", last_error_message="cut"))
    list(formatter.format_event(link("connecting"), NOW))
    [line] = formatter.format_event(link("waiting", last_error_message="cut"), NOW)
    assert line.is_detail


def test_an_order_whose_status_is_unknown() -> None:
    assert lines(
        after_snapshot(),
        event("unknown", client_order_id="o-1", order_id=None),
        event("unknown", client_order_id="o-1", order_id="0a"),
    ) == [
        "unknown: the broker did not respond to order o-1: status unknown, being read",
        "placed: the broker has order o-1",
    ]


def test_refused_and_deaf_links() -> None:
    refused = link("refused", last_error_message="key refused (401)", remedy="check secrets.toml")
    assert lines(after_snapshot(), refused, link("deaf")) == [
        "refused: key refused (401); check secrets.toml",
        "deaf: REST knows events that the stream did not deliver; reconnecting",
    ]


def test_money_is_shown_once_the_broker_has_confirmed_it() -> None:
    positions = event("positions", positions=[{"symbol": "A", "qty": "1"}] * 2)
    confirmed = balance("75706.18")
    waiting = balance("1", "account")
    assert lines(after_snapshot(), positions, confirmed, waiting, confirmed, confirmed) == [
        "balance: 2 positions, cash 75,706.18"
    ]


def test_corrections_removal_and_resync() -> None:
    orders = event("orders", complete=False, orders=[ORDER], removed=["x"])
    assert lines(after_snapshot(), orders, event("gone"), event("resync", reason="slow")) == [
        "read: 2 orders corrected by a read",
        "removed: no longer in the configuration",
        "resync: slow: events may be missing",
    ]


def test_unknown_event_types_are_ignored() -> None:
    assert lines(after_snapshot(), event("weather"), event("heartbeat")) == []


def test_columns_of_a_line() -> None:
    line = Line("alpha", "fill", "AAPL buy 10 @ 187.41 → filled", lag_ms=8.04)
    text = format_line(line, NOW, label_width=8)
    assert text[8:] == ".103 alpha    fill     AAPL buy 10 @ 187.41 → filled                8.0 ms"
    assert len(format_line(line, NOW, label_width=8, width=70)) == 70


def test_the_label_column_fits_the_longest_label_up_to_24() -> None:
    """The words after it stay below each other, however long one label is."""
    formatter = after_snapshot(link("synced"))
    assert formatter.label_width == 8
    long = "momentum_crossover_advanced_v2_2026"
    data = {"account_id": long, **HEAD, "link": {**LINK, "state": "synced"}}
    list(formatter.format_event(ServerSentEvent("link", json.dumps(data).encode()), NOW))
    assert formatter.label_width == 24
    starts = {
        format_line(Line(label, "fill", "x"), NOW, label_width=24).index(" fill ")
        for label in ("alpha", long)
    }
    assert len(starts) == 1
