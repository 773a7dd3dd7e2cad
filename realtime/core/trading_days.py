"""Trading days of the New York exchanges, by rules: no request, no table, no time zone database.

A trading day here ends at 16:00 New York, as the broker's `last_equity` does: what happens after
the close belongs to the next trading day, and a weekend's crypto trades to Monday. On a half day
stocks stand still from 13:00 to 16:00, so the same boundary holds.
"""

from datetime import date, timedelta
from functools import lru_cache

from realtime.core.cash_flows import new_york_date

DAY_S = 86_400
_EPOCH = date(1970, 1, 1)
_ONE_DAY = timedelta(days=1)


def to_number(day: date) -> int:
    """A date as days since 1970."""
    return (day - _EPOCH).days


def to_date(number: int) -> date:
    """The date of days since 1970."""
    return _EPOCH + timedelta(days=number)


def is_trading_day(day: date) -> bool:
    """Whether the exchanges open on this day."""
    return day.weekday() < 5 and day not in _holidays(day.year)


def next_trading_day(day: date) -> date:
    """The first trading day after this one."""
    day += _ONE_DAY
    while not is_trading_day(day):
        day += _ONE_DAY
    return day


def previous_trading_day(day: date) -> date:
    """The last trading day before this one."""
    day -= _ONE_DAY
    while not is_trading_day(day):
        day -= _ONE_DAY
    return day


def trading_days(first: date, last: date) -> list[date]:
    """All trading days from `first` to `last`, both included."""
    days = []
    while first <= last:
        if is_trading_day(first):
            days.append(first)
        first += _ONE_DAY
    return days


@lru_cache(maxsize=4096)
def close_at(day: date) -> int:
    """16:00 New York of a day, in epoch seconds."""
    noon_utc = to_number(day) * DAY_S + 12 * 3600
    # 16:00 is 20:00 UTC in summer, 21:00 in winter: the date is in New York by noon UTC.
    summer = noon_utc + 8 * 3600
    return summer if _is_summer(summer) else summer + 3600


def trading_day_at(seconds: float) -> date:
    """The trading day that a time belongs to: the first whose close is not before it."""
    return _trading_day_of_slot(-int(-seconds // 900))  # rounded up: 16:00:00 is still that day


@lru_cache(maxsize=65536)
def _trading_day_of_slot(slot: int) -> date:
    seconds = slot * 900
    day = new_york_date(seconds)
    if is_trading_day(day) and seconds <= close_at(day):
        return day
    return next_trading_day(day)


def _is_summer(seconds: int) -> bool:
    """Whether New York is four hours behind UTC in the evening of a time's UTC day: then its next
    date begins at 04:00 and not at 05:00."""
    tomorrow = seconds // DAY_S + 1
    return new_york_date(tomorrow * DAY_S + 4 * 3600 + 1800) == to_date(tomorrow)


@lru_cache(maxsize=128)
def _holidays(year: int) -> frozenset[date]:
    days = {
        _nth_weekday(year, 1, 0, 3),  # Martin Luther King Jr. Day
        _nth_weekday(year, 2, 0, 3),  # Washington's Birthday
        _easter(year) - 2 * _ONE_DAY,  # Good Friday
        _nth_weekday(year, 6, 0, 1) - 7 * _ONE_DAY,  # Memorial Day: the last Monday of May
        _observed(date(year, 7, 4)),
        _nth_weekday(year, 9, 0, 1),  # Labor Day
        _nth_weekday(year, 11, 3, 4),  # Thanksgiving
        _observed(date(year, 12, 25)),
    }
    if year >= 2022:
        days.add(_observed(date(year, 6, 19)))
    if date(year, 1, 1).weekday() != 5:  # a New Year on a Saturday is not observed on another day
        days.add(_observed(date(year, 1, 1)))
    return frozenset(days)


def _nth_weekday(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def _observed(day: date) -> date:
    return day + {5: -_ONE_DAY, 6: _ONE_DAY}.get(day.weekday(), timedelta())


def _easter(year: int) -> date:
    """Easter Sunday (the anonymous Gregorian computus)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    quarter, quarter_rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - quarter - correction + 15) % 30
    weekday = (32 + 2 * quarter_rest + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
