"""Account, positions and orders as JSON, each encoded once for as long as it is the same value.

State changes by value: what an event did not touch is the same object in the next state. So one
changed order costs one encoding, and not those of the five hundred that stand beside it. The same
goes for the key that sorts an order, whose timestamps cost more to read than the rest to write.

Parts are kept for who asks again, within a bound. The first rendering of an account leaves none
behind; after that those are kept that are asked for most often. What there is no room for is
encoded as a whole, which costs less than parts that nobody uses again.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct

from realtime.api.documents.orders import Age, age
from realtime.core.model import Account, AccountLabel, Order, Position
from realtime.core.state import AccountState
from realtime.store.store import Record

MAX_BYTES = 24 * 1024 * 1024
"""Memory for parts: 1000 accounts of 20 orders, or 45 of 500."""

OVERHEAD_BYTES = 400
"""What a part is charged beside its JSON: key, age, bookkeeping."""

_encode = msgspec.json.Encoder().encode

T = TypeVar("T")


Json = Raw | Struct
"""JSON, or what is still to be encoded."""


class Fragments(Protocol):
    """What a document is put together from."""

    def account(self, account: Account) -> Json: ...

    def position(self, position: Position) -> Json: ...

    def order(self, order: Order) -> Json: ...

    def age(self, order: Order) -> Age:
        """What sorts an order."""


class UncachedFragments:
    """Nothing is kept: everything is encoded with the document."""

    def account(self, account: Account) -> Account:
        return account

    def position(self, position: Position) -> Position:
        return position

    def order(self, order: Order) -> Order:
        return order

    def age(self, order: Order) -> Age:
        return age(order)


UNCACHED = UncachedFragments()


class _Fragment(Struct, eq=False, gc=False):
    """One thing, its JSON once that was asked for, and an order's age. There are so many that the
    garbage collector must not visit them; nothing in them leads back."""

    of: Struct
    age: Age | None = None
    json: Raw | None = None
    cost: int = OVERHEAD_BYTES


class CachedFragments:
    """The parts of one account."""

    __slots__ = ("_kept", "size_bytes", "used_at")

    def __init__(self) -> None:
        self.size_bytes = 0
        self.used_at = 0
        """When they were last used, by the shelf's count of uses."""
        # Words, not tuples: a dict of these alone is nothing to the garbage collector.
        self._kept: dict[str, _Fragment] = {}

    def account(self, account: Account) -> Raw:
        """The account's JSON."""
        return self._json(self._part("account", account))

    def position(self, position: Position) -> Raw:
        """A position's JSON."""
        return self._json(self._part(f"position {position.symbol}", position))

    def order(self, order: Order) -> Raw:
        """An order's JSON. One with its legs rolled up was put together for one answer only."""
        return Raw(_encode(order)) if order.legs else self._json(self._part(order.id, order))

    def age(self, order: Order) -> Age:
        """What sorts an order."""
        if order.legs:
            return age(order)
        part = self._part(order.id, order)
        if part.age is None:
            part.age = age(order)
        return part.age

    def forget_strangers(self, state: AccountState) -> None:
        """Drop the parts of what has left the account, once they are many."""
        if len(self._kept) > 2 * (len(state.orders) + len(state.positions)) + 10:
            self._kept.clear()
            self.size_bytes = 0

    def _part(self, key: str, of: Struct) -> _Fragment:
        part = self._kept.get(key)
        if part is None or part.of is not of:
            if part is not None:
                self.size_bytes -= part.cost
            part = self._kept[key] = _Fragment(of)
            self.size_bytes += part.cost
        return part

    def _json(self, part: _Fragment) -> Raw:
        if part.json is None:
            encoded = _encode(part.of)
            part.json = Raw(encoded)
            part.cost += len(encoded)
            self.size_bytes += len(encoded)
        return part.json


class FragmentCache:
    """label → its parts.

    An account comes onto it when it is asked for again, and if there is no room only when that was
    since the one that leaves for it was last asked for. Else a thousand accounts that are asked for
    in turns, each for the first time in a while, would push each other out for ever.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self._uses = 0
        self._kept: OrderedDict[AccountLabel, CachedFragments] = OrderedDict()
        """Least recently used first."""
        self._asked: dict[AccountLabel, int] = {}
        """label → when it was last asked for, of those without parts"""

    def __len__(self) -> int:
        return len(self._kept)

    def use(self, record: Record, render: Callable[[Fragments], T]) -> T:
        """What `render` makes of the record's parts."""
        label = record.profile.label
        self._uses += 1
        parts = self._kept.pop(label, None) or self._newcomer(label)
        if parts is None:
            return render(UNCACHED)
        self.size_bytes -= parts.size_bytes
        parts.forget_strangers(record.state)
        parts.used_at = self._uses
        try:
            return render(parts)
        finally:
            self._kept[label] = parts
            self.size_bytes += parts.size_bytes
            while self.size_bytes > self.max_bytes:
                gone, those = self._kept.popitem(last=False)
                self._asked[gone] = those.used_at
                self.size_bytes -= those.size_bytes

    def _newcomer(self, label: AccountLabel) -> CachedFragments | None:
        """Parts for an account that has none; None if it is not worth them."""
        before = self._asked.get(label)
        self._asked[label] = self._uses
        if before is None:
            return None
        oldest = next(iter(self._kept.values()), None)
        if self._is_full and oldest is not None and oldest.used_at > before:
            return None
        del self._asked[label]
        return CachedFragments()

    @property
    def _is_full(self) -> bool:
        kept = max(1, len(self._kept))
        return self.size_bytes + self.size_bytes // kept > self.max_bytes
