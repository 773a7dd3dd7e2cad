"""The only path of one account's state into the store: events by `apply`, reads by `reconcile`.

Reads follow one another, because two at once could finish in the wrong order. Events may arrive at
any time, also during a read: `reconcile` knows which of them are newer than the read.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from typing import Literal

from realtime.broker.rest_client import RestClient
from realtime.broker.snapshot import fetch_balances, fetch_orders_by_id, fetch_snapshot
from realtime.core.apply import apply
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Order, OrderId, TradeUpdate
from realtime.core.order_status import KNOWN_EVENTS
from realtime.core.outcomes import Applied, Reconciled, Snapshot
from realtime.core.provisional import confirm_orders, mark_provisional, mark_resumed
from realtime.core.reconcile import merge_response, reconcile
from realtime.core.state import AccountState, Execution
from realtime.core.timestamps import NEVER, nanoseconds
from realtime.errors import KeyRejected, LinkError, Refused
from realtime.store.records import Record
from realtime.store.store import Store
from realtime.telemetry.fill_line import Fill
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_LOGGED_DIFFERENCES = 20
"""Discrepancies of one read that get a log line each; all are counted."""

MIN_REJECTIONS = 2
"""Rejections of a key after which it counts as invalid."""

OUTAGE_READS = frozenset({"poll", "connect"})
"""Reads during and after an outage. Discrepancies are expected then, so they get one log line."""


class KeyRejections:
    """Counts the broker's rejections of an account's key, from the stream and from REST.

    One may be the fault of something on the way. Two without a success of the same kind between
    them mean that the key is invalid.
    """

    def __init__(self) -> None:
        self._counts: Counter[Literal["stream", "rest"]] = Counter()

    def count(self, source: Literal["stream", "rest"], error: KeyRejected) -> LinkError | Refused:
        """Count a rejection; return the first as an error that is retried, the next as final."""
        self._counts[source] += 1
        if self._counts.total() >= MIN_REJECTIONS:
            return Refused(error.message, remedy=error.remedy)
        return LinkError(f"{error.message}; trying once more", remedy=error.remedy)

    def reset(self, source: Literal["stream", "rest"]) -> None:
        """Forget the rejections of a source that accepted the key."""
        self._counts[source] = 0


class Replica:
    """The state of one account in the store, and the two ways it changes."""

    def __init__(
        self,
        label: AccountLabel,
        *,
        store: Store,
        rest: RestClient,
        clock: Callable[[], float],
        account_number: str | None,
    ) -> None:
        self.label = label
        self._store = store
        self._rest = rest
        self._clock = clock
        self._account_number = account_number
        self._read_lock = asyncio.Lock()
        self._positions_read_at = NEVER
        """The broker's time of the last positions read, in µs."""
        self.rejections = KeyRejections()

    @property
    def record(self) -> Record:
        """The published state and link."""
        record = self._store.get(self.label)
        assert record is not None, f"{self.label} is not in the store"
        return record

    @property
    def now(self) -> float:
        """Our clock, epoch seconds."""
        return self._clock()

    def broker_time(self, at: float) -> int:
        """Convert our time `at` to the broker's, in µs, as far as its clock is known."""
        return round((at + (self._rest.clock_offset_s or 0.0)) * 1_000_000)

    def apply_event(self, update: TradeUpdate) -> Applied:
        """Apply an event and publish the new state."""
        now = self._clock()
        applied = self._apply(self.record.state, update, now)
        self._store.update(self.label, now=now, state=applied.state, updates=(update,))
        return applied

    async def synchronize(
        self, buffer: Collection[TradeUpdate], make_link: Callable[[float], Link]
    ) -> list[Applied]:
        """Read everything, replay the buffered events, publish both with a synced link.

        `buffer` grows while the read is under way. Nothing is awaited between the end of the read
        and the publication.
        """
        async with self._read_lock:
            requested_at = self._clock()
            snapshot = await self._fetch(
                fetch_snapshot(self._rest, self.record.state, now=requested_at)
            )
            now = self._clock()
            resumed = mark_resumed(self.record.state, requested_at)
            reconciled = self._reconcile(resumed, snapshot, "connect")
            state, replayed = reconciled.state, []
            for update in buffer:
                replayed.append(self._apply(state, update, now))
                state = replayed[-1].state
            self._store.record_confirmation(self.label, now=requested_at)
            self._store.update(
                self.label,
                now=now,
                state=state,
                link=make_link(now),
                updates=tuple(buffer),
                recovered=reconciled.recovered,
            )
        log.info(
            "snapshot.applied",
            account=self.label,
            positions=len(state.positions),
            orders=len(state.orders),
            recovered=len(reconciled.recovered),
            replayed=len(replayed),
            differences=len(reconciled.discrepancies),
            took_s=round(now - requested_at, 3),
        )
        return replayed

    async def read_balances(self) -> Reconciled:
        """Read what changes without an event, reconcile, publish."""
        now = self._clock
        return await self._read(
            "balances", lambda: fetch_balances(self._rest, self.record.state, now=now())
        )

    async def read_everything(self, reason: str) -> Reconciled:
        """Read the same as a connect does, reconcile, publish."""
        now = self._clock
        return await self._read(
            reason, lambda: fetch_snapshot(self._rest, self.record.state, now=now())
        )

    async def read_orders(self, ids: Collection[OrderId], reason: str) -> Reconciled:
        """Read some orders by id, reconcile, publish."""
        now = self._clock
        return await self._read(
            reason, lambda: fetch_orders_by_id(self._rest, ids, self.record.state, now=now())
        )

    def mark_provisional(self, parts: frozenset[str]) -> None:
        """Mark parts that may differ from the broker, until a later read confirms them."""
        now = self._clock()
        marked = mark_provisional(self.record.state, parts, now)
        self._store.update(self.label, now=now, state=marked)

    def apply_order(self, order: Order) -> None:
        """Apply an order from the broker's response to a request of ours, and publish."""
        record = self.record
        if record.has_data:  # otherwise the first read brings it
            self._store.update(
                self.label, now=self._clock(), state=merge_response(record.state, order)
            )

    def confirm_orders(self) -> None:
        """Clear the mark of orders: events have resolved every anomaly."""
        state = confirm_orders(self.record.state)
        self._store.update(self.label, now=self._clock(), state=state)

    async def _read(
        self, reason: str, fetch: Callable[[], Coroutine[None, None, Snapshot]]
    ) -> Reconciled:
        async with self._read_lock:
            snapshot = await self._fetch(fetch())
            reconciled = self._reconcile(self.record.state, snapshot, reason)
            if snapshot.account is not None:
                self._store.record_confirmation(self.label, now=snapshot.requested_at)
            self._store.update(
                self.label,
                now=self._clock(),
                state=reconciled.state,
                recovered=reconciled.recovered,
            )
        return reconciled

    async def _fetch(self, fetch: Coroutine[None, None, Snapshot]) -> Snapshot:
        """Return the snapshot. Raises `Refused` only if the key was rejected twice."""
        try:
            snapshot = await fetch
        except KeyRejected as error:
            raise self.rejections.count("rest", error) from error
        self.rejections.reset("rest")
        return snapshot

    def _apply(self, state: AccountState, update: TradeUpdate, now: float) -> Applied:
        is_known = update.event in KNOWN_EVENTS
        self._store.count(f"events.{update.event}" if is_known else "events.unknown")
        if not is_known:
            log.warning("event.unknown", account=self.label, event_name=update.event)
        applied = apply(state, update, now, self._positions_read_at)
        for execution in applied.executions:
            self._log_fill(update, execution, now)
        if not applied.executions:
            order = update.order
            log.debug(
                "order.updated",
                account=self.label,
                event_name=update.event,
                symbol=order.symbol,
                side=order.side,
                qty=order.qty,
                status=order.status,
            )
        for anomaly in applied.anomalies:
            self._store.count(f"anomalies.{anomaly.kind}")
            log.debug(
                "anomaly.detected", account=self.label, kind=anomaly.kind, detail=anomaly.detail
            )
        return applied

    def _log_fill(self, update: TradeUpdate, execution: Execution, now: float) -> None:
        at = nanoseconds(execution.at)
        if at:
            self._store.lag.observe(max(0.0, now - at / 1_000_000_000))
        log.fill(
            "fill.applied",
            Fill(
                self.label,
                execution.symbol,
                execution.side,
                execution.qty,
                execution.price,
                update.order.status,
                round(now * 1000 - at / 1_000_000, 1) if at else None,
            ),
        )

    def _reconcile(self, state: AccountState, snapshot: Snapshot, reason: str) -> Reconciled:
        if snapshot.account is not None:
            self._check_identity(snapshot.account)
        reconciled = reconcile(state, snapshot)
        if snapshot.positions is not None and self._rest.clock_offset_s is not None:
            self._positions_read_at = self.broker_time(snapshot.requested_at)
        for difference in reconciled.discrepancies:
            self._store.count(f"differences.{difference.kind}")
        is_expected = reason in OUTAGE_READS
        write = log.debug if is_expected else log.warning
        for difference in reconciled.discrepancies[:MAX_LOGGED_DIFFERENCES]:
            write(
                "reconcile.difference_found",
                account=self.label,
                reason=reason,
                kind=difference.kind,
                key=difference.key,
                ours=difference.ours,
                theirs=difference.theirs,
            )
        if reason == "poll" and reconciled.discrepancies:
            log.info("poll.applied", account=self.label, differences=len(reconciled.discrepancies))
        log.debug(
            "reconcile.finished",
            account=self.label,
            reason=reason,
            positions=len(reconciled.state.positions),
            differences=len(reconciled.discrepancies),
        )
        return reconciled

    def _check_identity(self, account: Account) -> None:
        """Raise `Refused` unless the key still belongs to the same, or the configured, account."""
        if self._account_number is None:
            self._account_number = account.account_number
        elif account.account_number != self._account_number:
            raise Refused(
                f"the key belongs to {account.account_number}, expected {self._account_number}",
                remedy=f"check the keys of [{self.label}], or its account_number",
            )
