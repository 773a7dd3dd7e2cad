"""The broker's clock between two reads: it is read again when the market opens or closes."""

from datetime import datetime

import msgspec

from realtime.api.alpaca.market_cache import CLOCK_TTL_S, MarketCache, format_new_york

BROKER = "http://127.0.0.1:1"
CLOSES = datetime.fromisoformat("2026-10-06T16:00:00-04:00").timestamp()
DOCUMENT = {
    "timestamp": "2026-10-06T15:59:00.25-04:00",
    "is_open": True,
    "next_open": "2026-10-07T09:30:00-04:00",
    "next_close": "2026-10-06T16:00:00-04:00",
}
AHEAD_S = 3.0
"""The broker's clock is ahead of ours by this."""


class Clock:
    now = CLOSES - 59.75 - AHEAD_S

    def __call__(self) -> float:
        return self.now


def test_clock_ends_when_the_market_closes_at_the_brokers() -> None:
    clock = Clock()
    cache = MarketCache(clock)
    assert cache.get_clock(BROKER) is None
    cache.add_clock(BROKER, msgspec.json.encode(DOCUMENT), clock.now)
    first = cache.get_clock(BROKER)
    assert first is not None
    assert msgspec.json.decode(first) == DOCUMENT
    clock.now = CLOSES - AHEAD_S - 0.001
    last = cache.get_clock(BROKER)
    assert last is not None
    assert msgspec.json.decode(last)["timestamp"] == "2026-10-06T15:59:59.999-04:00"
    clock.now = CLOSES - AHEAD_S
    assert cache.get_clock(BROKER) is None
    assert cache.get_clock("http://127.0.0.1:2") is None


def test_clock_is_read_again_after_five_minutes() -> None:
    clock = Clock()
    cache = MarketCache(clock)
    later = {**DOCUMENT, "next_close": "2026-10-06T20:00:00-04:00"}
    cache.add_clock(BROKER, msgspec.json.encode(later), clock.now)
    clock.now += CLOCK_TTL_S - 1
    assert cache.get_clock(BROKER) is not None
    clock.now += 1
    assert cache.get_clock(BROKER) is None


def test_clock_that_cannot_be_read_is_not_kept() -> None:
    cache = MarketCache(Clock())
    for body in (b"", b"<html>", b"{}", msgspec.json.encode({**DOCUMENT, "next_open": "soon"})):
        cache.add_clock(BROKER, body, 0.0)
        cache.add_calendar(BROKER, body)
    assert cache.get_clock(BROKER) is None
    assert cache.get_calendar(BROKER, "", "9") is None


def test_calendar_ends_with_new_yorks_day() -> None:
    clock = Clock()
    cache = MarketCache(clock)
    body = b'[{"date":"2026-10-06","open":"09:30"},{"date":"2026-10-07","open":"09:30"}]'
    assert cache.starts_reading(BROKER)
    assert not cache.starts_reading(BROKER)
    cache.add_calendar(BROKER, body)
    assert cache.get_calendar(BROKER, "0000", "9999") == body
    assert cache.get_calendar(BROKER, "2026-10-07", "2026-10-07") == b"[" + body[38:]
    clock.now = CLOSES + 8 * 3600
    assert cache.get_calendar(BROKER, "0000", "9999") is None


def test_assets_are_bounded_in_bytes_and_time() -> None:
    clock = Clock()
    cache = MarketCache(clock)
    for name in "abc":
        cache.add_asset(BROKER, name, b"x" * 30 * 2**20)
    assert cache.get_asset(BROKER, "a") is None
    assert cache.get_asset(BROKER, "c") is not None
    clock.now += 3600
    assert cache.get_asset(BROKER, "c") is None


def test_many_short_answers_about_assets_are_bounded_too() -> None:
    """A target is a client's text: of any length, and of any number."""
    cache = MarketCache(Clock())
    targets = [f"/v2/assets?exchange={number:08000d}" for number in range(10_000)]
    for target in targets:
        cache.add_asset(BROKER, target, b"[]")
    kept = [target for target in targets if cache.get_asset(BROKER, target) is not None]
    assert 1000 < len(kept) < 8000
    assert kept[-1] == targets[-1]


def test_time_has_new_yorks_offset_in_summer_and_winter() -> None:
    summer = int(CLOSES) * 1_000_000_000
    assert format_new_york(summer) == "2026-10-06T16:00:00-04:00"
    winter = summer + 90 * 86_400_000_000_000 + 120_000_000
    assert format_new_york(winter) == "2027-01-04T15:00:00.12-05:00"
