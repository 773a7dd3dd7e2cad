"""One account's HTTP way to the broker: one request, paced, limited, never repeated.

Whoever calls decides whether to try again. What went wrong is said in our words, and whether it can
have happened all the same: `NotSent` did not leave this process, `Refused`, `RateLimited` and
`BrokerError` are the broker's own no; after any other `LinkError` nobody knows.
"""

import time
from collections.abc import Callable, Mapping

import aiohttp
from msgspec import Struct
from yarl import URL

from realtime.broker import codec as wire
from realtime.broker import responses as answers
from realtime.broker.clock_offset import ClockOffset
from realtime.broker.rate_limiter import Lane, RateLimiter
from realtime.errors import LinkError, NotSent, RateLimited
from realtime.secret import Credentials

CALL_S = 15.0
"""Limit of one call once it may go out; the broker answers in 0.1 s, a full page in under 2 s."""

CONNECT_S = 5.0
"""Limit for a new connection: a request that found none in time is known not to have left."""

BODY_MAX = 64 * 2**20
"""Security limit in bytes, unpacked; 500 orders with legs are 2 MB."""

CHUNK = 2**16


class HttpReply(Struct, frozen=True):
    """The broker's answer that is not an error."""

    status: int
    body: bytes
    request_id: str | None
    """The broker's name for the request; its support asks for it."""


class HttpClient:
    """Requests of one account; `http` is shared by all accounts."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        credentials: Credentials,
        limiter: RateLimiter,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.limiter = limiter
        self.last_request_id: str | None = None
        """The broker's name for the last answered request."""
        self._http = http
        self._base = url.rstrip("/")
        self._credentials = credentials
        self._wall = wall
        self._offset = ClockOffset()

    @property
    def offset_s(self) -> float | None:
        """The broker's clock less ours in seconds, learned from answers; None before the first."""
        return self._offset.seconds

    @property
    def base(self) -> str:
        """Where the broker is, without a slash at the end."""
        return self._base

    async def ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        lane: Lane,
        *,
        body: bytes | None = None,
        limit_s: float = CALL_S,
    ) -> HttpReply:
        """Make one request when the budget has room; `body` is JSON."""
        async with self.limiter.slot(lane):
            try:
                return await self._exchange(method, path, params, body, limit_s)
            except RateLimited as limited:
                self.limiter.refused(limited.retry_after_s, lane)
                raise
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                reason = str(error) or type(error).__name__
                raise NotSent(f"{method} {path} did not leave: {reason}") from error
            except TimeoutError as error:
                raise LinkError(f"no answer to {method} {path} within {limit_s:.0f} s") from error
            except (aiohttp.ClientError, OSError) as error:
                reason = str(error) or type(error).__name__
                raise LinkError(f"{method} {path} failed: {reason}") from error

    async def _exchange(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        limit_s: float,
    ) -> HttpReply:
        headers = wire.authorize_headers(self._credentials)
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent_at = self._wall()
        async with self._http.request(
            method,
            URL(self._base + path, encoded=True),
            params=params,
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=limit_s, connect=CONNECT_S),
        ) as response:
            request_id = self._learn(response.headers, sent_at)
            answer = await _bounded(response.content)
            answers.check(response.status, response.headers, answer, f"{method} {path}")
            return HttpReply(response.status, answer, request_id)

    def _learn(self, headers: Mapping[str, str], sent_at: float) -> str | None:
        self.last_request_id = request_id = headers.get("X-Request-ID")
        date = answers.epoch(headers.get("Date"))
        if date is not None:
            self._offset.learn(date, sent_at, self._wall())
        self.limiter.heard(
            remaining=answers.whole(headers.get("X-RateLimit-Remaining")),
            reset_in_s=answers.reset_in_s(headers),
            limit=answers.whole(headers.get("X-RateLimit-Limit")),
        )
        return request_id


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_chunked(CHUNK):
        body += chunk
        if len(body) > BODY_MAX:
            raise LinkError(f"the broker's answer is longer than {BODY_MAX >> 20} MiB")
    return bytes(body)
