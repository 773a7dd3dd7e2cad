"""etcd as a model in virtual time: one store, one client for each daemon, and faults between them.

Written from etcd's documentation, apart from the daemon's code; `test_etcd_gateway.py` runs the
same statements on real servers.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from itertools import count
from random import Random

from msgspec import Struct

from realtime.cluster.etcd_types import (
    Compare,
    Delete,
    Events,
    Get,
    KeyValue,
    Listing,
    Operation,
    Put,
    Transaction,
    TransactionResult,
)
from realtime.errors import EngineAnswerLost, EngineUnreachable, EtcdCompacted, EtcdRefusal

ATTEMPT_TIMEOUT_S = 0.8
WATCH_LIFETIME_S = 15.0


class ModelLease(Struct):
    ttl_s: float
    ends_at: float


class EtcdModel:
    """The store. Leases end by the loop's time."""

    def __init__(self) -> None:
        self.revision = 1
        self.keys: dict[str, KeyValue] = {}
        self.history: list[tuple[int, str, KeyValue | None]] = []
        self.compacted = 0
        self.leases: dict[int, ModelLease] = {}
        self._ids = count(1000)
        self._changed = asyncio.Event()
        self.down_until = 0.0
        self.timeline: list[tuple[float, str, KeyValue | None]] = []
        """Every write, with its time: for checks."""

    def get(self, get: Get) -> tuple[KeyValue, ...]:
        if not get.is_prefix:
            return (self.keys[get.key],) if get.key in self.keys else ()
        return tuple(self.keys[key] for key in sorted(self.keys) if key.startswith(get.key))

    def commit(self, transaction: Transaction) -> TransactionResult:
        self.expire()
        _check_size(transaction)
        self.revision += 1
        before = dict(self.keys)
        result, has_written = self._apply(transaction, before)
        if not has_written:
            self.revision -= 1
        self._notify()
        return TransactionResult(
            succeeded=result.succeeded, revision=self.revision, results=result.results
        )

    def grant(self, ttl_s: int) -> int:
        self.expire()
        lease = next(self._ids)
        self.leases[lease] = ModelLease(ttl_s, _now() + ttl_s)
        asyncio.get_running_loop().call_later(ttl_s + 0.001, self.expire)
        return lease

    def keep_alive(self, lease: int) -> int:
        self.expire()
        if lease not in self.leases:
            return 0
        ttl_s = self.leases[lease].ttl_s
        self.leases[lease].ends_at = _now() + ttl_s
        asyncio.get_running_loop().call_later(ttl_s + 0.001, self.expire)
        return int(ttl_s)

    def revoke(self, lease: int) -> None:
        self.expire()
        if self.leases.pop(lease, None) is None:
            raise EtcdRefusal("requested lease not found", code=5)
        self._remove_keys_of(lease)

    def expire(self) -> None:
        """End the leases whose time is over."""
        now = _now()
        for lease in [x for x, state in self.leases.items() if state.ends_at <= now]:
            del self.leases[lease]
            self._remove_keys_of(lease)

    def go_down(self, seconds: float) -> None:
        """Have no majority, or no leader: nothing is answered, and a new leader gives each lease
        its whole time again."""
        self.down_until = _now() + seconds
        for lease in self.leases.values():
            lease.ends_at = self.down_until + lease.ttl_s
            asyncio.get_running_loop().call_at(lease.ends_at + 0.001, self.expire)

    def compact(self) -> None:
        """Forget what was before the present revision."""
        self.compacted = self.revision
        self.history = [item for item in self.history if item[0] > self.revision]

    async def watch(self, prefix: str, revision: int) -> AsyncIterator[Events]:
        if revision <= self.compacted:
            raise EtcdCompacted("compacted")
        ends_at = _now() + WATCH_LIFETIME_S
        while (left_s := ends_at - _now()) > 0:
            changes = tuple(
                (key, pair)
                for at, key, pair in self.history
                if at >= revision and key.startswith(prefix)
            )
            if changes:
                revision = self.revision + 1
                yield Events(self.revision, changes)
                continue
            changed = self._changed
            try:
                async with asyncio.timeout(left_s):
                    await changed.wait()
            except TimeoutError:
                return

    def _apply(
        self, transaction: Transaction, before: dict[str, KeyValue]
    ) -> tuple[TransactionResult, bool]:
        succeeded = all(_holds(condition, before) for condition in transaction.conditions)
        results: list[TransactionResult | tuple[KeyValue, ...]] = []
        has_written = False
        for operation in transaction.then if succeeded else transaction.otherwise:
            result, wrote = self._apply_operation(operation, before)
            results.append(result)
            has_written |= wrote
        return TransactionResult(succeeded=succeeded, results=tuple(results)), has_written

    def _apply_operation(
        self, operation: Operation, before: dict[str, KeyValue]
    ) -> tuple[TransactionResult | tuple[KeyValue, ...], bool]:
        match operation:
            case Transaction():
                return self._apply(operation, before)
            case Get():
                return self.get(operation), False
            case Put(key, value, lease):
                if lease and lease not in self.leases:
                    raise EtcdRefusal("requested lease not found", code=5)
                created = self.keys[key].create_revision if key in self.keys else self.revision
                self._write(
                    key,
                    KeyValue(
                        key=key,
                        value=value,
                        create_revision=created,
                        mod_revision=self.revision,
                        lease=lease,
                    ),
                )
                return (), True
            case Delete(key):
                if key not in self.keys:
                    return (), False
                self._write(key, None)
                return (), True

    def _write(self, key: str, pair: KeyValue | None) -> None:
        if pair is None:
            del self.keys[key]
        else:
            self.keys[key] = pair
        self.history.append((self.revision, key, pair))
        self.timeline.append((_now(), key, pair))

    def _remove_keys_of(self, lease: int) -> None:
        keys = [key for key, pair in self.keys.items() if pair.lease == lease]
        if keys:
            self.revision += 1
            for key in keys:
                self._write(key, None)
            self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class ModelClient:
    """One daemon's connection to the store, with faults. See `EtcdClient`."""

    def __init__(self, model: EtcdModel, rng: Random) -> None:
        self._model = model
        self._rng = rng
        self.cut_until = 0.0
        """Nothing arrives at the store, nothing comes from it."""
        self.lost_answers = 0.0
        """Part of the transactions that are carried out without an answer."""
        self.late = 0.0
        """Part of the transactions that are carried out seconds after their time is over."""
        self.watch_delay_s = 0.002

    async def get(self, key: str, *, is_prefix: bool = False) -> Listing:
        await self._travel()
        self._model.expire()
        return Listing(self._model.revision, self._model.get(Get(key, is_prefix)))

    async def commit(self, transaction: Transaction) -> TransactionResult:
        await self._travel()
        if self._rng.random() < self.late:
            delay_s = ATTEMPT_TIMEOUT_S + self._rng.uniform(0.0, 6.0)
            asyncio.get_running_loop().call_later(delay_s, self._commit_late, transaction)
            await self._lose()
        result = self._model.commit(transaction)
        if self._rng.random() < self.lost_answers:
            await self._lose()
        await asyncio.sleep(self._rng.uniform(0.0005, 0.002))
        return result

    def _commit_late(self, transaction: Transaction) -> None:
        with suppress(EtcdRefusal):
            self._model.commit(transaction)

    async def grant(self, ttl_s: int) -> int:
        await self._travel()
        return self._model.grant(ttl_s)

    async def keep_alive(self, lease: int) -> int:
        await self._travel()
        held_s = self._model.keep_alive(lease)
        if self._rng.random() < self.lost_answers:
            await self._lose()
        return held_s

    async def revoke(self, lease: int) -> None:
        await self._travel()
        self._model.revoke(lease)

    async def watch(self, prefix: str, revision: int) -> AsyncIterator[Events]:
        await self._travel()
        async for events in self._model.watch(prefix, revision):
            await asyncio.sleep(self.watch_delay_s)
            if _now() < self.cut_until:
                raise EngineUnreachable("the watch is cut")
            yield events

    async def _travel(self) -> None:
        """Reach the store. Raises `EngineUnreachable` where it cannot be reached."""
        if _now() < max(self.cut_until, self._model.down_until):
            await asyncio.sleep(ATTEMPT_TIMEOUT_S)
            raise EngineAnswerLost("no answer")
        await asyncio.sleep(self._rng.uniform(0.0005, 0.002))

    async def _lose(self) -> None:
        await asyncio.sleep(ATTEMPT_TIMEOUT_S)
        raise EngineAnswerLost("the answer is lost")


def _holds(condition: Compare, keys: dict[str, KeyValue]) -> bool:
    pair = keys.get(condition.key)
    actual: int | bytes
    match condition.target:
        case "value":
            if pair is None:
                return False
            actual = pair.value
        case "create":
            actual = 0 if pair is None else pair.create_revision
        case "mod":
            actual = 0 if pair is None else pair.mod_revision
        case "lease":
            actual = 0 if pair is None else pair.lease
    return (actual == condition.operand) == condition.is_equal


def _check_size(transaction: Transaction, limit: int = 128) -> None:
    size = max(map(len, (transaction.conditions, transaction.then, transaction.otherwise)))
    if size > limit:
        raise EtcdRefusal("too many operations in txn request", code=3)
    inner: Iterable[Operation] = (*transaction.then, *transaction.otherwise)
    for operation in inner:
        if isinstance(operation, Transaction):
            _check_size(operation, limit - size)


def _now() -> float:
    return asyncio.get_running_loop().time()
