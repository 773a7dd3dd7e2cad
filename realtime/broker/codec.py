"""Bytes to messages and back: the envelopes of the trading stream, the bodies of REST.

`decode_frame` never raises and reads by content, for paper sends its JSON in binary frames. What
fits the structs of `core.model` is decoded at once; what does not gets the second look of
`lenient`. Orders leave here in REST's form, their times at microseconds, so that an order heard on
the stream and the same order read by REST are equal values.

Source: Alpaca "Websocket streaming" and Trading API v2 reference.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from realtime.broker.interning import share_words
from realtime.broker.lenient_decoder import DEPTH_MAX, MISFIT, mend, split_array, split_object, text
from realtime.broker.order_normalizer import in_rest_form
from realtime.broker.responses import NEW_KEY
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
    data: TradeUpdate | None


class _AuthorizationFrame(Struct, tag_field="stream", tag="authorization"):
    data: Authorization


class _ListeningFrame(Struct, tag_field="stream", tag="listening"):
    data: Listening


_FRAME = Decoder(_TradeFrame | _AuthorizationFrame | _ListeningFrame)
_ACCOUNT = Decoder(Account)
_ORDER = Decoder(Order)
_POSITIONS = Decoder(tuple[Position, ...])
_ORDERS = Decoder(tuple[Order, ...])
_FILLS = Decoder(tuple[FillActivity, ...])


def authorize_frame(credentials: Credentials) -> str:
    """Give the frame that authorizes. It holds the secret: never log it."""
    key_id, secret_key = _revealed(credentials)
    return msgspec.json.encode({"action": "auth", "key": key_id, "secret": secret_key}).decode()


def authorize_headers(credentials: Credentials) -> dict[str, str]:
    """Give the headers that authorize a REST request. They hold the secret: never log them."""
    key_id, secret_key = _revealed(credentials)
    return {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret_key}


def listen_frame() -> str:
    """Give the frame that asks for `trade_updates` and nothing else."""
    return f'{{"action":"listen","data":{{"streams":["{STREAM}"]}}}}'


def decode_frame(frame: bytes | str) -> Message:
    """Say what a frame is. Never raises: what cannot be read is `Unreadable`."""
    try:
        envelope = _FRAME.decode(frame)
        if type(envelope) is _TradeFrame:
            return _told(envelope.data)
        return _answered(envelope.data)
    except (*MISFIT, ProtocolViolation):
        raw = frame if isinstance(frame, bytes) else frame.encode("utf-8", "replace")
        try:
            return _second_look(raw)
        except ProtocolViolation as violation:
            return Unreadable(violation.message, raw)


def decode_account(body: bytes) -> Account:
    """Read the answer of `GET /v2/account`. This and its kin raise `ProtocolViolation`."""
    return _one(body, _ACCOUNT, "account")


def decode_order(body: bytes) -> Order:
    """Read one order."""
    return _identified(_one(body, _ORDER, "order"), "order")


def decode_positions(body: bytes) -> tuple[Position, ...]:
    """Read a list of positions; one that cannot be read fails the list and is named."""
    return _all(body, _POSITIONS, Position, "positions")


def decode_orders(body: bytes) -> tuple[Order, ...]:
    """Read a list of orders; one that cannot be read fails the list and is named."""
    orders = _all(body, _ORDERS, Order, "orders")
    return tuple(_identified(order, f"orders[{at}]") for at, order in enumerate(orders))


def decode_fills(body: bytes) -> tuple[FillActivity, ...]:
    """Read a list of FILL activities; one that cannot be read fails the list and is named."""
    return _all(body, _FILLS, FillActivity, "fills")


def _revealed(credentials: Credentials) -> tuple[str, str]:
    pair = credentials.key_id.reveal(), credentials.secret_key.reveal()
    for value in pair:
        if not (value.isascii() and value.isprintable() and value.strip()):
            raise Refused("this cannot be a key: it is empty or not plain text", remedy=NEW_KEY)
    return pair


def _second_look(raw: bytes) -> Message:
    members = split_object(raw, "frame")
    match text(members.get("stream")):
        case "trade_updates":
            return _told(mend(raw, _TradeFrame, "frame").data)
        case "authorization":
            return _answered(mend(raw, _AuthorizationFrame, "frame").data)
        case "listening":
            return mend(raw, _ListeningFrame, "frame").data
        case "" if text(members.get("action")) == "error":
            return BrokerFault(_error_message(raw))
        case other:
            return Ignored(f"stream {other[:64]!r}" if other else "no stream named")


def _told(update: TradeUpdate | None) -> Message:
    if update is None:
        return Ignored("trade update without data")
    if not update.event:
        raise ProtocolViolation("frame.data.event: missing")
    _identified(update.order, "frame.data.order")
    return update


def _answered(message: Authorization | Listening) -> Message:
    if isinstance(message, Authorization) and not message.status:
        # Taken for a refusal it would end the account; unread, it only times out.
        raise ProtocolViolation("frame.data.status: missing")
    return message


def _identified(order: Order, path: str) -> Order:
    _check_identity(order, path)
    # It was made in this moment and nobody else holds it: what follows changes it in place.
    in_rest_form(order)
    share_words(order)
    return order


def _check_identity(order: Order, path: str, depth: int = 0) -> None:
    if depth > DEPTH_MAX:
        raise ProtocolViolation(f"{path}: nested too deeply")
    if not (order.id and order.status):
        raise ProtocolViolation(f"{path}.{'status' if order.id else 'id'}: missing")
    if order.legs:
        for at, leg in enumerate(order.legs):
            _check_identity(leg, f"{path}.legs[{at}]", depth + 1)


def _error_message(raw: bytes) -> str:
    try:
        return text(split_object(split_object(raw, "frame")["data"], "data").get("error_message"))
    except (ProtocolViolation, KeyError):
        return ""


def _one(body: bytes, decoder: Decoder[T], path: str) -> T:
    try:
        return decoder.decode(body)
    except MISFIT:
        return mend(body, decoder.type, path)


def _all(body: bytes, decoder: Decoder[tuple[T, ...]], form: type[T], path: str) -> tuple[T, ...]:
    try:
        return decoder.decode(body)
    except MISFIT:
        items = enumerate(split_array(body, path))
        return tuple(mend(item, form, f"{path}[{at}]") for at, item in items)
