"""Keeps one account synced, from the first attempt to connect until the daemon stops.

    connect → authorize → listen → session → back off → connect

Apart from the API's error middleware, this is the only place that catches `Exception`: a failure of
one account, even an internal error, ends in its own backoff and affects no other account.
"""

import asyncio
import random
import ssl
from collections.abc import Callable

from msgspec import Struct

from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.rest_client import RestClient
from realtime.broker.trading_stream import TradingStream
from realtime.core.backoff import Backoff
from realtime.core.model import AccountLabel, Order
from realtime.errors import (
    BrokerError,
    Deaf,
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
from realtime.sync.session import SyncSession
from realtime.telemetry.log import get_logger

log = get_logger()

DEAF_WAIT_S = 1.0
"""Wait before the next connection after a deaf one. The deaf one was closed properly and the broker
works, so no backoff is needed; reconciliation detects deafness at most twice a minute."""

POLL_INTERVAL_S = 30.0
"""Between reads while the link is down: at four to six requests each, 6 % of the budget."""


class SyncTarget(Struct, frozen=True, kw_only=True):
    """Where one account is, and its credentials."""

    label: AccountLabel
    stream_url: str
    ssl_context: ssl.SSLContext | None
    """Shared by all encrypted streams; unused for `ws://`."""
    credentials: Credentials
    account_number: str | None = None


class AccountSupervisor:
    """Connects one account, again and again."""

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
        while True:
            error = await self._run_isolated()
            if isinstance(error, Refused):
                self._reporter.report_refused(error)
                return
            if isinstance(error, Deaf):
                self._reporter.report_deaf(error)
                await asyncio.sleep(DEAF_WAIT_S)
                continue
            is_limited = isinstance(error, LinkError) and error.status == 429
            self._backoff, wait_s = self._backoff.failed(
                rate_limited=is_limited, rng=self._rng.random
            )
            self._reporter.report_waiting(error, wait_s)
            try:
                await self._wait(wait_s)
            except Refused as refusal:
                self._reporter.report_refused(refusal)
                return

    async def _run_isolated(self) -> RealtimeError:
        """Run one session; return the error that ended it."""
        try:
            await self._run_session()
        except RealtimeError as error:
            return error
        except Exception as error:
            log.exception("account.failed", account=self._target.label)
            return LinkError(f"internal error: {type(error).__name__}")
        raise AssertionError("a session does not end without an error")

    async def _wait(self, wait_s: float) -> None:
        """Wait for the next attempt. During a long outage, read by REST at a low rate, so that the
        state is old by seconds and not by minutes; it stays marked stale. Raises `Refused`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while until - loop.time() > POLL_INTERVAL_S:
            await asyncio.sleep(POLL_INTERVAL_S)
            try:
                async with asyncio.timeout_at(until):
                    await self._replica.read_everything("poll")
                self._reporter.report_poll()
            except TimeoutError:
                return
            except (LinkError, BrokerError, ProtocolViolation) as error:
                log.debug("poll.failed", account=self._target.label, reason=str(error))
        await asyncio.sleep(max(0.0, until - loop.time()))

    async def _run_session(self) -> None:
        stream = await self._open_stream()
        session = SyncSession(
            stream,
            self._replica,
            self._store,
            clock=self._clock,
            rng=self._rng,
            intervals=self._intervals(),
            refresh_limiter=self._refresh_limiter,
        )
        self._session = session
        self._reporter.report_progress("syncing")
        before = self._replica.record.link

        def handle_synced() -> None:
            self._backoff = Backoff()
            self._reporter.log_synced(
                stale_since=before.stale_since, attempts=before.reconnect_attempts
            )

        try:
            await session.run(synced_link=self._reporter.synced_link, on_synced=handle_synced)
        finally:
            self._session = None
            await stream.close()

    async def _open_stream(self) -> TradingStream:
        """Connect, authorize and listen, within the limits of the fleet."""
        async with self._connect_limiter.slot():
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
        except BaseException:
            await stream.close()
            raise
        return stream
