"""One account's HTTP client for the broker: each request is rate limited, bounded, never repeated.

The caller decides whether to retry. The error says whether the request may have taken effect:
`NotSent` did not leave this process; `KeyRejected`, `RateLimited` and `BrokerError` are the
broker's own rejection; after any other `LinkError` the result is unknown.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar

import aiohttp
from aiohttp.connector import Connection
from msgspec import Struct
from yarl import URL

from realtime.broker import responses
from realtime.broker.codec import authorization_headers
from realtime.broker.proxies import UNKNOWN_CA, find_proxy
from realtime.broker.rate_limiter import Lane, RateLimiter
from realtime.broker.sanitizer import Sanitizer
from realtime.errors import LinkError, NotSent, RateLimited
from realtime.secret import Credentials, Secret
from realtime.telemetry.histogram import Histogram

REQUEST_TIMEOUT_S = 15.0
"""Limit of one request once it may leave; the broker answers in 0.1 s, a full page in under 2 s."""

CONNECT_TIMEOUT_S = 5.0
"""Limit of a new connection: a request without one by then is known not to have left."""

MAX_BODY_BYTES = 8 * 2**20
"""Security limit, uncompressed; 500 orders with legs are 2 MB, 5000 positions are 4 MB. Decoding
that much takes 40 ms, in which no other account is served."""

MAX_FORWARDED_BYTES = 64 * 2**20
"""The same of a response that is passed on and not decoded: the list of all assets has 16 MB."""

STREAM_SILENCE_S = 120.0
"""Limit of silence on a stream that is passed on; the broker's event streams have heartbeats."""

MAX_REQUEST_ID_LENGTH = 64

LATENCY_BOUNDS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip

CHUNK_BYTES = 2**16

READ_METHODS = frozenset({"GET", "HEAD"})
"""They change nothing (RFC 9110 section 9.2.1)."""


BeforeSend = Callable[[], None]
"""Called when a connection is ready, immediately before the first byte of a request leaves: nothing
is awaited in between. If it raises, nothing leaves, and the error is the request's."""


class Departure(Struct, frozen=True):
    """What must have happened before a request leaves."""

    check: BeforeSend
    record: Callable[[], Awaitable[None]]
    """Awaited once the rate limit allows the request, before a connection is chosen for it. If it
    raises, nothing leaves, and the error is the request's."""


_before_send: ContextVar[BeforeSend | None] = ContextVar("before_send", default=None)


class _CheckedRequest(aiohttp.ClientRequest):
    """A request that is checked at the last moment.

    `send` writes headers and body without suspending; everything that waits (the pool, a new
    connection, TLS) comes before it.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if (before_send := _before_send.get()) is not None:
            before_send()
        return await super().send(conn)


def open_session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    """Return the session of all accounts' requests to the broker. It keeps no cookies."""
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), request_class=_CheckedRequest
    )


def split_proxy(proxy: str | None) -> tuple[URL | None, Mapping[str, str] | None]:
    """Return a proxy's address, and its credentials as headers, as aiohttp takes them."""
    if proxy is None:
        return None, None
    url = URL(proxy)
    if url.user is None:
        return url, None
    authorization = aiohttp.encode_basic_auth(url.user, url.password or "")
    return url.with_user(None), {"Proxy-Authorization": authorization}


@contextmanager
def translate_errors(name: str, sanitizer: Sanitizer, timeout_s: float) -> Iterator[None]:
    """Turn aiohttp's errors of one request into `NotSent`, or another `LinkError` if it may have
    taken effect. `name` is clean; `timeout_s` was its limit."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        fact = f"{name} was not sent: {sanitizer.clean_text(str(error))}"
        raise NotSent(fact, remedy=UNKNOWN_CA) from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        reason = sanitizer.clean_text(str(error)) or type(error).__name__
        raise NotSent(f"{name} was not sent: {reason}") from error
    except TimeoutError as error:
        raise LinkError(f"no response to {name} within {timeout_s:.0f} s") from error
    except (aiohttp.ClientError, OSError) as error:
        reason = sanitizer.clean_text(str(error)) or type(error).__name__
        raise LinkError(f"{name} failed: {reason}") from error


class ForwardedResponse(Struct, frozen=True):
    """A response of the broker as it came, an error included: the body is not encoded any more."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    sent_at: float
    """When the request left, epoch seconds."""


