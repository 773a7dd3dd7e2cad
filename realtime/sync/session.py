"""One authorized, listening stream of an account, and the tasks that keep its state correct.

    buffer events → read everything → replay the buffer → apply events as they arrive

While events arrive, `reconciler`, `balances`, `anomalies` and `watchdog` read by REST what the
stream cannot show. The session ends with the error that ended the stream or one of these tasks.
"""

import asyncio
import random
from collections.abc import Callable, Iterable

from realtime.broker.rate_limiter import DEFAULT_PAUSE_S
from realtime.broker.trading_stream import TradingStream
from realtime.core.executions import unexplained_qty
from realtime.core.model import Order, OrderId, TradeUpdate
from realtime.core.order_groups import unknown_successors
from realtime.core.outcomes import GAPS, Applied, Reconciled
from realtime.core.protocol import Ignored, Message, Unreadable
from realtime.core.state import LAG_S, MONEY, ORDERS, AccountState
from realtime.errors import LinkError, RateLimited, RealtimeError, Refused
from realtime.store.store import Store
from realtime.sync.anomalies import AnomalyResolver
from realtime.sync.balances import BalanceRefresher, RefreshLimiter
from realtime.sync.intervals import ReadIntervals
from realtime.sync.link_reporter import LinkReporter
from realtime.sync.reconciler import Reconciler
from realtime.sync.replica import Replica
from realtime.sync.watchdog import Watchdog
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_BUFFERED = 20_000
"""Events kept while a snapshot is read. With more, events arrive faster than the read can finish:
start again."""

SNAPSHOT_TIMEOUT_S = 300.0
"""Limit of a whole snapshot, under the broker's rate limit and shared with the other accounts."""

MIN_RETRY_S = 1.0
"""Between two attempts at a snapshot, even if the broker's `Retry-After` is 0."""


