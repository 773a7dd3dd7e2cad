"""Intents of orders in etcd: recorded in one step with the proof of ownership, settled later.

A transaction holds up to 100 orders, each as an inner transaction with its own conditions: the
assignment is as the owner knows it, nothing is halted, and the key of the order is as expected. The
outer one requires that this daemon is still a member under its lease. So one order's refusal stops
no other, and none is recorded by a daemon that is not the owner any more.
"""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from realtime.cluster.coordinator import Intent, IntentOutcome, Latch
from realtime.cluster.etcd_keys import AssignmentValue, IntentValue, Keys, decode, encode
from realtime.cluster.etcd_lease import Lease
from realtime.cluster.etcd_types import (
    MAX_OPERATIONS,
    Compare,
    Delete,
    EtcdClient,
    Get,
    KeyValue,
    Put,
    Transaction,
    TransactionResult,
    flatten,
)
from realtime.cluster.etcd_view import FleetView
from realtime.errors import (
    EngineAnswerLost,
    EngineHalted,
    EngineUnreachable,
    EtcdRefusal,
    IntentExists,
    NotOwner,
    RealtimeError,
)
from realtime.telemetry.log import get_logger

log = get_logger()

RECORD_TIMEOUT_S = 3.0
"""How long an order waits for etcd, over a change of its leader (1.1–1.7 s, measured)."""

RETRY_INTERVAL_S = 0.1

SETTLE_INTERVAL_S = 0.05
"""Results are written together: nothing waits for them."""

KEPT_S = 48 * 3600
"""How long a settled intent is kept: for as long as a caller may repeat its call. Whether the
broker refuses an id forever is not known."""

KEEPING_LEASE_S = 3600.0
"""Settled intents of this long share a lease, with which etcd removes them."""

MAX_OPEN = 200_000
"""Intents that this daemon remembers, about 60 MB."""

REUSABLE: frozenset[IntentOutcome | None] = frozenset({"refused", "not_found"})
"""Outcomes after which the same id may be sent: there is no such order."""


class _Pending(Struct, eq=False):
    """An intent on its way to etcd."""

    intent: Intent
    value: bytes
    expires_at: float
    """Loop time."""
    done: asyncio.Future[None]
    expected_revision: int = 0
    """Of its key; 0: it does not exist."""


class _Open(Struct, eq=False):
    """An intent that may be in etcd, and is not settled there."""

    value: bytes
    outcome: IntentOutcome | None = None


