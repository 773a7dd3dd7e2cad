"""Each event's sentence, and what is not told."""

import json
from datetime import UTC, datetime

import pytest

from realtime.cli.event_format import EventFormatter, Sentence, line
from realtime.cli.sse_parser import ServerSentEvent

NOW = datetime(2026, 11, 21, 4, 12, 57, 103_000, UTC).timestamp()
ORDER = {"symbol": "AAPL", "side": "buy", "qty": "10", "status": "filled"}
STAND = {"account_id": "alpha", "provisional": [], "stale": False}


def event(name: str, **data: object) -> ServerSentEvent:
    return ServerSentEvent(name, json.dumps({"account_id": "alpha", **data}).encode())


def link(state: str, **more: object) -> ServerSentEvent:
    return event("link", link={"state": state, **more})


def news(*before: ServerSentEvent) -> EventFormatter:
    """A teller whose snapshot held these."""
    formatter = EventFormatter()
    for each in (*before, event("ready")):
        assert list(formatter.tell(each, NOW)) == []
    return formatter


def shown(formatter: EventFormatter, *events: ServerSentEvent) -> list[str]:
    said = [sentence for each in events for sentence in formatter.tell(each, NOW)]
    return [f"{each.word}: {each.text}" for each in said]


@pytest.mark.parametrize(
    ("data", "sentence"),
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
            {"event": "fill", "price": "\x1b[2J", "qty": None, "order": {"status": "x"}},
            "fill: legs ? @  [2J → x",
        ),
    ],
)
def test_an_order(data: dict[str, object], sentence: str) -> None:
    assert shown(news(), event("order", **{"order": ORDER, **data})) == [sentence]


@pytest.mark.parametrize(
    ("at", "lag_ms"),
    [
        ("2026-11-21T04:12:57.095Z", 8.0),
        ("2026-11-21T04:12:58Z", None),  # a clock that is ahead
        ("2026-11-20T04:12:57Z", None),  # of the past
    ],
)
def test_how_long_it_was_on_its_way(at: str, lag_ms: float | None) -> None:
    [told] = news().tell(event("order", event="new", order=ORDER, timestamp=at), NOW)
    assert told.lag_ms == (pytest.approx(lag_ms, abs=0.01) if lag_ms else None)


def test_a_snapshot_is_no_news() -> None:
    news(link("refused"), event("orders", complete=True, orders=[], removed=[]))


def test_a_link_that_is_lost_and_comes_back() -> None:
    retry = {"next_attempt_at": "2026-11-21T04:13:02.303Z", "reconnect_attempts": 1}
    lost = link("waiting", last_error_message="connection closed (1006)", **retry)
    gap = {"from": "2026-11-21T04:12:50Z", "repaired": True, "recovered": 3}
    assert shown(
        news(link("synced")),
        event("gap", **{**gap, "repaired": False, "recovered": 0}),
        lost,
        link("connecting"),
        link("syncing"),
        event("gap", **gap),
        link("synced"),
        link("synced"),
    ) == [
        "lost: connection closed (1006), retry in 5.2 s (attempt 1)",
        "back: 3 missed fills recovered",
        "synced: in step with the broker",
    ]


def test_an_order_of_which_nobody_knows() -> None:
    assert shown(
        news(),
        event("unknown", client_order_id="o-1", order_id=None),
        event("unknown", client_order_id="o-1", order_id="0a"),
    ) == [
        "unknown: nobody knows whether the broker has order o-1; it goes on being asked",
        "found: order o-1 is there after all",
    ]


def test_a_link_that_is_refused_or_deaf() -> None:
    refused = link("refused", last_error_message="key refused (401)", remedy="check secrets.toml")
    assert shown(news(), refused, link("deaf")) == [
        "refused: key refused (401); check secrets.toml",
        "deaf: the broker knows more than its socket told; reconnecting",
    ]


def test_money_is_told_when_the_broker_has_confirmed_it() -> None:
    confirmed = event("account", **STAND, account={"cash": "75706.18"})
    waits = event("account", **{**STAND, "provisional": ["account"]}, account={"cash": "1"})
    positions = event("positions", positions=[{}, {}])
    assert shown(news(), positions, confirmed, waits, confirmed, confirmed) == [
        "in step: 2 positions, cash 75 706.18"
    ]


def test_corrections_and_the_end_of_an_account() -> None:
    orders = event("orders", complete=False, orders=[{}], removed=["x"])
    assert shown(news(), orders, event("gone"), event("resync", reason="slow")) == [
        "mended: 2 orders corrected by what the broker's books say",
        "gone: taken out of the configuration",
        "resync: slow: some may be left out",
    ]


def test_an_event_of_a_later_version_is_passed_over() -> None:
    assert shown(news(), event("weather"), event("heartbeat")) == []


def test_a_line_has_its_columns() -> None:
    text = line(Sentence("alpha", "fill", "AAPL buy 10 @ 187.41 → filled", lag_ms=8.04), NOW)
    assert text[8:] == ".103 alpha    fill     AAPL buy 10 @ 187.41 → filled                8.0 ms"
    narrow = line(Sentence("alpha", "fill", "AAPL buy 10 @ 187.41 → filled", lag_ms=8.04), NOW, 70)
    assert len(narrow) == 70