class StreamedResponse:
    """A response of the broker that is passed on while it arrives."""

    def __init__(self, response: aiohttp.ClientResponse, name: str, sanitizer: Sanitizer) -> None:
        self.status = response.status
        self.headers = tuple(response.headers.items())
        self._content = response.content
        self._name = name
        self._sanitizer = sanitizer

    async def read_chunk(self) -> bytes:
        """Return what has arrived; empty at its orderly end. Cancelling it loses nothing. Raises
        `LinkError` if the connection is lost, or silent for `STREAM_SILENCE_S`."""
        try:
            return self._sanitizer.remove_secrets(await self._content.readany())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise LinkError(f"{self._name}: the stream was lost") from error


class HttpResponse(Struct, frozen=True):
    """A response of the broker that is not an error."""

    status: int
    body: bytes
    request_id: str | None
    """The broker's id of the request; its support asks for it."""


class ClockOffset:
    """Estimates the difference between the broker's clock and ours, better with every response.

    A `Date` header is the broker's time, cut to the second, at some moment between our request and
    its response. That bounds the difference from both sides; the bounds of many responses overlap
    in less and less.
    """

    def __init__(self) -> None:
        self._min = float("-inf")
        self._max = float("inf")

    @property
    def seconds(self) -> float | None:
        """The broker's clock minus ours, the middle of what is possible; None before a response."""
        if self._min == float("-inf"):
            return None
        return (self._min + self._max) / 2

    def add(self, date: float, sent_at: float, received_at: float) -> None:
        """Add a response dated `date`, a whole second of the broker's. All are epoch seconds."""
        lower, upper = date - received_at, date + 1 - sent_at
        if lower > self._max or upper < self._min:  # a clock was set: earlier bounds are void
            self._min, self._max = lower, upper
        else:
            self._min, self._max = max(self._min, lower), min(self._max, upper)


