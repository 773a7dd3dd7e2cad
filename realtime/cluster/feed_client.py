"""Follows one owner: one connection, resumed where it broke, its frames applied in order.

Responses about its accounts are marked stale as soon as the connection is lost, or when nothing has
arrived for three beats.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from random import Random

import aiohttp
from msgspec import Struct

from realtime.cluster.feed_server import BEAT_INTERVAL_S, CONTENT_TYPE, FEED_PATH
from realtime.cluster.frames import (
    AccountChange,
    AccountSnapshot,
    Beat,
    Frame,
    FrameReader,
    Handed,
    Hello,
    UnreadableFormat,
    read_hello,
)
from realtime.cluster.front_accounts import FrontAccounts
from realtime.cluster.mesh import SECRET_HEADER, describe_os_error
from realtime.config.validators import LABEL
from realtime.errors import ConfigError, ProtocolViolation
from realtime.secret import Secret
from realtime.telemetry.log import get_logger

log = get_logger()

MISSED_BEATS = 3
SILENCE_S = MISSED_BEATS * BEAT_INTERVAL_S
"""After this time without a byte the feed counts as lost."""

LATE_TIMER_S = 0.25
"""A timer that fires this much late means that we were slow, and not the owner."""

CONNECT_TIMEOUT_S = 5.0
READ_BYTES = 1024 * 1024
FIRST_RETRY_S = 0.05
MAX_RETRY_S = 2.0
REFUSED_RETRY_S = 10.0
"""After an error that only a person can correct."""

MAX_SLICE_S = 0.002
"""The longest time that frames are applied at once."""


class OwnerRefused(Exception):
    """The owner refuses the feed, or is not one that can be followed; a person must correct it."""


class FeedStatus(Struct, kw_only=True):
    """How a feed is doing. Times are epoch seconds by our clock."""

    address: str
    """Of the feed."""
    member: str | None = None
    url: str | None = None
    """The owner's address for clients."""
    is_current: bool = False
    since: float
    """Since when it is current, or is not."""
    has_joined: bool = False
    """Whether it was ever current."""
    error: str | None = "not connected yet"
    """Why it is not current."""
    frames: int = 0
    snapshots: int = 0
    connections: int = 0
    resumed: int = 0
    head: int = 0
    """The number of the owner's newest frame here."""
    is_engine_reachable: bool | None = None
    """Whether the owner reaches the engine; None: it has none."""
    skew_s: float | None = None
    """The owner's clock minus ours, with the way between them."""


