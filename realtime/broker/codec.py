"""Encodes and decodes the trading stream's frames and the bodies of REST.

`decode_frame` never raises, and decides by content, because paper sends its JSON in binary frames.
What fits the structs of `core.model` exactly is decoded directly, everything else by
`lenient_decoder`, which also keeps fields that we do not know (`extra_fields`).
Orders are normalized to REST's form, with times in microseconds, so that an order from the stream
and the same order read by REST are equal values.

Source: Alpaca "Websocket streaming" and Trading API v2 reference.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder
from msgspec.structs import force_setattr

from realtime.broker.extra_fields import (
    StrictAccount,
    StrictOrder,
    StrictPosition,
    StrictTradeUpdate,
    to_plain,
)
from realtime.broker.interning import intern_fields
from realtime.broker.lenient_decoder import (
    DECODE_ERRORS,
    MAX_DEPTH,
    decode_items,
    decode_leniently,
    decode_members,
    decode_text,
)
from realtime.broker.order_normalizer import normalize_order
from realtime.broker.responses import NEW_KEY
from realtime.broker.sanitizer import SMALL_BYTES, check_object_count, check_texts
from realtime.core.cash_flows import CashFlow
from realtime.core.extended import extend
from realtime.core.model import Account, FillActivity, Order, Position, TradeUpdate
from realtime.core.protocol import (
    STREAM,
    Authorization,
    BrokerFault,
    Ignored,
    Listening,
    Message,
    Unreadable,
)
from realtime.errors import ProtocolViolation, Refused
from realtime.secret import Credentials

T = TypeVar("T", bound=Struct)


class _TradeFrame(Struct, tag_field="stream", tag=STREAM):
    data: StrictTradeUpdate | None


class _AuthorizationFrame(Struct, tag_field="stream", tag="authorization"):
    data: Authorization


class _ListeningFrame(Struct, tag_field="stream", tag="listening"):
    data: Listening


class _PlainFrame(Struct, tag_field="stream", tag=STREAM):
    data: TradeUpdate


class _RawUpdate(Struct):
    order: Raw


class _RawFrame(Struct, tag_field="stream", tag=STREAM):
    data: _RawUpdate


_PLAIN_FRAME = Decoder(_PlainFrame)
_RAW_FRAME = Decoder(_RawFrame)
_FRAME = Decoder(_TradeFrame | _AuthorizationFrame | _ListeningFrame)
_ACCOUNT = Decoder(StrictAccount)
_ORDER = Decoder(StrictOrder)
_POSITIONS = Decoder(tuple[StrictPosition, ...])
_ORDERS = Decoder(tuple[StrictOrder, ...])
_FILLS = Decoder(tuple[FillActivity, ...])
_FLOWS = Decoder(tuple[CashFlow, ...])
_PLAIN_DECODERS: dict[object, Decoder[Any]] = {  # Any: decoders of several types
    StrictAccount: Decoder(Account),
    StrictOrder: Decoder(Order),
    StrictPosition: Decoder(Position),
}


def encode_authorization(credentials: Credentials) -> str:
    """Return the frame that authorizes. It contains the secret: never log it."""
    key_id, secret_key = _reveal(credentials)
    return msgspec.json.encode({"action": "auth", "key": key_id, "secret": secret_key}).decode()


def authorization_headers(credentials: Credentials) -> dict[str, str]:
    """Return the headers that authorize a REST request. They contain the secret: never log them."""
    key_id, secret_key = _reveal(credentials)
    return {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret_key}


def encode_listen() -> str:
    """Return the frame that subscribes to `trade_updates` and nothing else."""
    return f'{{"action":"listen","data":{{"streams":["{STREAM}"]}}}}'


def decode_frame(frame: bytes | str) -> Message:
    """Decode a frame. Never raises: what cannot be decoded is `Unreadable`."""
    try:
        envelope = _FRAME.decode(frame)
        if type(envelope) is _TradeFrame:
            return _check_update(envelope.data, len(frame))
        return _check_answer(envelope.data)
    except (*DECODE_ERRORS, ProtocolViolation):
        if (update := _decode_extended_update(frame)) is not None:
            return update
        raw = frame if isinstance(frame, bytes) else frame.encode("utf-8", "replace")
        try:
            return _decode_frame_leniently(raw)
        except ProtocolViolation as violation:
            return Unreadable(violation.message, raw)


def decode_account(body: bytes) -> Account:
    """Decode the response of `GET /v2/account`. All of these raise `ProtocolViolation`."""
    account = _decode(body, _ACCOUNT, "account")
    to_plain(account)
    check_texts(account, len(body), "account")
    return account


def decode_order(body: bytes) -> Order:
    """Decode one order."""
    return _normalize(_decode(body, _ORDER, "order"), "order", len(body))


def decode_positions(body: bytes) -> tuple[Position, ...]:
    """Decode a list of positions; one that cannot be decoded fails the list and is named."""
    check_object_count(body, "positions")
    positions = _decode_list(body, _POSITIONS, StrictPosition, "positions")
    for position in positions:
        to_plain(position)
        check_texts(position, len(body), "positions")
    return positions


def decode_orders(body: bytes) -> tuple[Order, ...]:
    """Decode a list of orders; one that cannot be decoded fails the list and is named."""
    check_object_count(body, "orders")
    orders = _decode_list(body, _ORDERS, StrictOrder, "orders")
    return tuple(_normalize(order, f"orders[{at}]", len(body)) for at, order in enumerate(orders))


def decode_fills(body: bytes) -> tuple[FillActivity, ...]:
    """Decode a list of fill activities; one that cannot be decoded fails the list and is named."""
    fills = _decode_list(body, _FILLS, FillActivity, "fills")
    for fill in fills:
        check_texts(fill, len(body), "fills")
    return fills


def decode_flows(body: bytes) -> tuple[CashFlow, ...]:
    """Decode a list of deposits and withdrawals; one that cannot be decoded fails the list."""
    return _decode_list(body, _FLOWS, CashFlow, "flows")


class CalendarRow(Struct, frozen=True):
    """One trading day, as the broker writes it: New York time, HH:MM and HHMM."""

    date: str
    open: str
    close: str
    session_open: str | None = None
    session_close: str | None = None


_CALENDAR = Decoder(tuple[CalendarRow, ...])


def decode_calendar(body: bytes) -> tuple[CalendarRow, ...]:
    """Decode a list of trading days; one that cannot be decoded fails the list."""
    return _decode_list(body, _CALENDAR, CalendarRow, "calendar")


def _reveal(credentials: Credentials) -> tuple[str, str]:
    pair = credentials.key_id.reveal(), credentials.secret_key.reveal()
    for value in pair:
        if not (value.isascii() and value.isprintable() and value.strip()):
            raise Refused("the key is empty or not plain ASCII", remedy=NEW_KEY)
    return pair


def _decode_frame_leniently(raw: bytes) -> Message:
    members = decode_members(raw, "frame")
    match decode_text(members.get("stream")):
        case "trade_updates":
            return _check_update(decode_leniently(raw, _TradeFrame, "frame").data, len(raw))
        case "authorization":
            return _check_answer(decode_leniently(raw, _AuthorizationFrame, "frame").data)
        case "listening":
            return decode_leniently(raw, _ListeningFrame, "frame").data
        case "" if decode_text(members.get("action")) == "error":
            return BrokerFault(_error_message(raw))
        case other:
            return Ignored(f"stream {other[:64]!r}" if other else "no stream")


def _decode_extended_update(frame: bytes | str) -> Message | None:
    """Decode an update whose order has unknown fields; None if anything else is odd about it."""
    try:
        update, raw = _PLAIN_FRAME.decode(frame).data, _RAW_FRAME.decode(frame).data.order
        force_setattr(update, "order", extend(update.order, raw))
        return _check_update(update, len(frame))
    except (*DECODE_ERRORS, ProtocolViolation):
        return None


def _check_update(update: TradeUpdate | None, size: int) -> Message:
    if update is None:
        return Ignored("trade update without data")
    if not update.event:
        raise ProtocolViolation("frame.data.event: missing")
    _normalize(update.order, "frame.data.order", size)
    to_plain(update)
    check_texts(update, size, "frame.data")
    return update


def _check_answer(message: Authorization | Listening) -> Message:
    if isinstance(message, Authorization) and not message.status:
        # Read as a rejection it would end the account; unreadable, it only times out.
        raise ProtocolViolation("frame.data.status: missing")
    return message


def _normalize(order: Order, path: str, size: int) -> Order:
    is_strict = type(order) is StrictOrder
    _check_identity(order, path)
    if size > SMALL_BYTES:
        check_texts(order, size, path)
    # The order was just decoded and has no other owner: it is changed in place.
    normalize_order(order)
    intern_fields(order, shares_words=is_strict)
    return order


def _check_identity(order: Order, path: str, depth: int = 0) -> None:
    """Raise `ProtocolViolation` without id and status; make the order and its legs plain ones."""
    if depth > MAX_DEPTH:
        raise ProtocolViolation(f"{path}: nested too deeply")
    to_plain(order)
    if not (order.id and order.status):
        raise ProtocolViolation(f"{path}.{'status' if order.id else 'id'}: missing")
    if order.legs:
        for at, leg in enumerate(order.legs):
            _check_identity(leg, f"{path}.legs[{at}]", depth + 1)


def _error_message(raw: bytes) -> str:
    try:
        data = decode_members(decode_members(raw, "frame")["data"], "data")
        return decode_text(data.get("error_message"))
    except (ProtocolViolation, KeyError):
        return ""


def _decode(body: bytes, decoder: Decoder[T], path: str) -> T:
    try:
        return decoder.decode(body)
    except DECODE_ERRORS:
        return _decode_extended(body, decoder.type, path)


def _decode_list(
    body: bytes, decoder: Decoder[tuple[T, ...]], struct: type[T], path: str
) -> tuple[T, ...]:
    try:
        return decoder.decode(body)
    except DECODE_ERRORS:
        items = enumerate(decode_items(body, path))
        return tuple(_decode_extended(item, struct, f"{path}[{at}]") for at, item in items)


def _decode_extended(raw: bytes | Raw, struct: type[T], path: str) -> T:
    """Decode an object with unknown fields, or leniently if anything else is odd about it."""
    decoder = _PLAIN_DECODERS.get(struct)
    if decoder is not None:
        try:
            value: T = extend(decoder.decode(raw), raw)
        except DECODE_ERRORS:
            pass  # field by field, below
        else:
            return value
    return decode_leniently(raw, struct, path)
