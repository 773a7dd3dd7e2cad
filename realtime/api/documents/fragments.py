"""Account, positions and orders as JSON, each encoded once for as long as it is the same value.

State changes by value: what an event did not touch is the same object in the next state. So one
changed order costs one encoding, and not those of the five hundred beside it. The same applies to
the key that sorts an order, whose timestamps cost more to read than the rest costs to encode.

Fragments are kept for accounts that are requested repeatedly, within a bound. The first rendering
of an account keeps none; after that those of the accounts that are requested most often are kept.
Where there is no room the document is encoded as a whole, which costs less than fragments that are
not used again.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct

from realtime.api.documents.order_index import OrderIndex
from realtime.api.documents.orders import SortKey, recent_orders, sort_key
from realtime.core.model import Account, AccountLabel, Order, Position
from realtime.core.state import AccountState
from realtime.store.records import Record

MAX_BYTES = 24 * 1024 * 1024
"""Memory for fragments: 1000 accounts of 20 orders, or 45 of 500."""

OVERHEAD_BYTES = 400
"""The cost of a fragment beside its JSON: key, sort key, bookkeeping."""

_encode = msgspec.json.Encoder().encode

T = TypeVar("T")


Json = Raw | Struct
"""JSON, or a value that is encoded with the document."""


class Fragments(Protocol):
    """The parts that a document is assembled from."""

    def account(self, account: Account) -> Json: ...

    def position(self, position: Position) -> Json: ...

    def order(self, order: Order) -> Json: ...

    def sort_key(self, order: Order) -> SortKey:
        """The key that sorts an order."""

    def recent_orders(self, state: AccountState, max_closed: int) -> list[Order]:
        """Every open order and the newest closed ones, newest first."""


class UncachedFragments:
    """Keeps nothing: everything is encoded with the document."""

    def account(self, account: Account) -> Account:
        return account

    def position(self, position: Position) -> Position:
        return position

    def order(self, order: Order) -> Order:
        return order

    def sort_key(self, order: Order) -> SortKey:
        return sort_key(order)

    def recent_orders(self, state: AccountState, max_closed: int) -> list[Order]:
        return recent_orders(state, max_closed)


UNCACHED = UncachedFragments()


class _Fragment(Struct, eq=False, gc=False):
    """A value, its JSON after the first request, and an order's sort key. There are so many that
    the garbage collector must not visit them; nothing in them refers back to them."""

    value: Struct
    sort_key: SortKey | None = None
    json: Raw | None = None
    cost: int = OVERHEAD_BYTES


class CachedFragments:
    """The fragments of one account."""

    __slots__ = ("_fragments", "_index", "size_bytes", "used_at")

    def __init__(self) -> None:
        self.size_bytes = 0
        self.used_at = 0
        """When they were last used, by the cache's count of uses."""
        # String keys, not tuples: the garbage collector does not track a dict of these.
        self._fragments: dict[str, _Fragment] = {}
        self._index = OrderIndex()

    def account(self, account: Account) -> Raw:
        """The account's JSON."""
        return self._encode(self._get("account", account))

    def position(self, position: Position) -> Raw:
        """A position's JSON."""
        return self._encode(self._get(f"position {position.symbol}", position))

    def order(self, order: Order) -> Raw:
        """An order's JSON. An order with nested legs was made for one response only."""
        return Raw(_encode(order)) if order.legs else self._encode(self._get(order.id, order))

    def sort_key(self, order: Order) -> SortKey:
        """The key that sorts an order."""
        if order.legs:
            return sort_key(order)
        fragment = self._get(order.id, order)
        if fragment.sort_key is None:
            fragment.sort_key = sort_key(order)
        return fragment.sort_key

    def recent_orders(self, state: AccountState, max_closed: int) -> list[Order]:
        """Every open order and the newest closed ones, newest first."""
        return self._index.get_recent(state.orders, max_closed, self.sort_key)

    def remove_absent(self, state: AccountState) -> None:
        """Remove the fragments of orders and positions that have left the account, once there are
        many."""
        if len(self._fragments) > 2 * (len(state.orders) + len(state.positions)) + 10:
            self._fragments.clear()
            self.size_bytes = 0

    def _get(self, key: str, value: Struct) -> _Fragment:
        fragment = self._fragments.get(key)
        if fragment is None or fragment.value is not value:
            if fragment is not None:
                self.size_bytes -= fragment.cost
            fragment = self._fragments[key] = _Fragment(value)
            self.size_bytes += fragment.cost
        return fragment

    def _encode(self, fragment: _Fragment) -> Raw:
        if fragment.json is None:
            encoded = _encode(fragment.value)
            fragment.json = Raw(encoded)
            fragment.cost += len(encoded)
            self.size_bytes += len(encoded)
        return fragment.json


class FragmentCache:
    """label → its fragments.

    An account enters the cache with its second request. If there is no room, it enters only when
    its previous request is newer than the last one of the account that would leave. Otherwise a
    thousand accounts that are requested in turn would push each other out indefinitely.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self._uses = 0
        self._accounts: OrderedDict[AccountLabel, CachedFragments] = OrderedDict()
        """Least recently used first."""
        self._requested_at: dict[AccountLabel, int] = {}
        """label → when it was last requested, of accounts without fragments"""

    def __len__(self) -> int:
        return len(self._accounts)

    def render(self, record: Record, render: Callable[[Fragments], T]) -> T:
        """The result of `render` with the record's fragments."""
        label = record.profile.label
        self._uses += 1
        fragments = self._accounts.pop(label, None) or self._admit(label)
        if fragments is None:
            return render(UNCACHED)
        self.size_bytes -= fragments.size_bytes
        fragments.remove_absent(record.state)
        fragments.used_at = self._uses
        try:
            return render(fragments)
        finally:
            self._accounts[label] = fragments
            self.size_bytes += fragments.size_bytes
            while self.size_bytes > self.max_bytes:
                evicted_label, evicted = self._accounts.popitem(last=False)
                self._requested_at[evicted_label] = evicted.used_at
                self.size_bytes -= evicted.size_bytes

    def _admit(self, label: AccountLabel) -> CachedFragments | None:
        """New fragments for an account that has none; None if it does not enter the cache."""
        previous = self._requested_at.get(label)
        self._requested_at[label] = self._uses
        if previous is None:
            return None
        oldest = next(iter(self._accounts.values()), None)
        if self._is_full and oldest is not None and oldest.used_at > previous:
            return None
        del self._requested_at[label]
        return CachedFragments()

    @property
    def _is_full(self) -> bool:
        count = max(1, len(self._accounts))
        return self.size_bytes + self.size_bytes // count > self.max_bytes
