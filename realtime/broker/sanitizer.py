"""Cleans what the broker sends, where it comes in: control characters, our secrets, its size.

Nothing behind this edge has to expect an escape sequence for a terminal, a key that the broker
repeats in an error, or an account with half a million positions. Ordinary frames and responses
contain no backslash and no byte above 0x7e, so they pass after a few searches of about 50 ns each.
"""

import re

from msgspec import Struct, structs

from realtime.errors import ProtocolViolation
from realtime.secret import Credentials

REDACTED = b"***"

MIN_SECRET_LENGTH = 6
"""A shorter secret is none, and would be found in ordinary text."""

MIN_KEY_ID_LENGTH = 16
"""The broker's key ids have 20 characters and more; shorter ones are names for a simulator."""

MAX_TEXT_LENGTH = 1024
"""One text of an object; the longest in use is a `client_order_id` of 128 characters."""

SMALL_BYTES = 4096
"""A frame or response up to this size needs no check of each text: none of them is long."""

MAX_OBJECTS = 5000
"""Positions, or orders with their legs, in one response. A page of 500 bracket orders has 1500."""

MAX_MESSAGE_LENGTH = 300
"""A sentence of the broker in an error, a log line or a status."""

_ESCAPE = re.compile(rb"\\(?:[^u]|u[0-9a-fA-F]{4})")
_RAW_CONTROL = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")
"""Control characters of ASCII and Latin-1, and what reverses or hides text (Unicode TR 36)."""


class Sanitizer:
    """Cleans the bytes of one account's stream and responses."""

    def __init__(self, credentials: Credentials) -> None:
        secret, key_id = credentials.secret_key.reveal(), credentials.key_id.reveal()
        texts = [secret] * (len(secret) >= MIN_SECRET_LENGTH)
        texts += [key_id] * (len(key_id) >= MIN_KEY_ID_LENGTH)
        self._secrets = [text.encode("utf-8", "replace") for text in texts]

    def clean(self, raw: bytes) -> bytes:
        """Return JSON or other text without control characters and without our secrets."""
        if raw.isascii() and b"\\" not in raw and b"\x7f" not in raw:
            for secret in self._secrets:
                if secret in raw:
                    return self.remove_secrets(raw)
            return raw
        raw = _RAW_CONTROL.sub(b" ", _ESCAPE.sub(_without_control, raw))
        return self.remove_secrets(raw)

    def remove_secrets(self, raw: bytes) -> bytes:
        """Return bytes without our secrets, also where they are escaped; any others as they are."""
        if b"\\" in raw:
            unescaped = _ESCAPE.sub(_unescape, raw)
            if any(secret in unescaped for secret in self._secrets):
                raw = unescaped
        for secret in self._secrets:
            if secret in raw:
                raw = raw.replace(secret, REDACTED)
        return raw

    def clean_text(self, text: str, max_length: int = MAX_MESSAGE_LENGTH) -> str:
        """Return one line of bounded length, without control characters and our secrets."""
        line = strip_controls(text[: 4 * max_length])
        for secret in self._secrets:
            line = line.replace(secret.decode("utf-8", "replace"), REDACTED.decode())
        return line[:max_length]


def strip_controls(text: str) -> str:
    """Return one line of a text, with blanks for control characters."""
    return _CONTROL.sub(" ", text)


def check_object_count(body: bytes, path: str) -> None:
    """Raise `ProtocolViolation` for more objects than `MAX_OBJECTS`, without decoding them."""
    if len(body) > MAX_OBJECTS and body.count(b'"symbol"') > MAX_OBJECTS:
        raise ProtocolViolation(f"{path}: more than {MAX_OBJECTS}")


def check_texts(value: Struct, size: int, path: str) -> None:
    """Raise `ProtocolViolation` for a text longer than `MAX_TEXT_LENGTH`.

    `size` is that of the frame or response it was decoded from.
    """
    if size <= SMALL_BYTES:
        return
    for at, field in enumerate(structs.astuple(value)):
        if type(field) is str:
            if len(field) > MAX_TEXT_LENGTH:
                name = value.__struct_fields__[at]
                raise ProtocolViolation(f"{path}.{name}: longer than {MAX_TEXT_LENGTH} characters")
        elif type(field) is tuple:
            for item in field:
                if isinstance(item, Struct):
                    check_texts(item, size, path)


def _without_control(match: re.Match[bytes]) -> bytes:
    """Return an escape of JSON as it is; a blank for a control character."""
    escape = match[0]
    if not escape.startswith(b"\\u"):
        return b" " if escape[1:] in b"bfnrt" else escape
    code = int(escape[2:], 16)
    is_control = not 0xD800 <= code <= 0xDFFF and _CONTROL.match(chr(code))
    return b" " if is_control else escape


def _unescape(match: re.Match[bytes]) -> bytes:
    """Return the character of an escape, where that is ASCII and needs none."""
    escape = match[0]
    if escape == b"\\/":
        return b"/"
    if escape.startswith(b"\\u") and 0x20 <= (code := int(escape[2:], 16)) < 0x7F:
        return escape if code in (0x22, 0x5C) else chr(code).encode()
    return escape
