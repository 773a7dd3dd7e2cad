"""Keeps one account synced, from the first attempt to connect until the daemon stops.

    connect → authorize → listen → session → back off → connect

Apart from the API's error middleware, this is the only place that catches `Exception`: a failure of
one account, even an internal error, ends in its own backoff and affects no other account.
"""

import asyncio
import math
import random
import ssl
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TypeVar

from msgspec import Struct

from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.rest_client import RestClient
from realtime.broker.trading_stream import TradingStream
from realtime.core.backoff import OWN_SLOT_WINDOW_S, Backoff
from realtime.core.model import AccountLabel, Order
from realtime.errors import (
    BrokerError,
    ConnectionLimitReached,
    Deaf,
    KeyRejected,
    LinkError,
    ProtocolViolation,
    RateLimited,
    RealtimeError,
    Refused,
)
from realtime.secret import Credentials
from realtime.store.store import Store
from realtime.sync.balances import RefreshLimiter
from realtime.sync.intervals import ReadIntervals
from realtime.sync.link_reporter import LinkReporter
from realtime.sync.replica import Replica
from realtime.sync.session import SyncSession, first_cause
from realtime.telemetry.log import get_logger

log = get_logger()

T = TypeVar("T")

DEAF_WAIT_S = 1.0
"""Wait before the next connection after a deaf one. The deaf one was closed properly and the broker
works, so no backoff is needed; reconciliation detects deafness at most twice a minute."""

POLL_INTERVAL_S = 30.0
"""Between reads while the link is down: at four to six requests each, 6 % of the budget."""

OWN_SLOT_FACT = "the broker may still count our last connection"
OWN_SLOT_REMEDY = (
    "wait: the broker drops a lost connection after about 90 s; if this lasts for more than four "
    "minutes, another program holds it"
)


class SyncTarget(Struct, frozen=True, kw_only=True):
    """Where one account is, and its credentials."""

    label: AccountLabel
    stream_url: str
    ssl_context: ssl.SSLContext | None
    """Shared by all encrypted streams; unused for `ws://`."""
    credentials: Credentials
    account_number: str | None = None


