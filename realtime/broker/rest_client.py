"""The broker's REST interface as typed calls: one request each, paced, limited, no retry.

Whoever calls decides whether to try again. Errors are ours: `Refused` for a key that is not
taken, `RateLimited`, `LinkError` for everything that another attempt may cure, `BrokerError` for an
answer that says no, `ProtocolViolation` for one that cannot be read.
"""

import time
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar
from urllib.parse import quote

import aiohttp

from realtime.broker import codec as wire
from realtime.broker.http_client import HttpClient
from realtime.broker.lenient_decoder import is_json
from realtime.broker.rate_limiter import RateLimiter
from realtime.core.model import Account, FillActivity, Order, Position
from realtime.errors import BrokerError, LinkError, ProtocolViolation
from realtime.secret import Credentials

T = TypeVar("T")
Direction = Literal["asc", "desc"]


class RestClient:
    """One account's way to the broker's REST interface; `http` is shared by all accounts."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        credentials: Credentials,
        limiter: RateLimiter,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.channel = HttpClient(http, url, credentials, limiter, wall=wall)

    @property
    def last_request_id(self) -> str | None:
        """The broker's name for the last answered request; its support asks for it."""
        return self.channel.last_request_id

    @property
    def offset_s(self) -> float | None:
        """The broker's clock less ours in seconds, learned from answers; None before the first."""
        return self.channel.offset_s

    async def account(self) -> Account:
        """Read the account."""
        return self._read(wire.decode_account, await self._get("/v2/account", {}))

    async def positions(self) -> tuple[Position, ...]:
        """Read all positions."""
        return self._read(wire.decode_positions, await self._get("/v2/positions", {}))

    async def orders(
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
        }
        return self._read(wire.decode_orders, await self._get("/v2/orders", query))

    async def order(self, order_id: str, *, nested: bool = True) -> Order | None:
        """Read one order; None when the broker says that it does not exist."""
        path = f"/v2/orders/{quote(order_id, safe='')}"
        try:
            body = await self._get(path, {"nested": "true" if nested else "false"})
        except BrokerError as error:
            if error.status == 404 and error.code is not None:
                return None
            raise
        return self._read(wire.decode_order, body)

    async def fills(
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
        return self._read(wire.decode_fills, await self._get("/v2/account/activities/FILL", query))

    async def _get(self, path: str, query: Mapping[str, str | None]) -> bytes:
        params = {name: value for name, value in query.items() if value is not None}
        return (await self.channel.ask("GET", path, params, "read")).body

    def _read(self, decode: Callable[[bytes], T], body: bytes) -> T:
        return read(decode, body)


def read(decode: Callable[[bytes], T], body: bytes) -> T:
    """Decode an answer; one that is no JSON at all is a proxy's, and may be cured by time."""
    try:
        return decode(body)
    except ProtocolViolation as violation:
        if is_json(body):
            raise
        raise LinkError("the broker's answer is not JSON") from violation