class HttpClient:
    """Requests of one account; all accounts share the aiohttp `session`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        credentials: Credentials,
        limiter: RateLimiter,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.limiter = limiter
        self.latency = Histogram(LATENCY_BOUNDS_S)
        """Seconds from a request to its whole response, of those that were answered."""
        self.errors: Counter[str] = Counter()
        """`4xx` and `5xx` → responses. Without 404: that nothing is there is an answer."""
        self.last_request_id: str | None = None
        """The broker's id of the last request that was answered."""
        self.check_change: BeforeSend | None = None
        """Called before the first byte of every request that may change something at the broker;
        None: any may leave."""
        self._session = session
        self._base_url = url.rstrip("/")
        self._credentials = credentials
        self._clock = clock
        self._clock_offset = ClockOffset()
        self._sanitizer = Sanitizer(credentials)
        self._proxy, self._proxy_headers = split_proxy(find_proxy(url))

    @property
    def clock_offset_s(self) -> float | None:
        """The broker's clock minus ours in seconds; None before the first response."""
        return self._clock_offset.seconds

    @property
    def key_id(self) -> Secret:
        """The id of the key; it names the account to Alpaca's own clients."""
        return self._credentials.key_id

    @property
    def base_url(self) -> str:
        """The broker's address, without a slash at the end."""
        return self._base_url

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        lane: Lane,
        *,
        body: bytes | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
        departure: Departure | None = None,
    ) -> HttpResponse:
        """Send one request when the rate limit allows; `body` is JSON.

        `departure` wants a session from `open_session`.
        """
        name = f"{method} {path}"
        before_send = None if departure is None else departure.check
        if self.check_change is not None and method not in READ_METHODS:
            before_send = _call_both(self.check_change, before_send)
        async with self._sending(name, lane, before_send, timeout_s):
            if departure is not None:
                await departure.record()
            return await self._send(method, path, params, body, timeout_s)

    async def forward(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        lane: Lane,
        *,
        timeout_s: float,
        before_send: BeforeSend | None = None,
    ) -> ForwardedResponse:
        """Pass a request on as it is, with this account's key; return whatever the broker responds.

        `target` is the raw path with its query, and begins with a slash. A redirect is returned and
        not followed: it would take the key to another host. Raises `LinkError`.
        """
        name = f"{method} {self._sanitizer.clean_text(target.partition('?')[0])}"
        if self.check_change is not None and method not in READ_METHODS:
            before_send = _call_both(self.check_change, before_send)
        async with self._sending(name, lane, before_send, timeout_s):
            sent_at = self._clock()
            async with self._session.request(
                method,
                URL(self._base_url + target, encoded=True),
                data=body or None,
                headers={**headers, **authorization_headers(self._credentials)},
                skip_auto_headers=("Content-Type", "User-Agent", "Accept"),
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s, connect=CONNECT_TIMEOUT_S),
            ) as response:
                self._read_headers(response.headers, sent_at)
                if response.status == 429:
                    pause_s = responses.retry_after_s(response.headers)
                    self.limiter.handle_rate_limited(pause_s, lane)
                content = await read_body(response.content, MAX_FORWARDED_BYTES)
                return ForwardedResponse(
                    response.status,
                    tuple(response.headers.items()),
                    self._sanitizer.remove_secrets(content),
                    sent_at,
                )

    @asynccontextmanager
    async def open_stream(
        self, target: str, headers: Mapping[str, str], lane: Lane, *, timeout_s: float
    ) -> AsyncIterator[StreamedResponse]:
        """Pass on a GET whose response may be endless; it is open while the block runs.

        `timeout_s` is the limit until its head has arrived, and only until then a slot of the rate
        limit is held. Raises `LinkError`.
        """
        name = f"GET {self._sanitizer.clean_text(target.partition('?')[0])}"
        async with AsyncExitStack() as stack:
            async with self._sending(name, lane, None, timeout_s), asyncio.timeout(timeout_s):
                sent_at = self._clock()
                request = self._session.get(
                    URL(self._base_url + target, encoded=True),
                    headers={**headers, **authorization_headers(self._credentials)},
                    skip_auto_headers=("Content-Type", "User-Agent", "Accept"),
                    allow_redirects=False,
                    proxy=self._proxy,
                    proxy_headers=self._proxy_headers,
                    timeout=aiohttp.ClientTimeout(
                        total=None, connect=CONNECT_TIMEOUT_S, sock_read=STREAM_SILENCE_S
                    ),
                )
                response = await stack.enter_async_context(request)
                self._read_headers(response.headers, sent_at)
                if response.status == 429:
                    pause_s = responses.retry_after_s(response.headers)
                    self.limiter.handle_rate_limited(pause_s, lane)
            yield StreamedResponse(response, name, self._sanitizer)

    def has_credentials(self, key_id: str, secret_key: str) -> bool:
        """Whether this is the account's pair. Both are compared, in constant time."""
        is_key = self._credentials.key_id.matches(key_id)
        is_secret = self._credentials.secret_key.matches(secret_key)
        return is_key and is_secret

    @asynccontextmanager
    async def _sending(
        self, name: str, lane: Lane, before_send: BeforeSend | None, timeout_s: float
    ) -> AsyncIterator[None]:
        """Hold a slot of the rate limit; translate aiohttp's errors into ours."""
        async with self.limiter.slot(lane):
            token = _before_send.set(before_send)
            try:
                with translate_errors(name, self._sanitizer, timeout_s):
                    yield
            except RateLimited as error:
                self.limiter.handle_rate_limited(error.retry_after_s, lane)
                raise
            finally:
                _before_send.reset(token)

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
    ) -> HttpResponse:
        headers = authorization_headers(self._credentials)
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent_at = self._clock()
        async with self._session.request(
            method,
            URL(self._base_url + path, encoded=True),
            params=params,
            data=body,
            headers=headers,
            allow_redirects=False,
            proxy=self._proxy,
            proxy_headers=self._proxy_headers,
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=CONNECT_TIMEOUT_S),
        ) as response:
            request_id = self._read_headers(response.headers, sent_at)
            content = self._sanitizer.clean(await read_body(response.content))
            self.latency.observe(max(0.0, self._clock() - sent_at))
            if response.status >= 400 and response.status != 404:
                self.errors[f"{response.status // 100}xx"] += 1
            name = f"{method} {self._sanitizer.clean_text(path)}"
            responses.check(response.status, response.headers, content, name, request_id)
            return HttpResponse(response.status, content, request_id)

    def _read_headers(self, headers: Mapping[str, str], sent_at: float) -> str | None:
        request_id = headers.get("X-Request-ID")
        if request_id is not None:
            request_id = self._sanitizer.clean_text(request_id, MAX_REQUEST_ID_LENGTH)
        self.last_request_id = request_id
        date = responses.parse_date(headers.get("Date"))
        if date is not None:
            self._clock_offset.add(date, sent_at, self._clock())
        self.limiter.update_from_headers(
            remaining=responses.parse_integer(headers.get("X-RateLimit-Remaining")),
            reset_in_s=responses.reset_in_s(headers),
            limit=responses.parse_integer(headers.get("X-RateLimit-Limit")),
        )
        return request_id


def _call_both(first: BeforeSend, second: BeforeSend | None) -> BeforeSend:
    if second is None:
        return first

    def call() -> None:
        first()
        second()

    return call


async def read_body(content: aiohttp.StreamReader, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return a whole body. Raises `LinkError` if it is longer than `max_bytes`."""
    body = bytearray()
    async for chunk in content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            raise LinkError(f"the broker's response is longer than {max_bytes >> 20} MiB")
    return bytes(body)
