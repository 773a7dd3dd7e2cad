"""Bars of one symbol over any number of pages; without a start, the newest ones."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import msgspec

from realtime.core.trading_day import NEW_YORK
from realtime.errors import BrokerError, ProtocolViolation
from realtime.market.rest.freshness import bar_width_s
from realtime.market.rest.latest_values import error_message
from realtime.market.rest.reader import DataAnswer, DataQuery, RestReader
from realtime.market.symbols import ROOTS, AssetClass
from realtime.market.values import Bar, BarPage

MAX_PAGE = 10_000
"""Bars of one page, the broker's own limit."""

FIRST_DAY = date(2016, 1, 1)
"""The broker has no older history."""

TRADED_SHARE: Mapping[AssetClass, float] = {"stocks": 0.18, "options": 0.18, "crypto": 1.0}
"""The part of all hours in which something is traded: 6.5 hours on 252 days of a year, less 3 %."""

TRADED_DAYS_SHARE = 0.66
"""252 days of a year, less 4 %."""

MARGIN_DAYS = 10
"""For holidays."""

_decode_page = msgspec.json.Decoder(BarPage).decode


async def read_bars(
    reader: RestReader,
    asset_class: AssetClass,
    symbol: str,
    limit: int,
    params: Mapping[str, str],
) -> list[Bar]:
    """Return bars in the order of time: from `start` on, or the newest `limit` ones without it.

    Raises `BrokerError` for a refusal, `LinkError` without a response, `ProtocolViolation` for
    pages that do not end. Nothing is returned of a range that cannot be read as a whole.
    """
    is_newest = "start" not in params
    query = {"symbols": symbol, **params, "sort": "desc" if is_newest else "asc"}
    if is_newest:
        query["start"] = find_start(asset_class, params["timeframe"], limit, reader.clock())
    bars: list[Bar] = []
    token: str | None = None
    while True:
        query["limit"] = str(min(MAX_PAGE, limit - len(bars)))
        if token is not None:
            query["page_token"] = token
        data_query = DataQuery(f"{ROOTS[asset_class]}/bars", tuple(query.items()), "history")
        page = _read_page(await reader.get(data_query))
        bars += page.bars.get(symbol, [])
        if page.next_page_token is None or len(bars) >= limit:
            break
        if page.next_page_token == token:
            raise ProtocolViolation(f"bars of {symbol}: the broker repeats a page")
        token = page.next_page_token
    bars = bars[:limit]
    return bars[::-1] if is_newest else bars


def find_start(asset_class: AssetClass, timeframe: str, limit: int, now: float) -> str:
    """Return a date before the newest `limit` bars, as late as is certain."""
    width_s = bar_width_s(timeframe) or 86_400.0
    # A day bar is one per trading day, however short the session is.
    share = TRADED_SHARE[asset_class] if width_s < 86_400 else TRADED_DAYS_SHARE
    days = min(width_s * limit / share / 86_400 + MARGIN_DAYS, 36_500)
    today = datetime.fromtimestamp(now, NEW_YORK).date()
    return max(today - timedelta(days=int(days) + 1), FIRST_DAY).isoformat()


def _read_page(answer: DataAnswer) -> BarPage:
    if answer.status != 200:
        raise refusal(answer)
    try:
        return _decode_page(answer.body)
    except msgspec.DecodeError as error:
        raise ProtocolViolation(f"a page of bars cannot be read: {error}") from error


def refusal(answer: DataAnswer) -> BrokerError:
    """Return the broker's refusal as an error."""
    message = error_message(answer.body)[:300] or f"status {answer.status}"
    return BrokerError(
        f"the broker: {message}", status=answer.status, code=None, body=answer.body[:1000]
    )
