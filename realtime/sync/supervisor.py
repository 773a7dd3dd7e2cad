"""One account's life, from the first attempt to connect until the daemon stops.

    connect → authorize → listen → buffer events → read everything → replay → live → back off

The only place beside the server's error middleware that catches `Exception`: a fault of one
account, even a mistake of ours, ends in its own back-off and touches no other.
"""

import asyncio
import random
import ssl
from collections.abc import Callable

from msgspec import Struct

from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.rest_client import RestClient
from realtime.broker.trading_stream import TradingStream
from realtime.core.apply import GAPS, Applied
from realtime.core.backoff import Backoff
from realtime.core.model import AccountLabel, Order, TradeUpdate
from realtime.core.protocol import Ignored, Unreadable
from realtime.core.reconcile import Reconciled
from realtime.core.state import MONEY, ORDERS
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
from realtime.sync.anomalies import AnomalyResolver
from realtime.sync.balances import BalanceRefresher
from realtime.sync.intervals import ReadIntervals
from realtime.sync.link_reporter import LinkReporter
from realtime.sync.reconciler import Reconciler
from realtime.sync.refresh_limiter import RefreshLimiter
from realtime.sync.replica import Replica
from realtime.sync.watchdog import Watchdog
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_BUFFERED = 20_000
"""Events kept while a snapshot is read; more means that the reading cannot win: start again."""

SNAPSHOT_S = 300.0
"""Limit of a whole reading, paced under the broker's budget and shared with the other accounts."""


DEAF_WAIT_S = 1.0
"""Before the next socket after a deaf one. It was closed in order and the broker is well, so there
is nothing to back off from; comparisons find deafness twice a minute at the most."""

POLL_EVERY_S = 30.0
"""Readings while the link is down: at four to six requests each, 6 % of the account's budget."""


class SyncTarget(Struct, frozen=True, kw_only=True):
    """Where one account is and how to get in."""

    label: AccountLabel
    stream_url: str
    credentials: Credentials
    account_number: str | None = None


class AccountSupervisor:
    """Follows one account."""

    def __init__(
        self,
        target: SyncTarget,
        *,
        store: Store,
        rest: RestClient,
        connect_limiter: ConnectLimiter,
        tls: ssl.SSLContext | None,
        clock: Callable[[], float],
        rng: random.Random,
        intervals: Callable[[], ReadIntervals],
        refresh_limiter: RefreshLimiter,
    ) -> None:
        self._target = target
        self._store = store
        self._connect_limiter = connect_limiter
        self._tls = tls
        self._clock = clock
        self._rng = rng
        self._intervals = intervals
        self._refresh_limiter = refresh_limiter
        self._backoff = Backoff()
        self._session: _SyncSession | None = None
        self._journal = LinkReporter(target.label, store, clock)
        self._replica = Replica(
            target.label,
            store=store,
            rest=rest,
            clock=clock,
            account_number=target.account_number,
        )

    def learn(self, order: Order) -> None:
        """Take an order that the broker told of in answer to a call of ours."""
        self._replica.learn(order)
        if self._session is not None:
            self._session.watchdog.watch((order,))

    async def keep_synced(self) -> None:
        """Follow the account until cancelled, or until its credentials are refused."""
        while True:
            failure = await self._follow_guarded()
            if isinstance(failure, Refused):
                self._journal.refused(failure)
                return
            if isinstance(failure, Deaf):
                self._journal.deaf(failure)
                await asyncio.sleep(DEAF_WAIT_S)
                continue
            limited = isinstance(failure, LinkError) and failure.status == 429
            self._backoff, wait_s = self._backoff.failed(rate_limited=limited, rng=self._rng.random)
            self._journal.waiting(failure, wait_s)
            try:
                await self._wait(wait_s)
            except Refused as refused:
                self._journal.refused(refused)
                return

    async def _follow_guarded(self) -> RealtimeError:
        """Follow for one session; gives what ended it."""
        try:
            await self._follow()
        except RealtimeError as error:
            return error
        except Exception as error:
            log.exception("account.failed", account=self._target.label)
            return LinkError(f"internal error: {type(error).__name__}")
        raise AssertionError("a session does not end without a reason")

    async def _wait(self, wait_s: float) -> None:
        """Wait for the next attempt. Through a long outage read by REST, slowly, so that readers
        get what is old by seconds and not by minutes; it stays marked stale. Raises `Refused`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while until - loop.time() > POLL_EVERY_S:
            await asyncio.sleep(POLL_EVERY_S)
            try:
                async with asyncio.timeout_at(until):
                    await self._replica.read_everything("poll")
                self._journal.polled()
            except TimeoutError:
                return
            except (LinkError, BrokerError, ProtocolViolation) as error:
                log.debug("poll.failed", account=self._target.label, reason=str(error))
        await asyncio.sleep(max(0.0, until - loop.time()))

    async def _follow(self) -> None:
        stream = await self._open()
        session = _SyncSession(
            stream,
            self._replica,
            self._store,
            clock=self._clock,
            rng=self._rng,
            intervals=self._intervals(),
            refresh_limiter=self._refresh_limiter,
        )
        self._session = session
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(session.hear(), name=f"stream:{self._target.label}")
                await self._synchronize(session)
                for duty in (session.money, session.doubts, session.watchdog, session.comparison):
                    name = f"{type(duty).__name__.lower()}:{self._target.label}"
                    tasks.create_task(duty.run(), name=name)
        except BaseExceptionGroup as group:
            raise _cause(group) from group
        finally:
            self._session = None
            await stream.close()

    async def _open(self) -> TradingStream:
        """Connect, authorize and listen, through the fleet's gate."""
        async with self._connect_limiter.pass_():
            try:
                stream = await self._shake_hands()
            except RateLimited:
                self._connect_limiter.report("rate_limited")
                raise
            except LinkError:
                self._connect_limiter.report("failed")
                raise
            self._connect_limiter.report("ok")
            return stream

    async def _shake_hands(self) -> TradingStream:
        self._journal.enter("connecting")
        stream = await TradingStream.connect(self._target.stream_url, ssl_context=self._tls)
        try:
            self._journal.enter("authorizing")
            await stream.authorize(self._target.credentials)
            await stream.listen()
        except BaseException:
            await stream.close()
            raise
        return stream

    async def _synchronize(self, session: "_SyncSession") -> None:
        self._journal.enter("syncing")
        before = self._replica.record.link
        try:
            async with asyncio.timeout(SNAPSHOT_S):
                await session.synchronize(self._journal)
        except TimeoutError:
            raise LinkError(f"the snapshot was not complete within {SNAPSHOT_S:.0f} s") from None
        self._backoff = Backoff()
        self._journal.announce_synced(
            stale_since=before.stale_since, attempts=before.reconnect_attempts
        )


