"""Daily closes of a benchmark: read once a day for all accounts, and kept.

With `[market]` they are read through its cache and within its budget; otherwise with the key of the
first enabled account, from the market data of its broker. Where there are none, the comparison says
why.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import date, timedelta
from urllib.parse import urlsplit

import aiohttp
from msgspec import structs

from realtime.analytics.compare.documents import BenchmarkPrices
from realtime.broker.http_client import HttpClient
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.config.settings import ALPACA_DOMAIN, DATA_URL, Settings
from realtime.core.trading_days import close_at, previous_trading_day, trading_day_at
from realtime.errors import RealtimeError
from realtime.market.rest.bars import refusal
from realtime.market.rest.reader import DataQuery, RestReader

MAX_SYMBOLS = 16
"""Benchmarks that are kept; a further one replaces the oldest."""

RETRY_S = 60.0
"""A failure is kept this long: a page that polls must not ask the broker each time."""

YEARS = 3
FEED = "iex"
"""What every key may read; closes of the day differ from the consolidated ones by some cents."""

PAGE_ROWS = 10_000


ReadPage = Callable[[str, Mapping[str, str]], Awaitable[bytes]]
"""Reads a page of the market-data API. Raises `RealtimeError`."""


class BenchmarkReader:
    """Reads and keeps closes. `clock` gives epoch seconds."""

    def __init__(
        self,
        settings: Settings,
        http: aiohttp.ClientSession,
        *,
        clock: Callable[[], float],
        market: RestReader | None = None,
    ) -> None:
        self._clock = clock
        self._read_page = _make_read(settings, http, clock, market)
        self._lock = asyncio.Lock()
        self._known: dict[tuple[str, bool], tuple[float, BenchmarkPrices]] = {}
        """symbol, with dividends → when it must be read again, and the closes"""

    async def read(self, symbol: str, with_dividends: bool) -> BenchmarkPrices:
        """The closes of a symbol; with a reason where there are none."""
        prices = BenchmarkPrices(
            symbol=symbol,
            feed=FEED,
            adjustment="all" if with_dividends else "split",
            return_kind="total" if with_dividends else "price",
            source="market data of the broker",
        )
        key = (symbol, with_dividends)
        async with self._lock:  # one request for all who ask at once
            known = self._known.get(key)
            if known is not None and self._clock() < known[0]:
                return known[1]
            found, again_at = await self._fetch(prices)
            while len(self._known) >= MAX_SYMBOLS:
                del self._known[next(iter(self._known))]
            self._known[key] = (again_at, found)
            return found

    async def _fetch(self, prices: BenchmarkPrices) -> tuple[BenchmarkPrices, float]:
        now = self._clock()
        if self._read_page is None:
            reason = "no account with keys is configured"
            return structs.replace(prices, reason=reason), now + RETRY_S
        day = trading_day_at(now)
        last = day if now >= close_at(day) else previous_trading_day(day)
        query = {
            "timeframe": "1Day",
            "start": (last - timedelta(days=365 * YEARS)).isoformat(),
            "end": last.isoformat(),
            "adjustment": prices.adjustment or "split",
            "feed": FEED,
            "limit": str(PAGE_ROWS),
        }
        path = f"/v2/stocks/{prices.symbol}/bars"
        try:
            document = json.loads(await self._read_page(path, query))
            closes = dict(_closes(document.get("bars") or (), last))
        except RealtimeError as error:
            return structs.replace(prices, reason=error.message), now + RETRY_S
        except (ValueError, TypeError, AttributeError, KeyError):
            reason = "the broker's bars cannot be read"
            return structs.replace(prices, reason=reason), now + RETRY_S
        if not closes:
            reason = f"the broker has no daily bars of {prices.symbol}"
            return structs.replace(prices, reason=reason), now + RETRY_S
        # The next close makes a new day; a minute later the bar is there.
        return structs.replace(prices, closes=closes), close_at(trading_day_at(now + 1)) + 900


def _closes(bars: Iterable[dict[str, object]], last: date) -> Iterable[tuple[str, float]]:
    """ISO date → close. A daily bar begins at midnight in New York: 04:00 or 05:00 UTC."""
    for bar in bars:
        day, close = str(bar["t"])[:10], bar["c"]
        if isinstance(close, int | float) and day <= last.isoformat():
            yield day, float(close)


def _make_read(
    settings: Settings,
    http: aiohttp.ClientSession,
    clock: Callable[[], float],
    market: RestReader | None,
) -> ReadPage | None:
    """What reads a page; None: there is no key."""
    if market is not None:
        reader = market

        async def read_cached(path: str, query: Mapping[str, str]) -> bytes:
            answer = await reader.get(DataQuery(path, tuple(query.items()), "history"))
            if answer.status != 200:
                raise refusal(answer)
            return answer.body

        return read_cached
    for account in settings.accounts:
        if not account.enabled or account.credentials is None:
            continue
        host = urlsplit(account.trading_url).hostname or ""
        is_alpaca = host == ALPACA_DOMAIN or host.endswith(f".{ALPACA_DOMAIN}")
        url = DATA_URL if is_alpaca else account.trading_url
        limiter = RateLimiter(FleetLimiter())
        return _read_with(HttpClient(http, url, account.credentials, limiter, clock=clock))
    return None


def _read_with(client: HttpClient) -> ReadPage:
    async def read(path: str, query: Mapping[str, str]) -> bytes:
        return (await client.request("GET", path, dict(query), "read")).body

    return read
