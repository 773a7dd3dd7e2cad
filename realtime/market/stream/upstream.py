"""Keeps the one connection of a stream to the broker, as long as a client needs it.

    idle → connect → authorize → subscribe in chunks → receive … lost → wait → connect

A failure ends in a wait of its own: 1 s, doubled up to 60 s, and reset once the broker has
confirmed a subscription. The wait is random by ±20 %.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress

from msgspec import Struct

from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.market_codec import Control
from realtime.broker.market_stream import MarketStream
from realtime.errors import (
    ConnectionLimitReached,
    FeedRefused,
    LinkError,
    RealtimeError,
    Refused,
)
from realtime.market.stream.channels import by_channel
from realtime.market.stream.hub import HubState, HubStatus, StreamHub
from realtime.secret import Credentials
from realtime.telemetry.log import get_logger

log = get_logger()

FIRST_WAIT_S = 1.0
MAX_WAIT_S = 60.0
JITTER = 0.2

REFUSED_WAIT_S = 60.0
"""After a refused key or feed: plans and keys change, and each attempt takes the slot."""

IDLE_S = 60.0
"""A connection that no client needs is closed after this time: another program may want it."""

OWN_SLOT_WINDOW_S = 240.0
"""How long after a lost connection a 406 may be due to that connection: the broker drops it after
about 90 s (reports of clients)."""

OWN_SLOT = (
    "wait: the broker may still count our last connection; if this lasts for more than four "
    "minutes, another program is connected with this data key"
)

ACK_TIMEOUT_S = 10.0
"""The broker confirms a subscription in well under a second."""

FRAMES_PER_TURN = 16
"""Frames received before other tasks run."""


class UpstreamTarget(Struct, frozen=True, kw_only=True):
    """Where the streams are, and the key. The address has no path."""

    stream_url: str
    ssl_context: ssl.SSLContext | None
    credentials: Credentials
    connect_limiter: ConnectLimiter


Supervise = Callable[[], Coroutine[None, None, None]]
"""Runs beside a connection; may raise a `LinkError`, such as `Deaf`, which ends it."""


class Upstream:
    """The connection of one hub."""

    def __init__(
        self,
        hub: StreamHub,
        target: UpstreamTarget,
        *,
        rng: random.Random,
        supervise: Supervise,
    ) -> None:
        self._hub = hub
        self._target = target
        self._rng = rng
        self._supervise = supervise
        self._own_slot_until = 0.0
        """Until when the broker may count our last connection (epoch seconds)."""
        self._wait_s = FIRST_WAIT_S

    async def run(self) -> None:
        """Connect whenever a client needs the stream, until cancelled."""
        while True:
            await self._wait_until_needed()
            error = await self._run_isolated()
            if error is None:  # no client needs it
                self._set("idle")
                continue
            wait_s = self._next_wait_s(error)
            self._report(error, wait_s)
            await asyncio.sleep(wait_s)

    async def _wait_until_needed(self) -> None:
        while not self._hub.is_needed:
            self._hub.changed.clear()
            await self._hub.changed.wait()

    async def _run_isolated(self) -> RealtimeError | None:
        """Run one connection; return the error that ended it."""
        try:
            await self._run_session()
        except RealtimeError as error:
            return error
        except Exception as error:
            log.exception("market.failed", path=self._hub.stream.path)
            return LinkError(f"internal error: {type(error).__name__}")
        return None

    async def _run_session(self) -> None:
        stream = await self._connect()
        self._set("connected")
        log.info("market.connected", path=self._hub.stream.path)
        self._hub.changed.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                path = self._hub.stream.path
                others = [
                    tasks.create_task(self._receive(stream), name=f"market:receive:{path}"),
                    tasks.create_task(self._supervise(), name=f"market:supervise:{path}"),
                ]
                await self._send_changes(stream)
                for task in others:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise _first_error(group) from group
        finally:
            self._own_slot_until = self._hub.clock() + OWN_SLOT_WINDOW_S
            await stream.close()

    async def _connect(self) -> MarketStream:
        target = self._target
        self._set("connecting")
        async with target.connect_limiter.slot(target.credentials.key_id):
            stream = await MarketStream.connect(
                target.stream_url + self._hub.stream.path, ssl_context=target.ssl_context
            )
            try:
                await stream.authorize(target.credentials)
            except BaseException:
                await stream.close()
                raise
        return stream

    async def _receive(self, stream: MarketStream) -> None:
        received = 0
        while True:
            message = await stream.receive()
            if isinstance(message, Control):
                self._hub.handle_control(message)
                if message.kind == "subscription":
                    self._wait_s = FIRST_WAIT_S
            else:
                self._hub.publish(message)
            received += 1
            if received % FRAMES_PER_TURN == 0:
                await asyncio.sleep(0)

    async def _send_changes(self, stream: MarketStream) -> None:
        """Send changes of subscriptions, one at a time; return when no client needs the stream."""
        hub, loop = self._hub, asyncio.get_running_loop()
        sent = None
        deadline = idle_at = None
        while True:
            hub.changed.clear()
            change = hub.next_change()
            if change is not None and change is not sent:
                await stream.change(change.action, by_channel(change.pairs))
                deadline = loop.time() + ACK_TIMEOUT_S
            elif change is None:
                deadline = None
            sent = change
            if hub.is_needed:
                idle_at = None
            elif idle_at is None:
                idle_at = loop.time() + IDLE_S
            now = loop.time()
            if deadline is not None and now >= deadline:
                raise LinkError(f"no answer to a subscription within {ACK_TIMEOUT_S:.0f} s")
            if idle_at is not None and now >= idle_at:
                return
            due = [t for t in (deadline, idle_at) if t is not None]
            if (wake_at := hub.next_wake_at()) is not None:
                due.append(now + max(0.05, wake_at - hub.clock()))
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(due, default=None)):
                    await hub.changed.wait()

    def _next_wait_s(self, error: RealtimeError) -> float:
        if isinstance(error, FeedRefused | Refused):
            return REFUSED_WAIT_S
        wait_s = self._wait_s * (1 - JITTER * (1 - 2 * self._rng.random()))
        self._wait_s = min(MAX_WAIT_S, self._wait_s * 2)
        return wait_s

    def _report(self, error: RealtimeError, wait_s: float) -> None:
        hub, remedy = self._hub, error.remedy
        state: HubState = "waiting"
        if isinstance(error, FeedRefused):
            state = "refused"
        elif isinstance(error, ConnectionLimitReached):
            state = "occupied"
            remedy = OWN_SLOT if hub.clock() < self._own_slot_until else remedy
        hub.counts["reconnects"] += 1
        hub.set_status(
            HubStatus(
                state=state,
                since=hub.clock(),
                error=error.message,
                remedy=remedy or None,
                next_attempt_at=hub.clock() + wait_s,
            )
        )
        log.warning(
            "market.disconnected",
            path=hub.stream.path,
            state=state,
            reason=error.message,
            wait_s=round(wait_s, 1),
        )

    def _set(self, state: HubState) -> None:
        if self._hub.status.state != state:
            self._hub.set_status(HubStatus(state=state, since=self._hub.clock()))


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to report: an internal error, else the first."""
    leaves = [
        _first_error(error) if isinstance(error, BaseExceptionGroup) else error
        for error in group.exceptions
    ]
    internal = (error for error in leaves if not isinstance(error, RealtimeError))
    return next(internal, leaves[0])
