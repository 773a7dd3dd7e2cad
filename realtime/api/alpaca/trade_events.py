"""Trade updates of one account as frames for Alpaca's own clients: each event once, in order.

A frame of the broker passes as it came, with the member `seq` added: every SDK ignores it. What
the stream missed and a read found is sent as an ordinary update, marked `"x_recovered":true`:
executions with their true ids, and orders that ended or began. If the broker delivers such an event
later after all, it is skipped.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from decimal import Decimal

import msgspec
from msgspec import Raw, Struct, field

from realtime.api.documents.document_cache import ENCODER
from realtime.core.decimals import ZERO, number, plain
from realtime.core.model import Order, OrderId, position_symbol
from realtime.core.state import AccountState, Execution
from realtime.core.timestamps import nanoseconds
from realtime.store.records import Change

MAX_FRAMES = 2_000
MAX_BYTES = 4 * 2**20
"""Frames of an account that a client can resume, whichever is less."""

MAX_KEYS = 10_000
"""Events of an account that are recognized when they come again."""

FILLS = frozenset({"fill", "partial_fill"})

EVENT_OF_STATUS = {
    "new": "new", "accepted": "accepted", "pending_new": "pending_new", "canceled": "canceled",
    "expired": "expired", "rejected": "rejected", "replaced": "replaced",
    "done_for_day": "done_for_day", "suspended": "suspended", "stopped": "stopped",
    "calculated": "calculated",
}  # fmt: skip
"""Status of an order that a read shows → the event that the stream did not deliver."""


class Frame(Struct, frozen=True):
    """One event: its number, and its JSON with that number."""

    seq: int
    body: bytes
    data: bytes
    """The member `data` alone, as server-sent events have it."""
    event_id: str | None
    at: int
    """The broker's time of publication, epoch ns."""


class _RecoveredUpdate(Struct, kw_only=True, omit_defaults=True):
    event: str
    order: Order
    timestamp: str | None = None
    at: str | None = None
    execution_id: str | None = None
    price: str | None = None
    qty: str | None = None
    position_qty: str | None = None
    is_recovered: bool = field(name="x_recovered")


class _Envelope(Struct):
    data: Raw


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


class AccountEvents:
    """The newest frames of one account. `now` is epoch seconds; numbers begin with it, so that they
    are larger than any of an earlier run."""

    def __init__(self, now: float) -> None:
        self.seq = int(now * 1e6)
        self.started_at = int(now * 1e9)
        """Since when events are kept, epoch ns."""
        self.is_truncated = False
        """Whether the first ones are not kept any more."""
        self.frames: deque[Frame] = deque()
        self._bytes = 0
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._made: OrderedDict[Hashable, None] = OrderedDict()

    def add(self, change: Change) -> list[Frame]:
        """The frames of a change, which are kept; none if it brought nothing new."""
        assert change.after is not None, "removed accounts have no events"
        frames = []
        if change.recovered is not None and change.before is not None and change.before.has_data:
            for made in recovered_updates(change, change.before.state, change.after.state):
                key = _key_of(made.event, made.order.id, made.execution_id)
                if self._is_new(self._made, key) and self._is_new(self._seen, key):
                    data = ENCODER.encode(made)
                    frames.append(self._keep(_wrap(data), data, None, made.at))
        for update in change.updates:
            key = _key_of(update.event, update.order.id, update.execution_id)
            is_fill = update.execution_id is not None and update.event in FILLS
            unique: Hashable = key if is_fill else (update.event_id or update.frame)
            if key in self._made or not self._is_new(self._seen, unique):
                continue
            body = update.frame.strip() or _wrap(ENCODER.encode(update))
            data = bytes(_decode_envelope(body).data)
            frames.append(self._keep(body, data, update.event_id, update.at))
        return frames

    def get_after(self, seq: int) -> list[Frame] | None:
        """The frames after a number; None if some of them are not kept any more."""
        oldest = self.frames[0].seq - 1 if self.frames else self.seq
        if not oldest <= seq <= self.seq:
            return None
        return [frame for frame in self.frames if frame.seq > seq]

    def _keep(self, body: bytes, data: bytes, event_id: str | None, at: str | None) -> Frame:
        self.seq += 1
        numbered = b'%b,"seq":%d}' % (body[:-1], self.seq)
        frame = Frame(self.seq, numbered, data, event_id, nanoseconds(at))
        self.frames.append(frame)
        self._bytes += len(numbered)
        while len(self.frames) > MAX_FRAMES or self._bytes > MAX_BYTES:
            self._bytes -= len(self.frames.popleft().body)
            self.is_truncated = True
        return frame

    @staticmethod
    def _is_new(keys: OrderedDict[Hashable, None], key: Hashable) -> bool:
        if key in keys:
            return False
        keys[key] = None
        if len(keys) > MAX_KEYS:
            keys.popitem(last=False)
        return True


def recovered_updates(
    change: Change, before: AccountState, after: AccountState
) -> Iterator[_RecoveredUpdate]:
    """What a read found that no event had delivered, oldest first."""
    executions = sorted(change.recovered or (), key=lambda e: nanoseconds(e.at))
    left = _positions_after(executions, after)
    for execution, position_qty in zip(executions, left, strict=True):
        order = after.orders.get(execution.order_id)
        if order is not None and number(execution.qty) > 0:
            yield _fill(execution, order, position_qty, is_last=_is_last(execution, executions))
    reported = {update.order.id for update in change.updates}
    changed = [
        order
        for order_id, order in after.orders.items()
        if order is not before.orders.get(order_id) and order_id not in reported
    ]
    for order in sorted(changed, key=lambda o: nanoseconds(o.updated_at)):
        old, event = before.orders.get(order.id), EVENT_OF_STATUS.get(order.status)
        if event is not None and (old is None or old.status != order.status):
            yield _RecoveredUpdate(
                event=event,
                order=order,
                timestamp=order.updated_at,
                at=order.updated_at,
                is_recovered=True,
            )


def _fill(
    execution: Execution, order: Order, position_qty: Decimal, *, is_last: bool
) -> _RecoveredUpdate:
    is_complete = is_last and order.status == "filled"
    return _RecoveredUpdate(
        event="fill" if is_complete else "partial_fill",
        order=order,
        timestamp=execution.at,
        at=execution.at,
        execution_id=str(execution.execution_id),
        price=execution.price,
        qty=execution.qty,
        position_qty=plain(position_qty),
        is_recovered=True,
    )


def _positions_after(executions: list[Execution], state: AccountState) -> list[Decimal]:
    """The position of its symbol after each execution: from the last one backwards."""
    held: dict[str, Decimal] = {}
    quantities = []
    for execution in reversed(executions):
        symbol = position_symbol(execution.symbol)
        if symbol not in held:
            position = state.positions.get(symbol)
            held[symbol] = ZERO if position is None else number(position.qty)
        quantities.append(held[symbol])
        sign = 1 if execution.side.startswith("buy") else -1
        held[symbol] -= sign * number(execution.qty)
    return quantities[::-1]


def _is_last(execution: Execution, executions: list[Execution]) -> bool:
    same = [other for other in executions if other.order_id == execution.order_id]
    return same[-1] is execution


def _key_of(event: str, order_id: OrderId, execution_id: str | None) -> Hashable:
    """The same for an event that a read found and for the broker's own of it."""
    if execution_id is not None and event in FILLS:
        return execution_id
    return event, order_id


def _wrap(data: bytes) -> bytes:
    return b'{"stream":"trade_updates","data":%b}' % data
