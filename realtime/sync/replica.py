"""One account's way into the store: events by `apply`, readings by `reconcile`, nothing else.

Readings are taken one after another (two at once could land in the wrong order); events may come
at any time, also while a reading is under way: `reconcile` knows which of them are younger.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from msgspec import structs

from realtime.broker.rest_client import RestClient
from realtime.broker.snapshot import read_everything, read_money, read_orders
from realtime.core.apply import KNOWN_EVENTS, Applied, apply
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Order, OrderId, TradeUpdate
from realtime.core.reconcile import Reconciled, Snapshot, learn, reconcile, resume
from realtime.core.state import ORDERS, AccountState, Execution
from realtime.core.timestamps import NEVER, nanoseconds
from realtime.errors import Refused
from realtime.store.store import Record, Store
from realtime.telemetry.log import get_logger

log = get_logger()

DIFFERENCES_LOGGED = 20
"""Differences of one reading that get a line each; all are counted."""


class Replica:
    """The state of one account and the two ways it changes."""

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
        self._reading = asyncio.Lock()
        self._positions_read_at = NEVER
        """What the broker's clock showed, in µs."""
        self.on_reading: Callable[[str, Reconciled], None] = lambda reason, reconciled: None
        """Called with every reading that was taken while live: why it was made, what it brought."""

    @property
    def record(self) -> Record:
        """What readers see now."""
        record = self._store.get(self.label)
        assert record is not None, f"{self.label} is followed but not in the store"
        return record

    @property
    def now(self) -> float:
        """Our clock, epoch seconds."""
        return self._clock()

    def broker_time(self, at: float) -> int:
        """What the broker's clock showed at `at` by ours, in µs, as far as is known."""
        return round((at + (self._rest.offset_s or 0.0)) * 1_000_000)

    def hear(self, update: TradeUpdate) -> Applied:
        """Apply an event and publish the state it makes."""
        now = self._clock()
        applied = self._apply(self.record.state, update, now)
        self._store.update(self.label, now=now, state=applied.state, updates=(update,))
        return applied

    async def start(
        self, heard: Collection[TradeUpdate], make_link: Callable[[float], Link]
    ) -> list[Applied]:
        """Read everything, replay what was heard meanwhile, publish both with a live link.

        `heard` goes on growing while the reading is under way. Nothing is awaited between the end
        of the reading and the publication.
        """
        async with self._reading:
            requested_at = self._clock()
            snapshot = await read_everything(self._rest, self.record.state, now=requested_at)
            now = self._clock()
            resumed = resume(self.record.state, requested_at)
            reconciled = self._reconcile(resumed, snapshot, "connect")
            state, replayed = reconciled.state, []
            for update in heard:
                replayed.append(self._apply(state, update, now))
                state = replayed[-1].state
            self._store.confirmed(self.label, now=requested_at)
            self._store.update(
                self.label,
                now=now,
                state=state,
                link=make_link(now),
                updates=tuple(heard),
                recovered=reconciled.recovered,
            )
        log.info(
            "snapshot.applied",
            account=self.label,
            positions=len(state.positions),
            orders=len(state.orders),
            recovered=len(reconciled.recovered),
            replayed=len(replayed),
            took_s=round(now - requested_at, 3),
        )
        return replayed

    async def read_money(self) -> Reconciled:
        """Read what moves without an event, take it, publish."""

        async def reading(rest: RestClient, *, now: float) -> Snapshot:
            return await read_money(rest, self.record.state, now=now)

        return await self._read("money", reading)

    async def read_everything(self, reason: str) -> Reconciled:
        """Read all that a connect reads, take it, publish."""

        async def reading(rest: RestClient, *, now: float) -> Snapshot:
            return await read_everything(rest, self.record.state, now=now)

        return await self._read(reason, reading)

    async def read_orders(self, ids: Collection[OrderId], reason: str) -> Reconciled:
        """Read some orders by id, take them, publish."""

        async def reading(rest: RestClient, *, now: float) -> Snapshot:
            return await read_orders(rest, ids, now=now)

        return await self._read(reason, reading)

    def doubt(self, parts: frozenset[str]) -> None:
        """These parts may not be what the broker has: provisional until a later reading agrees."""
        now, state = self._clock(), self.record.state
        doubted = structs.replace(state, provisional=state.provisional | parts, doubted_at=now)
        self._store.update(self.label, now=now, state=doubted)

    def learn(self, order: Order) -> None:
        """Take an order that the broker told of in answer to a call of ours, and publish."""
        record = self.record
        if record.has_data:  # else the first reading brings it
            self._store.update(self.label, now=self._clock(), state=learn(record.state, order))

    def settle_orders(self) -> None:
        """The doubts about orders answered themselves: nothing about orders is provisional."""
        state = self.record.state
        if ORDERS & state.provisional and state.resumed_at is None and not state.asks_again:
            settled = structs.replace(state, provisional=state.provisional - ORDERS)
            self._store.update(self.label, now=self._clock(), state=settled)

    async def _read(self, reason: str, reading: Callable[..., Awaitable[Snapshot]]) -> Reconciled:
        async with self._reading:
            snapshot = await reading(self._rest, now=self._clock())
            reconciled = self._reconcile(self.record.state, snapshot, reason)
            if snapshot.account is not None:
                self._store.confirmed(self.label, now=snapshot.requested_at)
            self._store.update(
                self.label,
                now=self._clock(),
                state=reconciled.state,
                recovered=reconciled.recovered,
            )
        self.on_reading(reason, reconciled)
        return reconciled

    def _apply(self, state: AccountState, update: TradeUpdate, now: float) -> Applied:
        known = update.event in KNOWN_EVENTS
        self._store.count(f"events.{update.event}" if known else "events.unknown")
        if not known:
            log.warning("event.unknown", account=self.label, event_name=update.event)
        applied = apply(state, update, now, self._positions_read_at)
        for execution in applied.executions:
            self._tell_fill(update, execution, now)
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
        for doubt in applied.doubts:
            self._store.count(f"doubts.{doubt.kind}")
            log.debug("state.doubted", account=self.label, kind=doubt.kind, detail=doubt.detail)
        return applied

    def _tell_fill(self, update: TradeUpdate, execution: Execution, now: float) -> None:
        at = nanoseconds(execution.at)
        if at:
            self._store.lag.note(max(0.0, now - at / 1_000_000_000))
        log.info(
            "fill.applied",
            account=self.label,
            symbol=execution.symbol,
            side=execution.side,
            qty=execution.qty,
            price=execution.price,
            status=update.order.status,
            lag_ms=round(now * 1000 - at / 1_000_000, 1) if at else None,
        )

    def _reconcile(self, state: AccountState, snapshot: Snapshot, reason: str) -> Reconciled:
        if snapshot.account is not None:
            self._check_identity(snapshot.account)
        reconciled = reconcile(state, snapshot)
        if snapshot.positions is not None and self._rest.offset_s is not None:
            self._positions_read_at = self.broker_time(snapshot.requested_at)
        for difference in reconciled.differences:
            self._store.count(f"differences.{difference.kind}")
        for difference in reconciled.differences[:DIFFERENCES_LOGGED]:
            log.warning(
                "reconcile.difference_found",
                account=self.label,
                reason=reason,
                kind=difference.kind,
                key=difference.key,
                ours=difference.ours,
                theirs=difference.theirs,
            )
        log.debug(
            "reconcile.finished",
            account=self.label,
            reason=reason,
            positions=len(reconciled.state.positions),
            differences=len(reconciled.differences),
        )
        return reconciled

    def _check_identity(self, account: Account) -> None:
        """The key must belong to the account it belonged to before, or to the configured one."""
        if self._account_number is None:
            self._account_number = account.account_number
        elif account.account_number != self._account_number:
            raise Refused(
                f"the key belongs to {account.account_number}, expected {self._account_number}",
                remedy=f"check the keys of [{self.label}], or its account_number",
            )
