"""The broker's REST interface as typed reads: one request each, rate limited, never retried.

The caller decides whether to retry. Errors are ours: `KeyRejected`, `RateLimited`,
`LinkError` for everything that a retry may cure, `BrokerError` for a rejected request,
`ProtocolViolation` for a response that cannot be decoded.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar
from urllib.parse import quote

import aiohttp

from realtime.broker import codec
from realtime.broker.http_client import HttpClient
from realtime.broker.lenient_decoder import is_json
from realtime.broker.rate_limiter import RateLimiter
from realtime.broker.responses import GATEWAY
from realtime.core.cash_flows import FLOW_TYPES, CashFlow
from realtime.core.model import Account, FillActivity, Order, Position
from realtime.errors import BrokerError, LinkError, ProtocolViolation
from realtime.secret import Credentials

T = TypeVar("T")
Direction = Literal["asc", "desc"]


class RestClient:
    """Reads one account from the broker; all accounts share the aiohttp `session`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        credentials: Credentials,
        limiter: RateLimiter,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.http = HttpClient(session, url, credentials, limiter, clock=clock)

    @property
    def last_request_id(self) -> str | None:
        """The broker's id of the last answered request; its support asks for it."""
        return self.http.last_request_id

    @property
    def clock_offset_s(self) -> float | None:
        """The broker's clock minus ours in seconds; None before the first response."""
        return self.http.clock_offset_s

    async def fetch_account(self) -> Account:
        """Read the account."""
        return decode_response(codec.decode_account, await self._get("/v2/account", {}))

    async def fetch_positions(self) -> tuple[Position, ...]:
        """Read all positions."""
        return decode_response(codec.decode_positions, await self._get("/v2/positions", {}))

    async def fetch_orders(
        self,
        *,
        status: Literal["open", "closed", "all"] = "all",
        limit: int = 500,
        after: str | None = None,
        until: str | None = None,
        direction: Direction = "desc",
        nested: bool = True,
        before_order_id: str | None = None,
        after_order_id: str | None = None,
        symbols: Sequence[str] = (),
        side: Literal["buy", "sell"] | None = None,
    ) -> tuple[Order, ...]:
        """Read one page of orders by time of submission; all bounds are exclusive."""
        query = {
            "status": status,
            "limit": str(limit),
            "after": after,
            "until": until,
            "direction": direction,
            "nested": "true" if nested else "false",
            "before_order_id": before_order_id,
            "after_order_id": after_order_id,
            "symbols": ",".join(symbols) or None,
            "side": side,
        }
        return decode_response(codec.decode_orders, await self._get("/v2/orders", query))

    async def fetch_order(self, order_id: str, *, nested: bool = True) -> Order | None:
        """Read one order; None when the broker reports that it does not exist."""
        path = f"/v2/orders/{quote(order_id, safe='')}"
        try:
            body = await self._get(path, {"nested": "true" if nested else "false"})
        except BrokerError as error:
            if error.status == 404 and error.code is not None:
                return None
            raise
        return decode_response(codec.decode_order, body)

    async def fetch_fills(
        self,
        *,
        after: str | None = None,
        page_size: int = 100,
        page_token: str | None = None,
        direction: Direction = "asc",
    ) -> tuple[FillActivity, ...]:
        """Read one page of FILL activities; `page_token` is the last id of the page before."""
        query = {
            "after": after,
            "page_size": str(page_size),
            "page_token": page_token,
            "direction": direction,
        }
        body = await self._get("/v2/account/activities/FILL", query)
        return decode_response(codec.decode_fills, body)

    async def fetch_flows(
        self, *, page_size: int = 100, page_token: str | None = None
    ) -> tuple[CashFlow, ...]:
        """Read one page of deposits and withdrawals, oldest first."""
        query = {
            "activity_types": ",".join(FLOW_TYPES),
            "page_size": str(page_size),
            "page_token": page_token,
            "direction": "asc",
        }
        return decode_response(codec.decode_flows, await self._get("/v2/account/activities", query))

    async def fetch_calendar(self, *, start: str, end: str) -> tuple[codec.CalendarRow, ...]:
        """Read the trading days between two dates, both included."""
        query = {"start": start, "end": end}
        return decode_response(codec.decode_calendar, await self._get("/v2/calendar", query))

    async def _get(self, path: str, query: Mapping[str, str | None]) -> bytes:
        params = {name: value for name, value in query.items() if value is not None}
        return (await self.http.request("GET", path, params, "read")).body


def decode_response(decode: Callable[[bytes], T], body: bytes) -> T:
    """Decode a response. One that is not JSON at all is a proxy's, so it is a `LinkError`."""
    try:
        return decode(body)
    except ProtocolViolation as violation:
        if is_json(body):
            raise
        raise LinkError("the broker's response is not JSON", remedy=GATEWAY) from violation