class _SyncSession:
    """One authorized, listening socket and what it feeds."""

    def __init__(
        self,
        stream: TradingStream,
        replica: Replica,
        store: Store,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        intervals: ReadIntervals,
        refresh_limiter: RefreshLimiter,
    ) -> None:
        self.doubts = AnomalyResolver(replica)
        self.watchdog = Watchdog(replica, self.doubts)
        self.comparison = Reconciler(replica, rng, intervals)
        self.money = BalanceRefresher(replica, refresh_limiter, every_s=intervals.money_s)
        replica.on_reading = self._weigh
        self._stream = stream
        self._replica = replica
        self._store = store
        self._clock = clock
        self._buffer: list[TradeUpdate] | None = []

    async def hear(self) -> None:
        """Take frames until the socket ends, which raises."""
        label = self._replica.label
        while True:
            message = await self._stream.receive()
            if type(message) is TradeUpdate:
                self._take(message)
                continue
            self._store.heard(label, now=self._clock())
            match message:
                case Unreadable(reason=reason, raw=raw):
                    self._store.count("frames.unreadable")
                    log.error(
                        "frame.unreadable",
                        account=label,
                        reason=reason,
                        start=raw[:120].decode("utf-8", "replace"),
                    )
                    self.doubts.add_everything("unreadable frame")
                case Ignored(reason=reason):
                    self._store.count("frames.ignored")
                    log.debug("frame.ignored", account=label, reason=reason)
                case _:
                    pass

    async def synchronize(self, journal: LinkReporter) -> None:
        """Read everything while `hear` buffers; from then on events are applied as they come."""
        assert self._buffer is not None, "a session synchronizes once"
        replayed = await self._replica.start(self._buffer, journal.live)
        self._buffer = None
        self.watchdog.watch(self._replica.record.state.orders.values())
        for applied in replayed:
            self._follow_up(applied)
        self._ask_again()

    def _take(self, update: TradeUpdate) -> None:
        if self._buffer is None:
            self.comparison.hear(update)
            self._follow_up(self._replica.hear(update))
            self.doubts.reconsider()
            self.watchdog.watch((update.order,))
        elif len(self._buffer) < MAX_BUFFERED:
            self._store.heard(self._replica.label, now=self._clock())
            self._buffer.append(update)
        else:
            raise LinkError(f"more than {MAX_BUFFERED} events during a snapshot")

    def _weigh(self, reason: str, reconciled: Reconciled) -> None:
        """A reading was taken: what it could not confirm, or found alone, is looked at again."""
        if reason != "money" and MONEY & reconciled.state.provisional:
            self.money.ask()
        if reason == "money" and reconciled.differences:
            self._replica.doubt(ORDERS)  # who did not tell this may not have told more
            self.comparison.ask()
        self._ask_again()

    def _ask_again(self) -> None:
        """An order that REST did not know, or has further along than we do, is asked for again
        before REST is believed."""
        if self._replica.record.state.asks_again:
            self.comparison.ask()

    def _follow_up(self, applied: Applied) -> None:
        if applied.executions or any(doubt.kind in GAPS for doubt in applied.doubts):
            self.money.ask()
        if applied.doubts:
            self.doubts.add(applied.doubts)


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one reason to report of several: a refusal, else a mistake of ours, else the first."""
    leaves = _leaves(group)
    refusals = (e for e in leaves if isinstance(e, Refused))
    mistakes = (e for e in leaves if not isinstance(e, RealtimeError))
    return next(refusals, None) or next(mistakes, None) or leaves[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
