"""Trading days against the simulator's calendar, which is written independently."""

from datetime import date, timedelta

import pytest

from realtime.core import trading_days
from realtime.simulator.exchange.venue import calendar


def test_trading_days_are_those_of_the_exchange() -> None:
    day = date(2015, 1, 1)
    while day < date(2030, 1, 1):
        assert trading_days.is_trading_day(day) == calendar.is_trading_day(day), day
        assert trading_days.close_at(day) * 10**9 == calendar.instant(day, calendar.CLOSE), day
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (trading_days.close_at(date(2026, 11, 27)), date(2026, 11, 27)),
        (trading_days.close_at(date(2026, 11, 27)) + 1, date(2026, 11, 30)),
        (trading_days.close_at(date(2026, 11, 28)), date(2026, 11, 30)),
        (trading_days.close_at(date(2026, 11, 30)) - 3600, date(2026, 11, 30)),
        (trading_days.close_at(date(2026, 11, 25)) + 60, date(2026, 11, 27)),
        (trading_days.close_at(date(2026, 7, 2)) + 60, date(2026, 7, 6)),
    ],
)
def test_what_happens_after_the_close_belongs_to_the_next_trading_day(at: int, day: date) -> None:
    assert trading_days.trading_day_at(at) == day
