"""Which orders went through here: by our id for them, and by the caller's idempotency key.

Bounded; the oldest leave first. What leaves is still protected by the broker, which takes no
`client_order_id` twice: an id made from a key is always the same for the same caller and account.
"""

import asyncio
from hashlib import blake2b
from typing import Literal

from msgspec import Struct
from msgspec.json import Encoder

from realtime.core.model import OrderId
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.journal import Journal, JournalEntry
from realtime.orders.results import Placed

KEPT = 200_000
"""Orders remembered: about 60 MB at the most."""

_encode = Encoder(order="deterministic").encode


class OrderRecord(Struct, kw_only=True):
    """One order of ours."""

    account: str
    client_order_id: str
    print: str
    """Fingerprint of what was asked for."""
    key: str | None = None
    state: Literal["pending", "placed", "unknown"] = "unknown"
    order_id: OrderId | None = None
    task: "asyncio.Task[Placed | Declined | Unresolved] | None" = None
    """Who is placing it or asking for it now."""


class IdempotencyIndex:
    """All that are known."""

    def __init__(self, *, most: int = KEPT) -> None:
        self._most = most
        self._by_id: dict[tuple[str, str], OrderRecord] = {}
        """account and client order id → order"""
        self._by_key: dict[str, OrderRecord] = {}
        """caller and key → order"""
        self.is_complete = False
        """Whether it reaches back to the first order that this journal ever saw."""

    def __len__(self) -> int:
        return len(self._by_id)

    def of_key(self, key: str | None) -> OrderRecord | None:
        """The order that was asked for with this key before."""
        return None if key is None else self._by_key.get(key)

    def of_id(self, account: str, client_order_id: str) -> OrderRecord | None:
        """The order that went under this id."""
        return self._by_id.get((account, client_order_id))

    def add(self, known: OrderRecord) -> None:
        """Remember an order, before it goes."""
        self._by_id.pop((known.account, known.client_order_id), None)
        while len(self._by_id) >= self._most:
            oldest = self._by_id.pop(next(iter(self._by_id)))
            if oldest.key is not None and self._by_key.get(oldest.key) is oldest:
                del self._by_key[oldest.key]
            self.is_complete = False
        self._by_id[known.account, known.client_order_id] = known
        if known.key is not None:
            self._by_key[known.key] = known

    def forget(self, known: OrderRecord) -> None:
        """There is no such order after all: the same call may come again."""
        self._by_id.pop((known.account, known.client_order_id), None)
        if known.key is not None and self._by_key.get(known.key) is known:
            del self._by_key[known.key]

    def load(self, line: JournalEntry) -> None:
        """Take a line of the journal."""
        if line.account is None or line.client_order_id is None:
            return
        known = self.of_id(line.account, line.client_order_id)
        match line.event:
            case "order.intended" if known is None:
                known = OrderRecord(
                    account=line.account,
                    client_order_id=line.client_order_id,
                    print=line.print or "",
                    key=line.key,
                )
                self.add(known)
            case "order.placed" | "order.found" if known is not None:
                known.state = "placed"
                known.order_id = OrderId(line.order_id) if line.order_id else None
            case "order.refused" if known is not None and known.state != "placed":
                self.forget(known)


def read_journal(memory: IdempotencyIndex, journal: Journal) -> list[JournalEntry]:
    """Fill the memory; gives the lines that are about something else than orders."""
    others = []
    memory.is_complete = True
    for line in journal.read():
        if line.event.startswith("order."):
            memory.load(line)
        elif not line.event.startswith("cancel."):
            others.append(line)
    return others


def fingerprint(*asked: object) -> str:
    """A short name of what was asked: equal only for the same question."""
    return blake2b(_encode(asked), digest_size=12).hexdigest()


def derived_id(key: str, account: str) -> str:
    """The client order id of a key on an account: the same after any loss of memory."""
    return "rt-" + blake2b(f"{key}\0{account}".encode(), digest_size=16).hexdigest()
