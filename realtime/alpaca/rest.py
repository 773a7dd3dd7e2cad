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
from yarl import URL

from realtime.alpaca import answers, wire
from realtime.alpaca.lenient import is_json
from realtime.alpaca.offset import Offset
from realtime.alpaca.pacing import Lane, Pacer
from realtime.core.model import Account, FillActivity, Order, Position
from realtime.errors import BrokerError, LinkError, ProtocolViolation, RateLimited
from realtime.secret import Credentials

CALL_S = 15.0
"""Limit of one call once it may go out; the broker answers in 0.1 s, a full page in under 2 s."""

BODY_MAX = 64 * 2**20
"""Security limit in bytes, unpacked; 500 orders with legs are 2 MB."""

CHUNK = 2**16

T = TypeVar("T")
Direction = Literal["asc", "desc"]


class Rest:
    """One account's way to the broker's REST interface; `http` is shared by all accounts."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        credentials: Credentials,
        pacer: Pacer,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._base = url.rstrip("/")
        self._credentials = credentials
        self._pacer = pacer
        self._wall = wall
        self._offset = Offset()
        self.last_request_id: str | None = None
        """The broker's name for the last answered request; its support asks for it."""

    @property
    def offset_s(self) -> float | None:
        """The broker's clock less ours in seconds, learned from answers; None before the first."""
        return self._offset.seconds

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
        return await self._call("GET", path, params, lane="read")

    async def _call(self, method: str, path: str, params: Mapping[str, str], lane: Lane) -> bytes:
        async with self._pacer.slot(lane):
            try:
                return await self._exchange(method, path, params)
            except RateLimited as limited:
                self._pacer.refused(limited.retry_after_s)
                raise
            except TimeoutError as error:
                raise LinkError(f"no answer to {method} {path} within {CALL_S:.0f} s") from error
            except (aiohttp.ClientError, OSError) as error:
                reason = str(error) or type(error).__name__
                raise LinkError(f"{method} {path} failed: {reason}") from error

    async def _exchange(self, method: str, path: str, params: Mapping[str, str]) -> bytes:
        sent_at = self._wall()
        async with self._http.request(
            method,
            URL(self._base + path, encoded=True),
            params=params,
            headers=wire.authorize_headers(self._credentials),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=CALL_S),
        ) as response:
            self._learn(response.headers, sent_at)
            body = await _bounded(response.content)
            answers.check(response.status, response.headers, body, f"{method} {path}")
            return body

    def _learn(self, headers: Mapping[str, str], sent_at: float) -> None:
        self.last_request_id = headers.get("X-Request-ID")
        date = answers.epoch(headers.get("Date"))
        if date is not None:
            self._offset.learn(date, sent_at, self._wall())
        self._pacer.heard(
            remaining=answers.whole(headers.get("X-RateLimit-Remaining")),
            reset_in_s=answers.reset_in_s(headers),
        )

    def _read(self, decode: Callable[[bytes], T], body: bytes) -> T:
        try:
            return decode(body)
        except ProtocolViolation as violation:
            if is_json(body):
                raise
            raise LinkError("the broker's answer is not JSON") from violation


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_chunked(CHUNK):
        body += chunk
        if len(body) > BODY_MAX:
            raise LinkError(f"the broker's answer is longer than {BODY_MAX >> 20} MiB")
    return bytes(body)
