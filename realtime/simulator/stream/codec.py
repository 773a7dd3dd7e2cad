"""Frames of the trading stream: encoding, and parsing of client messages.

Messages are encoded as JSON once for all sockets. A client that requested MessagePack in its
handshake gets the same document transcoded; no known client does, so it may be slow.
"""

from typing import Literal

import msgspec

encode_json = msgspec.json.Encoder().encode

NULL_DATA = b'{"stream":"trade_updates","data":null}'

_DEPRECATED = (
    "this authentication format is being deprecated. "
    'Please use the format: {"action": "auth", "key": "x", "secret": "x"}'
)


class Authenticate(msgspec.Struct, frozen=True):
    """Authorization in either form; `is_old_form` is {"action":"authenticate"}."""

    key: str | None
    secret: str | None
    is_old_form: bool


class Listen(msgspec.Struct, frozen=True):
    """The full set of streams that the client requests."""

    streams: tuple[str, ...]


class InvalidMessage(msgspec.Struct, frozen=True):
    """Any other message; `reason` goes into the error frame."""

    reason: str


ClientMessage = Authenticate | Listen | InvalidMessage


def parse_message(raw: bytes) -> ClientMessage:
    """Parse one frame from a client, JSON or MessagePack; never raises."""
    message = _decode(raw)
    if not isinstance(message, dict):
        return InvalidMessage("invalid message format")
    data = message.get("data")
    data = data if isinstance(data, dict) else {}
    match message.get("action"):
        case "auth":
            return Authenticate(_text(message.get("key")), _text(message.get("secret")), False)
        case "authenticate":
            key, secret = data.get("key_id"), data.get("secret_key")
            return Authenticate(_text(key), _text(secret), True)
        case "listen" if isinstance(data.get("streams"), list):
            return Listen(tuple(s for s in data["streams"] if isinstance(s, str)))
        case "listen":
            return InvalidMessage("listen without streams")
        case _:
            return InvalidMessage("invalid action")


def authorized(*, is_old_form: bool) -> bytes:
    """Response to a valid key; the old form gets a deprecation message."""
    if is_old_form:
        return _authorization(action="authenticate", message=_DEPRECATED, status="authorized")
    return _authorization(status="authorized", action="authenticate")


def unauthorized() -> bytes:
    """Response to an invalid key."""
    message = "access key verification failed"
    return _authorization(action="authenticate", message=message, status="unauthorized")


def unauthorized_listen() -> bytes:
    """Response to `listen` before authorization."""
    return _authorization(status="unauthorized", action="listen")


def listening(streams: tuple[str, ...]) -> bytes:
    """Acknowledgement of `listen`: the streams that exist."""
    return encode_json({"stream": "listening", "data": {"streams": streams}})


def error(message: str) -> bytes:
    """Error frame before the server closes; it has no `stream`."""
    return encode_json({"action": "error", "data": {"error_message": message}})


def trade_update(data: dict[str, object]) -> bytes:
    """Frame of an event."""
    return encode_json({"stream": "trade_updates", "data": data})


def malformed_frame(
    form: Literal["noise", "truncated", "array", "number", "empty", "not_utf8"], frame: bytes
) -> bytes:
    """Return a frame that cannot be decoded as an event, made from a valid one where that fits."""
    match form:
        case "noise":
            return b"upstream connect error or disconnect/reset before headers"
        case "truncated":
            return frame[: len(frame) // 2]
        case "array":
            return b"[" + frame + b"]"
        case "number":
            return b"42"
        case "empty":
            return b""
        case "not_utf8":
            return b'{"stream":"trade_updates","data":"\xff\xfe"}'


def to_msgpack(frame: bytes) -> bytes:
    """Return the document as MessagePack; bytes that are not JSON stay as they are."""
    try:
        return msgspec.msgpack.encode(msgspec.json.decode(frame))
    except msgspec.DecodeError:
        return frame


def _authorization(**data: str) -> bytes:
    return encode_json({"stream": "authorization", "data": data})


def _decode(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return msgspec.msgpack.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
