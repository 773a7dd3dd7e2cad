"""Days whose equity cannot be trusted, because a corporate action changed a position.

A split changes the quantity before the price, or the price before the quantity: an equity in
between is a gain or a loss that there never was. Such a day is left out and reported; its profit is
in the next day that is known.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from realtime.analytics.activity_types import CORPORATE
from realtime.analytics.compare.members import Member
from realtime.analytics.daily import Flow
from realtime.core.trading_days import next_trading_day, previous_trading_day, to_date, to_number

MAX_JUMP = 0.1
"""A day with a corporate action and a larger change of equity than this part is left out."""


def doubtful_days(
    members: Sequence[Member],
    closes: Mapping[int, int],
    flows: Sequence[Flow],
    base: int,
    last: int,
) -> dict[int, str]:
    """Trading day → which corporate action makes its equity doubtful."""
    actions = _actions(members, base, last)
    if not actions:
        return {}
    paid: dict[int, int] = {}
    for flow in flows:
        paid[flow.day] = paid.get(flow.day, 0) + flow.amount
    doubtful: dict[int, str] = {}
    days = [day for day in sorted(closes) if base <= day <= last]
    for before, day in pairwise(days):
        start = closes[before]
        is_jump = abs(closes[day] - start - paid.get(day, 0)) > MAX_JUMP * abs(start)
        # After a doubtful day the way back is as large; it is of the day that is left out.
        if is_jump and day in actions and before not in doubtful:
            doubtful[day] = actions[day]
    return doubtful


def _actions(members: Sequence[Member], base: int, last: int) -> dict[int, str]:
    """Trading day, and those beside it, → corporate action: the broker dates some a day late."""
    actions: dict[int, str] = {}
    for member in members:
        for activity in member.history.activities:
            if activity.type not in CORPORATE or not member.is_of(activity.day):
                continue
            day = to_date(activity.day)
            what = f"{activity.type} of {activity.symbol or 'a position'}"
            for near in (day, previous_trading_day(day), next_trading_day(day)):
                number = to_number(near)
                if base < number <= last:
                    actions.setdefault(number, what)
    return actions
