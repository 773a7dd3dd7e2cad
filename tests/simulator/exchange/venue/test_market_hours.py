"""When the market is open, in each mode, and which bells ring."""

import pytest

from realtime.simulator.exchange.timestamps import format_rfc3339, parse_rfc3339
from realtime.simulator.exchange.venue.market_hours import CLOSED, EXTENDED, REGULAR, Market


def at(text: str) -> int:
    """Read a New York time of October 2026 (four hours behind UTC)."""
    instant = parse_rfc3339(f"2026-10-{text}:00-04:00")
    assert instant is not None
    return instant


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        ("06T03:59", CLOSED),
        ("06T04:00", EXTENDED),
        ("06T09:29", EXTENDED),
        ("06T09:30", REGULAR),
        ("06T15:59", REGULAR),
        ("06T16:00", EXTENDED),
        ("06T20:00", CLOSED),
        ("10T12:00", CLOSED),  # a Saturday
    ],
)
def test_new_york_hours(moment: str, phase: str) -> None:
    """Opening and closing belong to the later session."""
    assert Market("nyse").phase(at(moment)) == phase


def test_other_modes_have_one_phase() -> None:
    """Always and open never close, closed never opens."""
    saturday = at("10T12:00")
    assert Market("always").phase(saturday) == REGULAR
    assert Market("open").phase(saturday) == REGULAR
    assert Market("closed").phase(at("06T12:00")) == CLOSED


def test_each_bell_is_returned_once() -> None:
    """Every bell after the last look, up to and with this one."""
    market = Market("nyse")
    bells = list(market.bells(at("09T09:30"), at("12T09:30")))
    assert bells == [(at("09T16:00"), "closing"), (at("12T09:30"), "opening")]
    assert list(market.bells(at("12T09:30"), at("12T09:30"))) == []


def test_days_end_every_day_where_trading_never_stops() -> None:
    """A demo at the weekend has days too."""
    bells = list(Market("always").bells(at("10T00:00"), at("11T00:00")))
    assert [bell for _, bell in bells] == ["opening", "closing"]


@pytest.mark.parametrize(
    ("mode", "moment", "end"),
    [
        ("nyse", "06T10:00", "2026-10-06T20:00:00Z"),
        ("nyse", "06T16:00", "2026-10-07T20:00:00Z"),
        ("nyse", "10T12:00", "2026-10-12T20:00:00Z"),
        ("always", "10T12:00", "2026-10-10T20:00:00Z"),
    ],
)
def test_day_orders_end_at_the_close(mode: str, moment: str, end: str) -> None:
    """Sent after it, they belong to the next session."""
    assert format_rfc3339(Market(mode).day_end(at(moment))) == end


def test_extended_day_orders_end_at_eight() -> None:
    """Four hours after the close."""
    assert (
        format_rfc3339(Market("nyse").day_end(at("06T17:00"), extended=True))
        == "2026-10-07T00:00:00Z"
    )


def test_clock_document() -> None:
    """New York's offset, the next opening after this one."""
    assert Market("nyse").clock_document(at("06T10:02")) == {
        "timestamp": "2026-10-06T10:02:00-04:00",
        "is_open": True,
        "next_open": "2026-10-07T09:30:00-04:00",
        "next_close": "2026-10-06T16:00:00-04:00",
    }
