"""What an owner sends to a front: frames with a length, and the values in them.

    4 bytes  length of all that follows, big-endian
    1 byte   kind
    1 byte   flags: the body is compressed; an object in it has fields that our structs lack
    the rest JSON, since the broker's unknown fields are kept as JSON (`core.extended`)

A front reads this format and the one before; an owner writes this one. Members that a front does
not know are skipped, so only a change of meaning needs another number.
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from realtime.cluster.coordinator import MESH_FORMAT
from realtime.core.cash_flows import NetFlows
from realtime.core.extended import extend
from realtime.core.link import Link
from realtime.core.mark import AccountMark
from realtime.core.model import (
    Account,
    AccountLabel,
    ExecutionId,
    Order,
    OrderId,
    Position,
    Symbol,
    TradeUpdate,
)
from realtime.core.state import Execution
from realtime.errors import ProtocolViolation
from realtime.store.records import OrderInDoubt, Profile

FORMAT: Final = MESH_FORMAT
READABLE_FORMATS: Final = frozenset({FORMAT - 1, FORMAT})

HEADER_BYTES = 6
MAX_FRAME_BYTES = 32 * 1024 * 1024
"""An account of 20 000 open orders takes 16 MB. A longer frame is no frame of ours."""

COMPRESSION_LEVEL = 1
"""zlib-1: 106 kB become 14 kB in 0.35 ms; higher levels take several times as long."""

IS_COMPRESSED = 1
HAS_EXTENDED = 2

Kind = Literal["hello", "snapshot", "change", "beat", "handed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order of their numbers on the wire, from 1."""


class Hello(Struct, frozen=True, kw_only=True):
    """The first frame of a connection."""

    format: int
    fleet: str
    member: str
    run: str
    """Identifies this run of the owner; its numbers start again with it."""
    version: str
    """Of the program."""
    url: str | None = None
    """The owner's address for clients."""
    head: int
    """The number of its newest frame."""
    resumed: bool
    """Whether every frame after the number that the front sent follows; otherwise a snapshot of
    each account does."""
    epochs: dict[AccountLabel, int]
    """Its accounts, in the order of its configuration → epoch"""


class RecordParts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parts of a record, in a snapshot or in a change; those that are absent are as before.

    Orders, positions and executions are those that changed or are new, in their order;
    `removed_…` are no longer there. `replaces_…`: they are all that there are.
    """

    as_of: float
    last_message_at: float | None = None
    confirmed_at: float | None = None
    profile: Profile | UnsetType = UNSET
    link: Link | UnsetType = UNSET
    net_flows: NetFlows | UnsetType | None = UNSET
    mark: AccountMark | UnsetType | None = UNSET
    account: Account | UnsetType | None = UNSET
    positions: dict[Symbol, Position] | UnsetType = UNSET
    removed_positions: list[Symbol] = []
    replaces_positions: bool = False
    orders: list[Order | int] | UnsetType = UNSET
    """A number on the wire: that of the update in the same frame whose order it is."""
    removed_orders: list[OrderId] = []
    replaces_orders: bool = False
    parents: dict[OrderId, OrderId] | UnsetType = UNSET
    removed_parents: list[OrderId] = []
    replaces_parents: bool = False
    executions: dict[OrderId, dict[ExecutionId, Execution]] | UnsetType = UNSET
    removed_executions: list[OrderId] = []
    replaces_executions: bool = False
    provisional: list[str] | UnsetType = UNSET


class AccountSnapshot(Struct, frozen=True, kw_only=True):
    """All of one account. Changes up to number `n` are in it."""

    label: AccountLabel
    epoch: int
    n: int
    parts: RecordParts


class AccountChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of one account. Numbers rise by one with each frame of this kind and `handed`."""

    label: AccountLabel
    epoch: int
    n: int
    parts: RecordParts | None
    """None: the owner no longer has the account."""
    is_whole: bool = False
    """Whether the account is new to the owner, and `parts` are all of it."""
    is_new_version: bool = True
    updates: list[TradeUpdate] = []
    """The events that were applied, with their frames as the broker sent them."""
    recovered: list[Execution] | None = None
    doubt: OrderInDoubt | None = None