class FeedClient:
    """One owner. `address` is that of its mesh; `clock` gives epoch seconds."""

    def __init__(
        self,
        address: str,
        accounts: FrontAccounts,
        session: aiohttp.ClientSession,
        *,
        fleet: str,
        secret: Secret,
        clock: Callable[[], float],
        rng: Random,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._accounts = accounts
        self._session = session
        self._fleet = fleet
        self._secret = secret
        self._clock = clock
        self._rng = rng
        self._tls = tls
        self._run: str | None = None
        self._position: int | None = None
        """The number of the last frame of that run; None: all accounts are needed."""
        self._received_at = clock()
        """When a frame was last received, epoch seconds."""
        self.joined = asyncio.Event()
        """Set once all accounts of the owner were received for the first time."""
        self.status = FeedStatus(address=address, since=clock())

    async def run(self) -> None:
        """Follow the owner, until cancelled."""
        wait_s = 0.0
        while True:
            try:
                await self._follow()
                raise ConnectionError("the owner has ended the feed")
            except OwnerRefused as error:
                reason, wait_s = str(error), REFUSED_RETRY_S
            except UnreadableFormat as error:
                reason, wait_s = str(error), REFUSED_RETRY_S
            except ProtocolViolation as error:
                reason, self._position = str(error), None
                wait_s = min(MAX_RETRY_S, max(FIRST_RETRY_S, 2 * wait_s))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = _describe(error)
                wait_s = min(MAX_RETRY_S, max(FIRST_RETRY_S, 2 * wait_s))
            except Exception:  # a bug: nothing may be shown as current that no longer is
                log.exception("owner.failed", address=self.status.address)
                reason, wait_s, self._position = "internal error", MAX_RETRY_S, None
            if self.status.is_current:
                wait_s = FIRST_RETRY_S
            await self._lose(reason)
            await asyncio.sleep(wait_s * self._rng.uniform(0.8, 1.2))

    async def end(self) -> None:
        """Mark the owner's accounts stale for good: it is no member any more."""
        await self._lose("it is no member of the fleet any more")

    async def _lose(self, reason: str) -> None:
        """Mark the owner's accounts stale, and say so once."""
        status = self.status
        if status.is_current or status.error != reason:
            log.warning("owner.lost", owner=status.member, address=status.address, reason=reason)
        if status.is_current:
            status.is_current, status.since = False, self._clock()
        status.error = reason
        name = status.member or status.address
        await self._accounts.mark_stale(
            status.address, f"owner {name} not received: {reason}", self._received_at
        )

    async def _follow(self) -> None:
        """One connection, to its end. Raises whatever ends it."""
        params = {} if self._position is None else {"from": f"{self._run}:{self._position}"}
        started_at = asyncio.get_running_loop().time()
        async with self._session.get(
            self.status.address + FEED_PATH,
            params=params,
            headers={SECRET_HEADER: self._secret.reveal()},
            # A redirect would send the secret elsewhere.
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            read_bufsize=READ_BYTES,
            ssl=True if self._tls is None else self._tls,
        ) as response:
            _check(response)
            self.status.connections += 1
            async with aclosing(self._read_frames(response.content)) as frames:
                hello = await self._read_hello(frames)
                if not hello.resumed:
                    self._position = None  # until everything has arrived
                await self._apply_frames(frames, hello, started_at)

    async def _read_hello(self, frames: AsyncIterator[Frame]) -> Hello:
        try:
            hello = read_hello(await anext(frames))
        except StopAsyncIteration:
            raise ConnectionError("the owner has ended the feed") from None
        if hello.fleet != self._fleet:
            raise OwnerRefused(f"it belongs to fleet {hello.fleet[:64]!r}, not {self._fleet!r}")
        if not LABEL.fullmatch(hello.member):  # it becomes a header of responses
            raise ProtocolViolation(f"its name is none: {hello.member[:64]!r}")
        self._run = hello.run
        self.status.member, self.status.url = hello.member, hello.url
        self.status.head = hello.head
        if not self._accounts.begin(self.status.address, hello):
            raise ProtocolViolation("accounts came from another owner meanwhile")
        return hello

    async def _apply_frames(
        self, frames: AsyncIterator[Frame], hello: Hello, started_at: float
    ) -> None:
        feed, member, status, accounts = (
            self.status.address, hello.member, self.status, self._accounts,
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        n = hello.head if self._position is None else self._position
        yield_at = loop.time() + MAX_SLICE_S
        async for frame in frames:
            value = frame.decode()
            status.frames += 1
            match value:
                case AccountChange() | Handed():
                    if value.n != n + 1:
                        raise ProtocolViolation(f"frame {value.n} follows {n}")
                    n = status.head = value.n
                    if isinstance(value, AccountChange):
                        accounts.apply_change(feed, member, value)
                    else:
                        accounts.apply_handed(feed, value)
                case AccountSnapshot():
                    status.snapshots += 1
                    accounts.apply_snapshot(feed, member, value)
                case Beat():
                    if value.n != n:
                        raise ProtocolViolation(f"a beat of {value.n} follows frame {n}")
                    status.skew_s = round(value.at - self._clock(), 3)
                    if value.is_engine_reachable is not None:
                        status.is_engine_reachable = value.is_engine_reachable
                    if not status.is_current:
                        await self._finish_joining(hello, loop.time() - started_at)
                    accounts.record_messages(feed, value.messages)
                case Hello():
                    raise ProtocolViolation("a second hello")
            if status.is_current or hello.resumed:
                self._position = n
            if loop.time() >= yield_at:
                await asyncio.sleep(0)
                yield_at = loop.time() + MAX_SLICE_S

    async def _finish_joining(self, hello: Hello, took_s: float) -> None:
        status = self.status
        await self._accounts.finish_joining(status.address)
        status.is_current, status.has_joined, status.error = True, True, None
        self.joined.set()
        status.since = self._clock()
        status.resumed += hello.resumed
        log.info(
            "owner.connected",
            owner=hello.member,
            address=status.address,
            accounts=self._accounts.count(status.address),
            resumed=hello.resumed,
            took_s=round(took_s, 2),
        )

    async def _read_frames(self, content: aiohttp.StreamReader) -> AsyncGenerator[Frame, None]:
        reader, loop = FrameReader(), asyncio.get_running_loop()
        while True:
            deadline = loop.time() + SILENCE_S
            try:
                async with asyncio.timeout_at(deadline):
                    data = await content.readany()
            except TimeoutError:
                if loop.time() - deadline < LATE_TIMER_S:
                    raise TimeoutError(f"nothing received for {SILENCE_S} s") from None
                # We were slow: what has arrived meanwhile was not read yet.
                async with asyncio.timeout(LATE_TIMER_S):
                    data = await content.readany()
            if not data:
                return
            self._received_at = self._clock()
            for frame in reader.read(data):
                yield frame


def _check(response: aiohttp.ClientResponse) -> None:
    """Raise unless the response is a feed."""
    if response.status == 200 and response.content_type == CONTENT_TYPE:
        return
    if response.status == 401:
        raise OwnerRefused("the owner refuses the secret: `secret_file` must be equal on both")
    if response.status == 503:
        raise ConnectionError("the owner has no room for another front")
    raise OwnerRefused(f"no feed is there (status {response.status})")


def _describe(error: BaseException) -> str:
    """The reason in a few words, without an address of this machine."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid here: set `tls_ca_file`"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {describe_os_error(error.os_error)}"
    if isinstance(error, aiohttp.ClientPayloadError | ConnectionResetError):
        return "the connection was lost"
    return str(error)[:200] or type(error).__name__


def make_client_tls(ca_file: Path | None, addresses: Sequence[str]) -> ssl.SSLContext | None:
    """What verifies the owners' certificates; None without one that uses TLS. Raises
    `ConfigError`."""
    if not any(address.startswith("https://") for address in addresses):
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cluster: the certificates in {ca_file} cannot be used: {error}",
            remedy="check `tls_ca_file` in [cluster]",
        ) from error
