"""Account, positions and orders as JSON, each encoded once for as long as it is the same value.

State changes by value: what an event did not touch is the same object in the next state. So one
changed order costs one encoding, and not those of the five hundred that stand beside it. The same
goes for the key that sorts an order, whose timestamps cost more to read than the rest to write.

Parts are kept for who asks again, and bounded: the first rendering of an account leaves none
behind, and an account that nobody asked for long loses its own.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from realtime.core.model import Account, AccountLabel, Order, Position
from realtime.core.state import AccountState
from realtime.store import Record
from realtime.views.orders import Age, age

MAX_BYTES = 24 * 1024 * 1024
"""Memory for parts: 1000 accounts of 20 orders, or 45 of 500."""

OVERHEAD_BYTES = 400
"""What a part is charged beside its JSON: key, age, bookkeeping."""

_encode = msgspec.json.Encoder().encode

T = TypeVar("T")


class _Part(Struct, eq=False, gc=False):
    """One thing, its JSON once that was asked for, and an order's age. There are so many that the
    garbage collector must not visit them; nothing in them leads back."""

    of: Struct
    age: Age | None = None
    json: Raw | None = None
    cost: int = OVERHEAD_BYTES


class Parts:
    """The parts of one account."""

    __slots__ = ("_kept", "size_bytes")

    def __init__(self) -> None:
        self.size_bytes = 0
        # Words, not tuples: a dict of these alone is nothing to the garbage collector.
        self._kept: dict[str, _Part] = {}

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

    def _part(self, key: str, of: Struct) -> _Part:
        part = self._kept.get(key)
        if part is None or part.of is not of:
            if part is not None:
                self.size_bytes -= part.cost
            part = self._kept[key] = _Part(of)
            self.size_bytes += part.cost
        return part

    def _json(self, part: _Part) -> Raw:
        if part.json is None:
            encoded = _encode(part.of)
            part.json = Raw(encoded)
            part.cost += len(encoded)
            self.size_bytes += len(encoded)
        return part.json


class Shelf:
    """label → its parts. Least recently used leave first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self._shelf: OrderedDict[AccountLabel, Parts] = OrderedDict()

    def __len__(self) -> int:
        return len(self._shelf)

    def use(self, record: Record, render: Callable[[Parts], T]) -> T:
        """What `render` makes of the record's parts."""
        label = record.profile.label
        parts = self._shelf.pop(label, None)
        if parts is None:
            self._shelf[label] = Parts()  # for the next time, if there is one
            return render(Parts())
        self.size_bytes -= parts.size_bytes
        parts.forget_strangers(record.state)
        try:
            return render(parts)
        finally:
            self._shelf[label] = parts
            self.size_bytes += parts.size_bytes
            while self.size_bytes > self.max_bytes:
                self.size_bytes -= self._shelf.popitem(last=False)[1].size_bytes