class AccountSupervisor:
    """Connects one account, again and again.

    `taken_slot_until`: until when the broker may count the connection of another daemon, from which
    the account was taken over (loop time).
    """

    def __init__(
        self,
        target: SyncTarget,
        *,
        store: Store,
        rest: RestClient,
        connect_limiter: ConnectLimiter,
        refresh_limiter: RefreshLimiter,
        intervals: Callable[[], ReadIntervals],
        clock: Callable[[], float],
        rng: random.Random,
        taken_slot_until: float = -math.inf,
    ) -> None:
        self._target = target
        self._store = store
        self._connect_limiter = connect_limiter
        self._refresh_limiter = refresh_limiter
        self._intervals = intervals
        self._clock = clock
        self._rng = rng
        self._backoff = Backoff()
        self._session: SyncSession | None = None
        self._taken_slot_until = taken_slot_until
        self._own_slot_until = -math.inf
        """Until when the broker may count a former connection of ours (loop time)."""
        self._next_poll_at = math.inf
        """When to read by REST if there is no stream by then (loop time)."""
        self._reporter = LinkReporter(target.label, store, clock)
        self._replica = Replica(
            target.label,
            store=store,
            rest=rest,
            clock=clock,
            account_number=target.account_number,
        )

    def apply_order(self, order: Order) -> None:
        """Apply an order from the broker's response to a request of ours."""
        self._replica.apply_order(order)
        if self._session is not None:
            self._session.watch(order)

    async def keep_synced(self) -> None:
        """Keep the account synced until cancelled, or until its credentials are refused."""
        now = asyncio.get_running_loop().time()
        # A previous run of this daemon may have ended without closing its connection.
        self._own_slot_until = now + OWN_SLOT_WINDOW_S
        self._next_poll_at = now + self._intervals().first_poll_s
        try:
            while True:
                async with AsyncExitStack() as resources:
                    error = await self._run_isolated(resources)
                    # Before the stream is closed: that takes seconds, in which events are lost.
                    next_attempt_at = self._report_failure(error)
                if next_attempt_at is None:
                    break
                await self._wait_until(next_attempt_at)
        except Refused as error:
            self._reporter.report_refused(error)
        finally:
            self._reporter.close()

    def request_balances(self) -> None:
        """Read positions and account soon; without a stream the next connect does."""
        if self._session is not None:
            self._session.request_balances()

    async def read_now(self) -> None:
        """Read everything by REST and publish it. Raises a `RealtimeError`.

        Without a stream the state stays marked stale, as after any read during an outage.
        """
        reconciled = await self._replica.read_everything("request")
        if self._session is not None:
            self._session.handle_read(reconciled)
        if not self._replica.record.link.is_synced:
            self._reporter.report_poll()

    async def _run_isolated(self, resources: AsyncExitStack) -> RealtimeError:
        """Run one session; return the error that ended it. `resources` closes the stream."""
        try:
            await self._run_session(resources)
        except KeyRejected as error:
            return self._replica.rejections.count("stream", error)
        except RealtimeError as error:
            return error
        except Exception as error:
            log.exception("account.failed", account=self._target.label)
            return LinkError(f"internal error: {type(error).__name__}")
        raise AssertionError("a session does not end without an error")

    def _report_failure(self, error: RealtimeError) -> float | None:
        """Report that there is no stream, and why; return when to try again, as loop time. `None`:
        not at all, the credentials were refused."""
        now = asyncio.get_running_loop().time()
        if isinstance(error, Refused):
            self._reporter.report_refused(error)
            return None
        if isinstance(error, Deaf):
            self._reporter.report_deaf(error)
            return now + DEAF_WAIT_S
        rng = self._rng.random
        if isinstance(error, ConnectionLimitReached):
            is_own_slot = now < self._own_slot_until
            if is_own_slot:
                error = ConnectionLimitReached(
                    f"{OWN_SLOT_FACT} ({error.message})",
                    remedy=OWN_SLOT_REMEDY,
                    retry_after_s=error.retry_after_s,
                )
            self._backoff, wait_s = self._backoff.after_rate_limit(
                rng,
                is_own_slot=is_own_slot,
                retry_after_s=error.retry_after_s,
                is_former_owner_slot=now < self._taken_slot_until,
            )
        else:
            self._backoff, wait_s = self._backoff.after_failure(rng)
        self._reporter.report_waiting(error, wait_s)
        return now + wait_s

    async def _wait_until(self, at: float) -> None:
        """Wait for the next attempt; read by REST meanwhile."""
        if not self._replica.record.has_data:
            self._next_poll_at = -math.inf  # REST may work although the stream does not
        now = asyncio.get_running_loop().time()
        await self._while_polling(asyncio.sleep(max(0.0, at - now)))

    async def _while_polling(self, step: Coroutine[None, None, T]) -> T:
        """Run a step without a stream, and read by REST meanwhile, at a low rate: so the state is
        old by seconds and not by minutes. It stays marked stale. Raises what `step` or the broker's
        rejection of the key raises."""
        try:
            async with asyncio.TaskGroup() as tasks:
                polling = tasks.create_task(self._poll(), name=f"poll:{self._target.label}")
                try:
                    return await step
                finally:
                    polling.cancel()
        except BaseExceptionGroup as group:
            raise first_cause(group) from group

    async def _poll(self) -> None:
        """Read everything when it is due, until cancelled. Raises `Refused`."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._next_poll_at - loop.time()))
            self._next_poll_at = loop.time() + POLL_INTERVAL_S
            try:
                await self._replica.read_everything("poll")
            except (LinkError, BrokerError, ProtocolViolation) as error:
                log.debug("poll.failed", account=self._target.label, reason=str(error))
            else:
                self._reporter.report_poll()

    async def _run_session(self, resources: AsyncExitStack) -> None:
        stream = await self._while_polling(self._open_stream())
        resources.push_async_callback(stream.close)
        self._replica.rejections.reset("stream")
        session = SyncSession(
            stream,
            self._replica,
            self._store,
            self._reporter,
            clock=self._clock,
            rng=self._rng,
            intervals=self._intervals(),
            refresh_limiter=self._refresh_limiter,
        )
        self._session = session
        before = self._replica.record.link

        def handle_synced() -> None:
            self._backoff = Backoff()
            self._reporter.log_synced(
                stale_since=before.stale_since, attempts=before.reconnect_attempts
            )

        try:
            await session.run(on_synced=handle_synced)
        finally:
            self._session = None
            now = asyncio.get_running_loop().time()
            self._own_slot_until = now + OWN_SLOT_WINDOW_S
            self._next_poll_at = now + POLL_INTERVAL_S

    async def _open_stream(self) -> TradingStream:
        """Connect, authorize and listen, within the limits of the fleet."""
        async with self._connect_limiter.slot(self._target.credentials.key_id):
            try:
                stream = await self._connect()
            except RateLimited:
                self._connect_limiter.report("rate_limited")
                raise
            except LinkError:
                self._connect_limiter.report("failed")
                raise
            self._connect_limiter.report("ok")
            return stream

    async def _connect(self) -> TradingStream:
        target = self._target
        self._reporter.report_progress("connecting")
        stream = await TradingStream.connect(target.stream_url, ssl_context=target.ssl_context)
        try:
            self._reporter.report_progress("authorizing")
            await stream.authorize(target.credentials)
            await stream.listen()
        except BaseException as error:
            if not isinstance(error, ConnectionLimitReached):
                # The socket was open: the broker may count it until it notices the end.
                self._own_slot_until = asyncio.get_running_loop().time() + OWN_SLOT_WINDOW_S
            await stream.close()
            raise
        return stream
