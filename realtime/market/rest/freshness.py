"""How long a response of the market-data API may be repeated. The caller passes the time.

A lifetime begins when the request was sent, not when its response arrived: the values are that old.

A range of the past does not change, with these exceptions, which are the reasons for the limits
below: the last 16 minutes (late trades; without the paid plan they are refused), a bar that is not
complete yet, adjusted prices (a split changes all of them on its day), and the name of a stock
(without `asof` the broker maps it as of today). Sources: the broker's market-data FAQ; repairs of
history: github.com/alpacahq/alpaca-trade-api-python/issues/803.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from realtime.core.trading_day import NEW_YORK

Kind = Literal[
    "latest", "history", "chain", "news", "screener", "corporate_actions", "reference", "rates"
]
"""What a response contains. `latest` includes snapshots."""

LIFETIME_S: Mapping[Kind, float] = {
    "latest": 1.0,
    "rates": 1.0,
    "chain": 5.0,
    "news": 15.0,
    "screener": 30.0,  # the broker computes it about once a minute
    "corporate_actions": 600.0,
    "reference": 86_400.0,  # codes of conditions and exchanges, logos
}
OPEN_RANGE_S = 5.0
"""A range that reaches into the present, or whose end is not stated."""
SETTLED_S = 16 * 60.0
"""After this time a range has its late trades: the broker's own limit is 15 minutes."""
CLOSED_RANGE_S = 86_400.0
"""A range of the past. Not longer, because the broker repairs its history."""

DAY_CHANGE = time(4)
"""When a split or a new symbol takes effect: before the first session of the day."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIMEFRAME = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)", re.IGNORECASE)
_UNIT_S = {"t": 60, "min": 60, "h": 3600, "hour": 3600}
_UNIT_DAYS = {"d": 1, "day": 1, "w": 7, "week": 7, "month": 31}


def get_lifetime_s(kind: Kind, params: Mapping[str, str], now: float) -> float:
    """Return how long a response is fresh, in seconds from when its request was sent."""
    if kind != "history":
        return LIFETIME_S[kind]
    if not is_closed(params, now):
        return OPEN_RANGE_S
    is_fixed = params.get("adjustment", "raw").lower() == "raw" and params.get("asof")
    return CLOSED_RANGE_S if is_fixed else min(CLOSED_RANGE_S, seconds_to_day_change(now))


def is_closed(params: Mapping[str, str], now: float) -> bool:
    """Whether nothing in a range of history can change any more, as far as its times tell."""
    if not params.get("start"):
        return False  # the broker's default moves with the time
    end = parse_end(params.get("end", ""))
    width_s = bar_width_s(params.get("timeframe"))
    return end is not None and width_s is not None and end + width_s + SETTLED_S <= now


def parse_end(text: str) -> float | None:
    """Return the end of a range in epoch seconds; a date is the end of its day in New York."""
    try:
        if _DATE.fullmatch(text):
            return _midnight(date.fromisoformat(text) + timedelta(days=1)).timestamp()
        moment = datetime.fromisoformat(text.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def seconds_to_day_change(now: float) -> float:
    """Return the seconds until 04:00 in New York."""
    here = datetime.fromtimestamp(now, NEW_YORK)
    day = here.date() + timedelta(days=here.time() >= DAY_CHANGE)
    return datetime.combine(day, DAY_CHANGE, NEW_YORK).timestamp() - now


def bar_width_s(timeframe: str | None) -> float | None:
    """Return by how much a bar may reach beyond the end; None for a timeframe of another form."""
    if not timeframe:
        return 0.0  # trades, quotes, auctions
    match = _TIMEFRAME.fullmatch(timeframe)
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    if unit == "M":
        return number * 31 * 86_400.0
    unit = unit.lower()
    if unit in _UNIT_S:
        return float(number * _UNIT_S[unit])
    return number * _UNIT_DAYS[unit] * 86_400.0


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), NEW_YORK)
