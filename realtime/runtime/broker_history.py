"""What the broker knows of an account's past: fills, orders, activities, equity.

Each is one read or a few pages, in the lane of reads. Errors are `RealtimeError`.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from realtime.broker.rest_client import RestClient
from realtime.core.cash_flows import new_york_date
from realtime.core.model import FillActivity
from realtime.core.state import Execution
from realtime.core.timestamps import format_micros
from realtime.core.trading_days import close_at, is_trading_day, to_number, trading_day_at
from realtime.errors import ProtocolViolation
from realtime.history.exact import MONEY_SCALE, QUARTER_US, US, money, quantity
from realtime.history.ledger import Activity
from realtime.history.queue import RecoveredHistory

OVERLAP_US = 600 * US
"""Read again of what is known: activities may appear some minutes late. Duplicates are ignored."""

FIRST_TIME_DAYS = 365
"""How far back an account is read of which nothing was ever recorded; activities at each start."""

MAX_PAGES = 50
FILLS_PAGE, ORDERS_PAGE = 100, 500
PORTFOLIO = {"period": "1M", "timeframe": "15Min", "intraday_reporting": "continuous"}
PORTFOLIO_DAYS = {"period": "1A", "timeframe": "1D", "pnl_reset": "no_reset"}


async def fetch_missed(
    label: str, rest: RestClient, since_us: int | None, now: float
) -> RecoveredHistory:
    """What the broker knows of an account since a time (µs); None: of the last months."""
    if since_us is None:
        since_us = round((now - FIRST_TIME_DAYS * 86_400) * 1e6)
    after = format_micros(since_us - OVERLAP_US)
    fills = await _pages(
        lambda last: rest.fetch_fills(after=after, page_size=FILLS_PAGE, page_token=last),
        FILLS_PAGE,
    )
    orders = await _pages(
        lambda last: rest.fetch_orders(
            status="closed",
            after=after if last is None else None,  # the broker takes one of the two
            after_order_id=last,
            direction="asc",
            nested=True,
        ),
        ORDERS_PAGE,
    )
    legs = [(leg, order.id) for order in orders for leg in order.legs or ()]
    return RecoveredHistory(
        label=label,
        executions=tuple(e for e in map(_execution, fills) if e is not None),
        orders=(*orders, *(leg for leg, _ in legs)),
        parents={leg.id: parent for leg, parent in legs},
        quarters=await _quarters(rest),
    )


async def _pages(fetch: Callable[[str | None], Awaitable[Sequence[Any]]], size: int) -> list[Any]:
    """All pages of a list, up to a bound; the next page begins after the last id."""
    found: list[Any] = []
    last: str | None = None
    for _ in range(MAX_PAGES):
        page = await fetch(last)
        found += page
        if len(page) < size or page[-1].id == last:
            break
        last = page[-1].id
    return found


def _execution(fill: FillActivity) -> Execution | None:
    if not (fill.order_id and fill.symbol and fill.qty and fill.price and fill.side):
        return None
    return Execution(
        execution_id=fill.execution_id,
        order_id=fill.order_id,
        symbol=fill.symbol,
        side="buy" if fill.side == "buy" else "sell",
        qty=fill.qty,
        price=fill.price,
        at=fill.transaction_time,
    )


class _Activity(Struct, frozen=True, kw_only=True):
    """A non-trade activity as the broker sends it; numbers are strings, or absent."""

    id: str
    activity_type: str
    date: str | None = None
    net_amount: str | float | int | None = None
    symbol: str | None = None
    qty: str | float | int | None = None
    price: str | float | int | None = None
    status: str | None = None


_decode_activities = msgspec.json.Decoder(list[_Activity]).decode


async def fetch_activities(rest: RestClient, since_us: int) -> tuple[Activity, ...]:
    """Deposits, dividends, fees, expiries and whatever else is no execution, since a time."""

    async def fetch(last: str | None) -> list[_Activity]:
        query = {
            "category": "non_trade_activity",
            "after": format_micros(since_us),
            "page_size": str(FILLS_PAGE),
            "direction": "asc",
            **({} if last is None else {"page_token": last}),
        }
        response = await rest.http.request("GET", "/v2/account/activities", query, "read")
        try:
            return _decode_activities(response.body)
        except msgspec.DecodeError as error:
            raise ProtocolViolation(f"activities: {error}") from error

    return tuple(map(_to_activity, await _pages(fetch, FILLS_PAGE)))


def _to_activity(found: _Activity) -> Activity:
    at_us, is_timed = _activity_time(found)
    return Activity(
        id=found.id,
        type=found.activity_type,
        at_us=at_us,
        day=to_number(trading_day_at(at_us / US)),
        is_timed=is_timed,
        amount=money(_text(found.net_amount)),
        symbol=found.symbol,
        qty=quantity(_text(found.qty)),
        price=quantity(_text(found.price)),
        status=found.status,
    )


def _text(value: str | float | None) -> str | None:
    return None if value is None else str(value)


def _activity_time(found: _Activity) -> tuple[int, bool]:
    """When an activity happened. An id begins with the time of its creation in New York; it counts
    where it is of the activity's own date: a fee is listed on the next day."""
    day, stamp = found.date or "", found.id.partition("::")[0]
    try:
        if len(stamp) == 17 and stamp.isdigit() and (not day or stamp[:8] == day.replace("-", "")):
            midnight = close_at(date(int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8]))) - 16 * 3600
            clock_s = int(stamp[8:10]) * 3600 + int(stamp[10:12]) * 60 + int(stamp[12:14])
            return (midnight + clock_s) * US + int(stamp[14:17]) * 1000, True
        return (close_at(date.fromisoformat(day[:10])) - 16 * 3600) * US, False
    except ValueError as error:
        raise ProtocolViolation(f"activity {found.id}: no date") from error


async def fetch_closes(rest: RestClient, now: float) -> tuple[tuple[int, int, int], ...]:
    """Trading days that are over, their closes and equity, from the broker's portfolio history.

    The broker writes 0 before an account was opened, and null where it knows nothing.
    """
    response = await rest.http.request(
        "GET", "/v2/account/portfolio/history", PORTFOLIO_DAYS, "read"
    )
    document = json.loads(response.body, parse_float=Decimal, parse_int=Decimal)
    pairs = zip(document.get("timestamp") or (), document.get("equity") or (), strict=False)
    closes = []
    for at, equity in pairs:
        day = new_york_date(float(at))
        if equity and is_trading_day(day) and close_at(day) < now:
            closes.append((to_number(day), close_at(day) * US, int(equity * MONEY_SCALE)))
    return tuple(closes)


async def _quarters(rest: RestClient) -> tuple[tuple[int, int], ...]:
    """Quarter of an hour → equity of 10⁻⁴, from the broker's portfolio history."""
    response = await rest.http.request("GET", "/v2/account/portfolio/history", PORTFOLIO, "read")
    document = json.loads(response.body, parse_float=Decimal, parse_int=Decimal)
    pairs = zip(document.get("timestamp") or (), document.get("equity") or (), strict=False)
    return tuple(
        (int(at) * US // QUARTER_US, int(equity * MONEY_SCALE)) for at, equity in pairs if equity
    )