class IntentLog:
    """All intents of this daemon. `run` identifies it in their markers."""

    def __init__(
        self,
        client: EtcdClient,
        keys: Keys,
        view: FleetView,
        lease: Lease,
        *,
        name: str,
        run: str,
        format_now: Callable[[], str],
    ) -> None:
        self._client = client
        self._keys = keys
        self._view = view
        self._lease = lease
        self._name = name
        self._run = run
        self._format_now = format_now
        self._count = 0
        self._queue: list[_Pending] = []
        self._has_queued = asyncio.Event()
        self._open: dict[tuple[str, str], _Open] = {}
        """account and client order id → what this daemon wrote, or has recalled"""
        self._to_settle: dict[tuple[str, str], _Open] = {}
        self._keeping_lease = 0
        self._keeping_until = 0.0
        self.recorded = 0
        self.refused = 0

    def count_open(self, account: str) -> int:
        """Return how many orders of an account are recorded and not settled."""
        return sum(1 for label, _ in self._open if label == account)

    async def record(self, intent: Intent) -> None:
        """Record an order that is about to be sent; see `Coordinator.intend`."""
        key = intent.account, intent.client_order_id
        self._count += 1
        marker = f"{self._run}:{self._count}"
        epoch = self._get_owned(intent.account).value.epoch
        value = encode(
            IntentValue(intent=intent, marker=marker, epoch=epoch, at=self._format_now())
        )
        loop = asyncio.get_running_loop()
        pending = _Pending(intent, value, loop.time() + RECORD_TIMEOUT_S, loop.create_future())
        self._queue.append(pending)
        self._has_queued.set()
        try:
            await pending.done
        except IntentExists:
            raise
        except RealtimeError as error:
            # Maybe it is written all the same: then it must not stay open.
            self._remember(key, _Open(value))
            if intent.reduces_risk and isinstance(error, EngineUnreachable):
                log.warning("intent.unrecorded", account=intent.account, reason=error.message)
                return  # the last check ends this once another daemon could own the account
            raise
        self._remember(key, _Open(value))
        self.recorded += 1

    def settle(self, account: str, client_order_id: str, outcome: IntentOutcome) -> None:
        """Write soon what became of an order; one that is not open here is left as it is."""
        key = account, client_order_id
        known = self._open.pop(key, None)
        if known is not None:
            known.outcome = outcome
            self._to_settle[key] = known

    async def recall(self, account: str) -> list[Intent]:
        """Return the open intents of an account that other daemons wrote, or earlier runs."""
        listing = await self._client.get(self._keys.intents(account), is_prefix=True)
        recalled = []
        for pair in listing.keys:
            value = decode(pair.value, IntentValue)
            if value is None:
                log.error("intent.unreadable", account=account, key=pair.key)
                continue
            if value.outcome is None and not value.marker.startswith(f"{self._run}:"):
                key = account, value.intent.client_order_id
                self._remember(key, _Open(pair.value))
                recalled.append(value.intent)
        return recalled

    async def run_recorder(self) -> None:
        """Write what is queued, one transaction after another, until cancelled."""
        while True:
            await self._has_queued.wait()
            batch = self._take_batch()
            try:
                await self._write(batch)
            except EngineUnreachable as error:
                await self._handle_unreachable(batch, error)
            except EtcdRefusal as error:
                _fail(batch, EngineUnreachable(error.message))

    async def run_settler(self) -> None:
        """Write results, until cancelled."""
        while True:
            await asyncio.sleep(SETTLE_INTERVAL_S)
            await self.flush()

    async def flush(self) -> None:
        """Write the results that wait; what cannot be written waits on."""
        while self._to_settle:
            batch = dict(list(self._to_settle.items())[:MAX_OPERATIONS])
            try:
                lease = await self._get_keeping_lease()
                changes = [self._settlement(key, known, lease) for key, known in batch.items()]
                await self._client.commit(Transaction((), tuple(changes)))
            except (EngineUnreachable, EtcdRefusal) as error:
                log.debug("intent.settling_failed", reason=error.message)
                return
            for key, known in batch.items():
                if self._to_settle.get(key) is known:
                    del self._to_settle[key]

    def _settlement(self, key: tuple[str, str], known: _Open, lease: int) -> Transaction:
        name = self._keys.intent(*key)
        value = decode(known.value, IntentValue)
        assert value is not None, "it was written here, or read"
        is_as_written = Compare(name, "value", known.value)
        if known.outcome == "refused":  # there is no such order: its id may be used again
            return Transaction((is_as_written,), (Delete(name),))
        settled = encode(structs.replace(value, outcome=known.outcome))
        return Transaction((is_as_written,), (Put(name, settled, lease),))

    async def _get_keeping_lease(self) -> int:
        now = asyncio.get_running_loop().time()
        if now >= self._keeping_until:
            self._keeping_lease = await self._client.grant(KEPT_S + int(KEEPING_LEASE_S))
            self._keeping_until = now + KEEPING_LEASE_S
        return self._keeping_lease

    def _remember(self, key: tuple[str, str], known: _Open) -> None:
        while len(self._open) >= MAX_OPEN:
            del self._open[next(iter(self._open))]  # it stays open in etcd, and is recalled there
        self._open[key] = known
        self._to_settle.pop(key, None)

    def _take_batch(self) -> list[_Pending]:
        """Return the next intents, at most one of each order."""
        batch = [p for p in self._queue[:MAX_OPERATIONS] if not p.done.done()]
        del self._queue[:MAX_OPERATIONS]
        if not self._queue:
            self._has_queued.clear()
        return batch

    def _get_owned(self, account: str) -> "_Owned":
        """Return this daemon's assignment. Raises `NotOwner`."""
        state = self._view.assignments.get(account)
        lease = self._lease.id
        if state is None or state.value.owner != self._name or state.value.lease != lease:
            owner = None if state is None else state.value.owner
            raise NotOwner(
                f"{owner or 'no daemon'} owns account {account}",
                owner=None if owner == self._name else owner,
            )
        return _Owned(state.value, state.revision)

    async def _write(self, batch: Sequence[_Pending]) -> None:
        """Carry out one transaction, and decide what each intent's result means."""
        pending = []
        inner = []
        for item in batch:
            try:
                inner.append(self._recording(item))
            except NotOwner as error:
                _fail([item], error)
            else:
                pending.append(item)
        if not pending:
            return
        lease = self._lease.id
        member = Compare(self._keys.member(self._name), "lease", lease)
        result = await self._client.commit(Transaction((member,), tuple(inner)))
        if not result.succeeded:
            _fail(pending, NotOwner("this daemon is no longer a member of the fleet"))
            return
        for item, part in zip(pending, result.results, strict=True):
            assert isinstance(part, TransactionResult), "each is a transaction"
            if part.succeeded:
                _succeed(item)
            else:
                self._handle_refusal(item, flatten(part.results))

    def _recording(self, item: _Pending) -> Transaction:
        intent, keys = item.intent, self._keys
        owned = self._get_owned(intent.account)
        assignment = keys.assignment(intent.account)
        if owned.value.halt is not None and not intent.reduces_risk:
            # Refused by etcd's own value, which may be newer: no revision is below zero.
            owned = structs.replace(owned, revision=-1)
        conditions = [Compare(assignment, "mod", owned.revision)]
        if not intent.reduces_risk:
            conditions.append(Compare(keys.halt, "create", 0))
        name = keys.intent(intent.account, intent.client_order_id)
        conditions.append(Compare(name, "mod", item.expected_revision))
        return Transaction(
            tuple(conditions),
            (Put(name, item.value),),
            (Get(assignment), Get(keys.halt), Get(name)),
        )

    def _handle_refusal(self, item: _Pending, pairs: Sequence[KeyValue]) -> None:
        """Refuse an intent, or try it again, by what etcd has now."""
        intent, keys = item.intent, self._keys
        found = {pair.key: pair for pair in pairs}
        if (pair := found.get(keys.assignment(intent.account))) is not None:
            value = decode(pair.value, AssignmentValue)
            if value is not None:
                self._view.apply_assignment(intent.account, value, pair.mod_revision)
        try:
            owned = self._get_owned(intent.account)
        except NotOwner as error:
            self._refuse(item, error)
            return
        if not intent.reduces_risk:
            halted = found.get(keys.halt)
            latch = owned.value.halt if halted is None else decode(halted.value, Latch)
            if latch is not None or halted is not None:
                self._refuse(item, _to_halted(latch))
                return
        pair = found.get(keys.intent(intent.account, intent.client_order_id))
        if pair is not None and not self._may_replace(item, pair):
            self._refuse(item, _to_existing(intent, pair))
            return
        if asyncio.get_running_loop().time() >= item.expires_at:
            self._refuse(item, EngineUnreachable("the assignment changes too often"))
            return
        item.expected_revision = 0 if pair is None else pair.mod_revision
        self._queue.insert(0, item)
        self._has_queued.set()

    def _may_replace(self, item: _Pending, pair: KeyValue) -> bool:
        """Whether what the key of an order has does not speak against sending it: this very
        attempt, whose answer was lost, or an order that does not exist."""
        if pair.value == item.value:
            return True
        value = decode(pair.value, IntentValue)
        if value is not None and value.outcome in REUSABLE:
            return True
        waiting = self._to_settle.get((item.intent.account, item.intent.client_order_id))
        return waiting is not None and waiting.outcome in REUSABLE and waiting.value == pair.value

    def _refuse(self, item: _Pending, error: RealtimeError) -> None:
        self.refused += 1
        _fail([item], error)

    async def _handle_unreachable(
        self, batch: Sequence[_Pending], error: EngineUnreachable
    ) -> None:
        """Try again until an intent's time is over. An answer that was lost needs nothing more: the
        condition on the order's key finds what the first attempt wrote, by its marker."""
        now = asyncio.get_running_loop().time()
        waiting = [p for p in batch if not p.done.done()]
        for item in waiting:
            if now + RETRY_INTERVAL_S >= item.expires_at or item.intent.reduces_risk:
                _fail([item], error)
        again = [p for p in waiting if not p.done.done()]
        self._queue[:0] = again
        if again:
            self._has_queued.set()
            await asyncio.sleep(RETRY_INTERVAL_S if isinstance(error, EngineAnswerLost) else 0.2)


class _Owned(Struct, frozen=True):
    value: AssignmentValue
    revision: int


def _to_existing(intent: Intent, pair: KeyValue) -> IntentExists:
    value = decode(pair.value, IntentValue)
    is_same = value is None or value.intent.fingerprint == intent.fingerprint
    outcome = "open" if value is None or value.outcome is None else value.outcome
    return IntentExists(
        f"order {intent.client_order_id} was recorded before: {outcome}", is_same=is_same
    )


def _to_halted(latch: Latch | None) -> EngineHalted:
    if latch is None:
        return EngineHalted("orders are halted")
    reason = f": {latch.reason}" if latch.reason else ""
    return EngineHalted(f"orders are halted since {latch.since} by {latch.principal}{reason}")


def _fail(batch: Sequence[_Pending], error: RealtimeError) -> None:
    for item in batch:
        if not item.done.done():
            item.done.set_exception(error)


def _succeed(item: _Pending) -> None:
    if not item.done.done():
        item.done.set_result(None)