class Beat(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every half second, also without a change."""

    n: int
    """The number of the newest frame: all up to it were sent."""
    at: float
    """The owner's clock, epoch seconds: never compared, only shown."""
    lease_s: float | None = None
    """How long the owner may act without another answer of the engine; None: no engine."""
    is_engine_reachable: bool | None = None
    """None: no engine."""
    budgets: dict[AccountLabel, int] = {}
    """account → requests to the broker spent in the current minute"""
    messages: dict[AccountLabel, float] = {}
    """account → when its stream last delivered a frame, of those that changed since the last beat;
    epoch seconds"""


class Handed(Struct, frozen=True, kw_only=True):
    """The last frame of an account from this owner."""

    label: AccountLabel
    n: int
    owner: str
    """The member that owns it now."""
    epoch: int
    """Under which it does."""


Body = Hello | AccountSnapshot | AccountChange | Beat | Handed

_TYPES: Mapping[Kind, type[Struct]] = {
    "hello": Hello,
    "snapshot": AccountSnapshot,
    "change": AccountChange,
    "beat": Beat,
    "handed": Handed,
}
_NUMBERS: Mapping[type[Struct], int] = {_TYPES[kind]: at for at, kind in enumerate(KINDS, 1)}
_DECODERS: Mapping[int, msgspec.json.Decoder[Any]] = {
    number: msgspec.json.Decoder(struct) for struct, number in _NUMBERS.items()
}
_encode = msgspec.json.Encoder().encode


DECODE_ERRORS = (
    msgspec.MsgspecError, zlib.error, UnicodeError, RecursionError, KeyError, IndexError,
)  # fmt: skip


class Frame(Struct, frozen=True):
    """A frame of which only the header was read."""

    kind: Kind
    flags: int
    body: bytes

    def decode(self) -> Body:
        """The value in it. Raises `ProtocolViolation`."""
        body = self.body
        try:
            if self.flags & IS_COMPRESSED:
                body = _decompress(body)
            value: Body = _DECODERS[_NUMBERS[_TYPES[self.kind]]].decode(body)
            if self.flags & HAS_EXTENDED:
                value = _with_extended(value, body)
            if isinstance(value, AccountChange) and value.updates:
                value = _with_orders_of_updates(value)
        except DECODE_ERRORS as error:
            raise ProtocolViolation(f"a {self.kind} frame does not fit: {error}") from error
        return value


def encode_frame(value: Body) -> bytes:
    """A value with its header; snapshots are compressed."""
    body, flags = _encode(value), 0
    if isinstance(value, AccountSnapshot):
        body, flags = zlib.compress(body, COMPRESSION_LEVEL), IS_COMPRESSED
    if isinstance(value, AccountSnapshot | AccountChange) and _has_extended(value):
        flags |= HAS_EXTENDED
    head = (len(body) + 2).to_bytes(4, "big")
    return b"%b%c%c%b" % (head, _NUMBERS[type(value)], flags, body)


class UnreadableFormat(ProtocolViolation):
    """The owner writes a format that this program does not read."""


def read_hello(frame: Frame) -> Hello:
    """The first frame of a connection. Raises `UnreadableFormat`, or `ProtocolViolation`."""
    if frame.kind != "hello":
        raise ProtocolViolation(f"the feed begins with a {frame.kind} frame")
    try:
        number = _FORMAT.decode(frame.body).format
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProtocolViolation(f"a hello frame does not fit: {error}") from error
    if number not in READABLE_FORMATS:
        known = " and ".join(map(str, sorted(READABLE_FORMATS)))
        raise UnreadableFormat(
            f"the owner writes format {number}, this program reads {known}: update the older one"
        )
    hello = frame.decode()
    assert isinstance(hello, Hello), "by its kind"
    return hello


class _Format(Struct):
    format: int


_FORMAT = msgspec.json.Decoder(_Format)


class FrameReader:
    """Bytes in any pieces → frames. Keeps at most one frame that is incomplete."""

    def __init__(self, *, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()

    def read(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with `data`. Raises `ProtocolViolation`."""
        rest = self._rest
        rest += data
        start = 0
        try:
            while len(rest) - start >= HEADER_BYTES:
                length = int.from_bytes(rest[start : start + 4], "big")
                kind, flags = rest[start + 4], rest[start + 5]
                if not 2 <= length <= self._max_bytes:
                    raise ProtocolViolation(f"a frame of {length} bytes")
                if not 1 <= kind <= len(KINDS) or flags & ~(IS_COMPRESSED | HAS_EXTENDED):
                    raise ProtocolViolation(f"a frame of kind {kind}, flags {flags}")
                end = start + 4 + length
                if end > len(rest):
                    return
                yield Frame(KINDS[kind - 1], flags, bytes(rest[start + HEADER_BYTES : end]))
                start = end
        finally:
            del rest[:start]


def _decompress(body: bytes) -> bytes:
    """At most `MAX_FRAME_BYTES` of it: a few bytes may otherwise become gigabytes."""
    decompressor = zlib.decompressobj()
    plain = decompressor.decompress(body, MAX_FRAME_BYTES)
    if not decompressor.eof:
        raise ProtocolViolation("a compressed frame is cut, or too large")
    return plain


def _has_extended(value: AccountSnapshot | AccountChange) -> bool:
    """Whether an object of the broker in it has fields that our structs lack."""
    parts = value.parts
    if isinstance(value, AccountChange) and any(
        type(update) is not TradeUpdate or _is_extended(update.order) for update in value.updates
    ):
        return True
    if parts is None:
        return False
    return (
        (isinstance(parts.account, Account) and type(parts.account) is not Account)
        or any(isinstance(order, Order) and _is_extended(order) for order in parts.orders or ())
        or any(type(position) is not Position for position in (parts.positions or {}).values())
    )


def _is_extended(order: Order) -> bool:
    return type(order) is not Order or any(map(_is_extended, order.legs or ()))


class _RawParts(Struct):
    account: Raw = Raw()
    positions: dict[Symbol, Raw] = {}
    orders: list[Raw] = []


class _RawUpdate(Struct):
    order: Raw


class _RawValue(Struct):
    parts: _RawParts | None = None
    updates: list[Raw] = []


_RAW_VALUE = msgspec.json.Decoder(_RawValue)
_RAW_UPDATE = msgspec.json.Decoder(_RawUpdate)


def _with_extended(value: Body, body: bytes) -> Body:
    """The value with the unknown fields of its objects."""
    raw = _RAW_VALUE.decode(body)
    if not isinstance(value, AccountSnapshot | AccountChange):
        return value
    parts = value.parts
    if parts is not None and raw.parts is not None:
        changed: dict[str, object] = {}
        if isinstance(parts.account, Account):
            changed["account"] = extend(parts.account, raw.parts.account)
        if parts.positions is not UNSET:
            changed["positions"] = {
                key: extend(position, raw.parts.positions[key])
                for key, position in parts.positions.items()
            }
        if parts.orders is not UNSET:
            pairs = zip(parts.orders, raw.parts.orders, strict=True)
            changed["orders"] = [
                order if isinstance(order, int) else extend(order, raw_order)
                for order, raw_order in pairs
            ]
        parts = msgspec.structs.replace(parts, **changed)
    if isinstance(value, AccountSnapshot):
        assert parts is not None, "a snapshot has parts"
        return msgspec.structs.replace(value, parts=parts)
    updates = [
        _extend_update(update, raw_update)
        for update, raw_update in zip(value.updates, raw.updates, strict=True)
    ]
    return msgspec.structs.replace(value, parts=parts, updates=updates)


def _with_orders_of_updates(value: AccountChange) -> AccountChange:
    """The change with the orders that are in it once, as those of its updates."""
    parts = value.parts
    if parts is None or not any(isinstance(order, int) for order in parts.orders or ()):
        return value
    orders = [
        value.updates[order].order if isinstance(order, int) else order
        for order in parts.orders or ()
    ]
    return msgspec.structs.replace(value, parts=msgspec.structs.replace(parts, orders=orders))


def _extend_update(update: TradeUpdate, raw: Raw) -> TradeUpdate:
    order = extend(update.order, _RAW_UPDATE.decode(raw).order)
    return extend(msgspec.structs.replace(update, order=order), raw)
