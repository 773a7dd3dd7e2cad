"""Which orders went through here: by our id for them, and by the caller's idempotency key.

Bounded; the oldest are removed first. The broker still protects a removed one, because it accepts
no `client_order_id` twice: an id derived from a key is always the same for a caller and an account.
"""

import asyncio
import random
from hashlib import blake2b
from typing import Literal

from msgspec import Struct
from msgspec.json import Encoder

from realtime.auth.principal import Principal
from realtime.core.model import OrderId
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.orders.journal import JournalEntry
from realtime.orders.results import Placed

MAX_RECORDS = 200_000
"""About 60 MB."""

MAX_KEY_LENGTH = 200

_encode = Encoder(order="deterministic").encode


class OrderRecord(Struct, kw_only=True, eq=False):
    """One order that was submitted here."""

    account: str
    client_order_id: str
    fingerprint: str
    """Of the request; see `make_fingerprint`."""
    key: str | None = None
    state: Literal["pending", "refused", "placed", "unknown"] = "unknown"
    """`unknown` from the moment its bytes leave until the broker has answered."""
    order_id: OrderId | None = None
    sent_at: float = 0.0
    """When its bytes left, epoch seconds; 0 while they have not."""
    answered_at: float = 0.0
    """When the broker's order was first seen, epoch seconds; 0 before."""
    task: "asyncio.Task[Placed | Declined | Unresolved] | None" = None
    """Sends it or looks it up now."""


class IdempotencyIndex:
    """All orders by id and by key."""

    def __init__(self, rng: random.Random, *, max_records: int = MAX_RECORDS) -> None:
        self._rng = rng
        self._max_records = max_records
        self._by_id: dict[tuple[str, str], OrderRecord] = {}
        """account and client order id → order"""
        self._by_key: dict[str, OrderRecord] = {}
        """caller and key → order"""
        self.is_complete = True
        """Whether it reaches back to the first order that this journal has."""

    def __len__(self) -> int:
        return len(self._by_id)

    def get_by_key(self, key: str | None) -> OrderRecord | None:
        """Return the order that came with this key before."""
        return None if key is None else self._by_key.get(key)

    def get_by_id(self, account: str, client_order_id: str) -> OrderRecord | None:
        """Return the order that has this id."""
        return self._by_id.get((account, client_order_id))

    def identify(
        self, account: str, client_order_id: str | None, key: str | None, fingerprint: str
    ) -> OrderRecord:
        """Return the order that a call is about: one that was submitted before, or a new one.

        Raises `Declined` if the key or the id came with another call. Nothing may be awaited
        between this and `OrderExecutor.submit`.
        """
        record = self.get_by_key(key)
        if record is None and client_order_id is not None:
            record = self.get_by_id(account, client_order_id)
        if record is None:
            if client_order_id is None:
                random_id = f"rt-{self._rng.getrandbits(128):032x}"
                client_order_id = random_id if key is None else derive_id(key, account)
            return OrderRecord(
                account=account,
                client_order_id=client_order_id,
                fingerprint=fingerprint,
                key=key,
                state="pending",
            )
        if record.fingerprint != fingerprint:
            raise malformed(
                "client_order_id must be unique"
                if record.key != key
                else "this Idempotency-Key came with another call before"
            )
        return record

    def add(self, record: OrderRecord) -> None:
        """Add an order, before it is sent."""
        self._by_id.pop((record.account, record.client_order_id), None)
        while len(self._by_id) >= self._max_records:
            oldest = self._by_id.pop(next(iter(self._by_id)))
            if oldest.key is not None and self._by_key.get(oldest.key) is oldest:
                del self._by_key[oldest.key]
            self.is_complete = False
        self._by_id[record.account, record.client_order_id] = record
        if record.key is not None:
            self._by_key[record.key] = record

    def remove(self, record: OrderRecord) -> None:
        """Remove an order that does not exist: the same call may come again."""
        self._by_id.pop((record.account, record.client_order_id), None)
        if record.key is not None and self._by_key.get(record.key) is record:
            del self._by_key[record.key]

    def apply(self, entry: JournalEntry, *, at: float) -> None:
        """Apply what the journal says of an order, of earlier or by another process. `at` is its
        time by the clock that never steps."""
        if entry.account is None or entry.client_order_id is None:
            return
        record = self.get_by_id(entry.account, entry.client_order_id)
        match entry.event:
            case "order.intended" if record is None:
                self.add(
                    OrderRecord(
                        account=entry.account,
                        client_order_id=entry.client_order_id,
                        fingerprint=entry.fingerprint or "",
                        key=entry.key,
                        sent_at=at,
                    )
                )
            case "order.placed" | "order.found" if record is not None:
                record.state = "placed"
                record.answered_at = record.answered_at or at
                record.order_id = OrderId(entry.order_id) if entry.order_id else None
            case "order.refused" if record is not None and record.state != "placed":
                record.state = "refused"
                self.remove(record)


def make_fingerprint(*values: object) -> str:
    """Return a short hash of a request: equal only for the same request."""
    return blake2b(_encode(values), digest_size=12).hexdigest()


def derive_id(key: str, account: str) -> str:
    """Return the client order id of a key on an account: the same after any loss of memory."""
    return "rt-" + blake2b(f"{key}\0{account}".encode(), digest_size=16).hexdigest()


def scope_key(key: str | None, principal: Principal, *, index: int | None = None) -> str | None:
    """Return the key that the index uses: one caller's keys are not another's, and those of a
    batch, one for each `index`, are no single order's. Raises `Declined` for a key that is none.

    No key contains a tab, so the parts of two results are equal only if all of them are.
    """
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise malformed(f"Idempotency-Key: 1–{MAX_KEY_LENGTH} printable characters")
    user_id = principal.user_id.replace("\\", "\\\\").replace("\t", "\\t")
    return f"{user_id}\t{key}" if index is None else f"{user_id}\t{key}\t{index}"