class SyncSession:
    """One authorized, listening stream and the tasks beside it."""

    def __init__(
        self,
        stream: TradingStream,
        replica: Replica,
        store: Store,
        reporter: LinkReporter,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        intervals: ReadIntervals,
        refresh_limiter: RefreshLimiter,
    ) -> None:
        self._stream = stream
        self._replica = replica
        self._store = store
        self._reporter = reporter
        self._clock = clock
        self._buffer: list[TradeUpdate] | None = []
        """Events that arrived before the snapshot; None once they are replayed."""
        self._has_new_balances = False
        """Whether an event that was applied changed balances, and they were not requested yet."""
        self._lacking: dict[OrderId, float] = {}
        """order's id → since when it shows more filled than executions are known (our clock)"""
        self._anomalies = AnomalyResolver(replica, on_read=self.handle_read)
        self._watchdog = Watchdog(replica, self._anomalies)
        self._reconciler = Reconciler(replica, rng, intervals, on_read=self.handle_read)
        self._balances = BalanceRefresher(
            replica,
            refresh_limiter,
            every_s=intervals.balances_s,
            on_read=self._handle_balances_read,
        )

    async def run(self, *, on_synced: Callable[[], None]) -> None:
        """Synchronize and apply events until something fails, which raises.

        `on_synced` is called once, after the snapshot was published.
        """
        label = self._replica.label
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receive(), name=f"stream:{label}")
                await self._synchronize()
                on_synced()
                for part in (self._balances, self._anomalies, self._watchdog, self._reconciler):
                    name = f"{type(part).__name__.lower()}:{label}"
                    tasks.create_task(part.run(), name=name)
        except BaseExceptionGroup as group:
            raise first_cause(group) from group

    def watch(self, order: Order) -> None:
        """Watch an order that the broker returned in response to a request of ours."""
        self._watchdog.watch((order,))

    async def _receive(self) -> None:
        """Receive frames until the stream ends, which raises."""
        while True:
            applied: list[TradeUpdate] = []
            for message in await self._stream.receive_batch():
                if type(message) is not TradeUpdate:
                    self._handle_other(message)
                elif self._buffer is None:
                    self._apply_event(message)
                    applied.append(message)
                else:
                    self._buffer_event(self._buffer, message)
            if applied:
                self._follow_up(applied)

    def _handle_other(self, message: Message) -> None:
        """Handle a message that is no event."""
        label = self._replica.label
        self._store.record_message(label, now=self._clock())
        match message:
            case Unreadable(reason=reason, raw=raw):
                self._store.count("frames.unreadable")
                log.error(
                    "frame.unreadable",
                    account=label,
                    reason=reason,
                    start=raw[:120].decode("utf-8", "replace"),
                )
                self._anomalies.add_everything("unreadable frame")
            case Ignored(reason=reason):
                self._store.count("frames.ignored")
                log.debug("frame.ignored", account=label, reason=reason)
            case _:
                pass

    async def _synchronize(self) -> None:
        """Read everything while `_receive` buffers; from then on events are applied directly."""
        assert self._buffer is not None, "a session synchronizes once"
        self._reporter.report_progress("syncing")
        try:
            async with asyncio.timeout(SNAPSHOT_TIMEOUT_S):
                replayed = await self._read_snapshot(self._buffer)
        except TimeoutError:
            fact = f"the snapshot was not complete within {SNAPSHOT_TIMEOUT_S:.0f} s"
            raise LinkError(fact) from None
        self._buffer = None
        self._watchdog.watch(self._replica.record.state.orders.values())
        for applied in replayed:
            self._handle_applied(applied)
        if self._has_new_balances or MONEY & self._replica.record.state.provisional:
            self._has_new_balances = False
            self._balances.request()
        self._request_confirmation()

    async def _read_snapshot(self, buffer: list[TradeUpdate]) -> list[Applied]:
        """Read everything and publish it; return what replaying the buffer brought.

        A 429 of REST does not concern the stream, which stays open: a new connection would only
        meet the old one at the broker. The read is repeated when the broker allows it.
        """
        while True:
            try:
                return await self._replica.synchronize(buffer, self._reporter.synced_link)
            except RateLimited as error:
                retry_after_s = error.retry_after_s
                wait_s = DEFAULT_PAUSE_S if retry_after_s is None else retry_after_s
                wait_s = max(MIN_RETRY_S, wait_s)
                self._reporter.report_rate_limited(error, wait_s)
                await asyncio.sleep(wait_s)

    def _buffer_event(self, buffer: list[TradeUpdate], update: TradeUpdate) -> None:
        if len(buffer) >= MAX_BUFFERED:
            raise LinkError(f"more than {MAX_BUFFERED} events during a snapshot")
        self._store.record_message(self._replica.label, now=self._clock())
        buffer.append(update)

    def _apply_event(self, update: TradeUpdate) -> None:
        self._reconciler.handle_event(update)
        self._handle_applied(self._replica.apply_event(update))

    def _follow_up(self, updates: list[TradeUpdate]) -> None:
        """Once for the events of one read: what may have to be read by REST after them."""
        if self._has_new_balances:
            self._has_new_balances = False
            self._balances.request()
        self._anomalies.handle_event()
        self._watchdog.watch({update.order.id: update.order for update in updates}.values())

    def _handle_applied(self, applied: Applied) -> None:
        if applied.executions:
            self._has_new_balances = True
        if applied.anomalies:
            if any(anomaly.kind in GAPS for anomaly in applied.anomalies):
                self._has_new_balances = True
            self._note_lacking(a.order_id for a in applied.anomalies if a.kind in GAPS)
            self._anomalies.add(applied.anomalies)

    def request_balances(self) -> None:
        """Read positions and account soon."""
        self._balances.request_once()

    def handle_read(self, reconciled: Reconciled) -> None:
        """Refresh balances that a read of orders could not confirm; watch orders that the read has
        changed, as if an event had, and those that name a successor which was not found."""
        orders = reconciled.state.orders
        changed = {OrderId(discrepancy.key) for discrepancy in reconciled.discrepancies}
        changed |= unknown_successors(reconciled.state).keys()
        self._watchdog.watch(orders[i] for i in sorted(changed) if i in orders)
        self._note_lacking(changed)
        if self._find_lacking(reconciled.state):
            self._reconciler.request()
        if MONEY & reconciled.state.provisional:
            self._balances.request()
        self._request_confirmation()

    def _note_lacking(self, order_ids: Iterable[OrderId]) -> None:
        now = self._replica.now
        for order_id in order_ids:
            self._lacking.setdefault(order_id, now)

    def _find_lacking(self, state: AccountState) -> bool:
        """Return whether executions are missing that another read may list: activities lag, and an
        order that is known as filled needs no read for its own sake. Older ones are not expected:
        of an order from before the first read they may never be listed."""
        since = self._replica.now - 2 * LAG_S
        self._lacking = {
            i: at for i, at in self._lacking.items() if at > since and unexplained_qty(state, i) > 0
        }
        return bool(self._lacking)

    def _handle_balances_read(self, reconciled: Reconciled) -> None:
        """Reconcile when balances changed without an event: orders may have been missed too."""
        if reconciled.discrepancies:
            self._replica.mark_provisional(ORDERS)
            self._reconciler.request()
        self._request_confirmation()

    def _request_confirmation(self) -> None:
        """Reconcile again if REST must confirm what it shows: it did not know an order, or has a
        newer version of it."""
        if self._replica.record.state.progress.needs_second_read:
            self._reconciler.request()


def first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return a task group's error to report: a refusal, else an internal error, else the first."""
    leaves = _leaves(group)
    refusals = (error for error in leaves if isinstance(error, Refused))
    internal_errors = (error for error in leaves if not isinstance(error, RealtimeError))
    return next(refusals, None) or next(internal_errors, None) or leaves[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
