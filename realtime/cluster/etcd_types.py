"""Requests and results of etcd's key-value store, as values. Source: etcd 3.4, `rpc.proto`."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

MAX_OPERATIONS = 100
"""Of one transaction: etcd refuses more than 128, those of the deepest inner one included."""


class KeyValue(Struct, frozen=True, kw_only=True):
    """A key as etcd has it."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int
    lease: int = 0


class Compare(Struct, frozen=True):
    """A condition of a transaction. A key that does not exist has the revisions and lease 0, and no
    value equals its value."""

    key: str
    target: Literal["create", "mod", "lease", "value"]
    operand: int | bytes
    is_equal: bool = True


class Put(Struct, frozen=True):
    """Write a key; `lease` removes it when it ends."""

    key: str
    value: bytes
    lease: int = 0


class Get(Struct, frozen=True):
    """Read a key, or all keys that begin with it."""

    key: str
    is_prefix: bool = False


class Delete(Struct, frozen=True):
    """Remove a key."""

    key: str


class Transaction(Struct, frozen=True):
    """One step: if all conditions hold the first operations, else the others. An inner transaction
    compares with the state before the step."""

    conditions: "tuple[Compare, ...]"
    then: "tuple[Operation, ...]"
    otherwise: "tuple[Operation, ...]" = ()


Operation: TypeAlias = Put | Get | Delete | Transaction


class TransactionResult(Struct, frozen=True, kw_only=True):
    """What a transaction did."""

    succeeded: bool
    revision: int = 0
    """Of the store after it; that of every key it has written. 0 of an inner transaction."""
    results: "tuple[TransactionResult | tuple[KeyValue, ...], ...]" = ()
    """Of each operation: an inner result, or the keys that a `Get` found, else nothing."""


class Listing(Struct, frozen=True):
    """What a read found, and at which revision of the store."""

    revision: int
    keys: tuple[KeyValue, ...]


class Events(Struct, frozen=True):
    """Changes of one revision or more, in order."""

    revision: int
    puts_and_deletes: tuple[tuple[str, KeyValue | None], ...]
    """Key and what it is now; None: it was removed."""


class EtcdClient(Protocol):
    """What the coordinator uses of etcd.

    Raises `EngineUnreachable` if no node answered in time (`EngineAnswerLost` where a change may
    have happened all the same), and `EtcdRefusal` for an error that a node reported.
    """

    async def get(self, key: str, *, is_prefix: bool = False) -> Listing:
        """Read a key or a prefix; the answer is not older than the request."""
        ...

    async def commit(self, transaction: Transaction) -> TransactionResult:
        """Carry out a transaction, at most once."""
        ...

    async def grant(self, ttl_s: int) -> int:
        """Return a new lease."""
        ...

    async def keep_alive(self, lease: int) -> int:
        """Renew a lease once; return the seconds that it holds from then on; 0: it has ended."""
        ...

    async def revoke(self, lease: int) -> None:
        """End a lease, and remove its keys."""
        ...

    def watch(self, prefix: str, revision: int) -> AsyncIterator[Events]:
        """Yield changes from a revision on; ends when the connection has been used long enough.

        Raises `EtcdCompacted` if that revision is no longer known.
        """
        ...


def flatten(results: Sequence[object]) -> list[KeyValue]:
    """Return the keys that the reads of a transaction found."""
    keys: list[KeyValue] = []
    for result in results:
        if isinstance(result, tuple):
            keys.extend(result)
        elif isinstance(result, TransactionResult):
            keys.extend(flatten(result.results))
    return keys
