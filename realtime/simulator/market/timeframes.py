"""Timeframes of bars: parsing, and the start of the bar that a time belongs to.

Day bars of stocks start at midnight in New York, of coins at midnight in Chicago (certainty B).
"""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from realtime.simulator.exchange.timestamps import HOUR, MINUTE, NEW_YORK, SECOND

CHICAGO = ZoneInfo("America/Chicago")

_PATTERN = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {"Min": "T", "Hour": "H", "Day": "D", "Week": "W", "Month": "M"}
_ALLOWED = {
    "T": range(1, 60),
    "H": range(1, 24),
    "D": (1,),
    "W": (1,),
    "M": (1, 2, 3, 4, 6, 12),
}


class Timeframe(NamedTuple):
    """`unit` is T (minute), H, D, W or M."""

    number: int
    unit: str

    @property
    def is_intraday(self) -> bool:
        """Whether bars are shorter than a day."""
        return self.unit in "TH"


def parse_timeframe(text: str) -> Timeframe | None:
    """Return the timeframe, None if there is no such one."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    unit = _UNITS.get(match[2], match[2])
    count = int(match[1])
    return Timeframe(count, unit) if count in _ALLOWED[unit] else None


def bar_start(at: int, timeframe: Timeframe, zone: ZoneInfo) -> int:
    """Return the start of the bar that a time belongs to, in epoch nanoseconds."""
    if timeframe.is_intraday:
        width = timeframe.number * (MINUTE if timeframe.unit == "T" else HOUR)
        midnight = day_start(local_day(at, zone), zone)
        return midnight + (at - midnight) // width * width
    day = local_day(at, zone)
    if timeframe.unit == "W":
        day -= timedelta(days=day.weekday())
    elif timeframe.unit == "M":
        months = (day.month - 1) // timeframe.number * timeframe.number
        day = date(day.year, months + 1, 1)
    return day_start(day, zone)


def local_day(at: int, zone: ZoneInfo) -> date:
    """Return the calendar day in a time zone."""
    return _day_of_hour(at // HOUR, zone)


@lru_cache(maxsize=4096)
def day_start(day: date, zone: ZoneInfo = NEW_YORK) -> int:
    """Return midnight of a day in epoch nanoseconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * SECOND


@lru_cache(maxsize=8192)
def _day_of_hour(hour: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(hour * 3600, zone).date()
