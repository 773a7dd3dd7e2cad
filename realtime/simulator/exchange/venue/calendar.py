"""New York's exchange calendar: trading days, early closes, settlement days. Rules, not tables."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from realtime.simulator.exchange.errors import Document, malformed
from realtime.simulator.exchange.timestamps import NEW_YORK, SECOND

OPEN = time(9, 30)
CLOSE = time(16, 0)
EARLY_CLOSE = time(13, 0)
EXTENDED_OPEN = time(4, 0)
EXTENDED_CLOSE = time(20, 0)

_FIRST_DAY = date(1970, 1, 2)
_LAST_DAY = date(2029, 12, 31)
_ONE_DAY = timedelta(days=1)


def is_trading_day(day: date) -> bool:
    """Return whether the exchange opens on this day."""
    return day.weekday() < 5 and day not in _holidays(day.year)


@lru_cache(maxsize=512)
def next_trading_day(day: date) -> date:
    """Return the first trading day after this one; also the settlement day of its trades."""
    day += _ONE_DAY
    while not is_trading_day(day):
        day += _ONE_DAY
    return day


def previous_trading_day(day: date) -> date:
    """Return the last trading day before this one."""
    day -= _ONE_DAY
    while not is_trading_day(day):
        day -= _ONE_DAY
    return day


def close_time(day: date) -> time:
    """Return when regular trading ends: 16:00, or 13:00 before some holidays."""
    return EARLY_CLOSE if day in _early_closes(day.year) else CLOSE


@lru_cache(maxsize=4096)
def instant(day: date, at: time) -> int:
    """Return a New York wall-clock time as epoch nanoseconds."""
    return int(datetime.combine(day, at, NEW_YORK).timestamp()) * SECOND


def calendar_documents(query: Mapping[str, str]) -> list[Document]:
    """Answer GET /v2/calendar."""
    first = _read_day(query, "start", _FIRST_DAY)
    last = _read_day(query, "end", _LAST_DAY)
    key = "settlement_date" if query.get("date_type", "").upper() == "SETTLEMENT" else "date"
    first_year = max(first.year - 1, _FIRST_DAY.year)
    last_year = min(last.year, _LAST_DAY.year)
    low, high = first.isoformat(), last.isoformat()
    return [
        dict(document)
        for year in range(first_year, last_year + 1)
        for document in _year_documents(year)
        if low <= document[key] <= high
    ]


def _read_day(query: Mapping[str, str], name: str, default: date) -> date:
    text = query.get(name, "")
    if not text:
        return default
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise malformed(f"invalid {name}: {text[:40]}") from error


@lru_cache(maxsize=64)
def _year_documents(year: int) -> tuple[dict[str, str], ...]:
    days = [day for day in _days_of(year) if is_trading_day(day)]
    following = [*days[1:], next_trading_day(days[-1])]
    return tuple(map(_day_document, days, following))


def _day_document(day: date, settled: date) -> dict[str, str]:
    # Clients often request all sixty years at once, hence no formatting of times.
    return {
        "date": day.isoformat(),
        "open": "09:30",
        "close": "13:00" if close_time(day) == EARLY_CLOSE else "16:00",
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": settled.isoformat(),
    }


def _days_of(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += _ONE_DAY


@lru_cache(maxsize=128)
def _holidays(year: int) -> frozenset[date]:
    days = {
        _nth_weekday(year, 1, 0, 3),  # Martin Luther King Jr. Day
        _nth_weekday(year, 2, 0, 3),  # Washington's Birthday
        _easter(year) - 2 * _ONE_DAY,  # Good Friday
        _last_monday_of_may(year),  # Memorial Day
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


@lru_cache(maxsize=128)
def _early_closes(year: int) -> frozenset[date]:
    eve = [date(year, 7, 3), date(year, 12, 24), _nth_weekday(year, 11, 3, 4) + _ONE_DAY]
    return frozenset(day for day in eve if is_trading_day(day))


def _nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())


def _observed(day: date) -> date:
    return day + {5: -_ONE_DAY, 6: _ONE_DAY}.get(day.weekday(), timedelta(0))


def _easter(year: int) -> date:
    """Return Easter Sunday (the anonymous Gregorian computus)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    quarter, quarter_rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - quarter - correction + 15) % 30
    weekday = (32 + 2 * quarter_rest + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
