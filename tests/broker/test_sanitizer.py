"""What the broker sends is bounded and clean before anything else sees it."""

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.broker import codec
from realtime.broker.sanitizer import (
    MAX_MESSAGE_LENGTH,
    MAX_OBJECTS,
    MAX_TEXT_LENGTH,
    Sanitizer,
)
from realtime.core.model import Order
from realtime.core.protocol import Unreadable
from realtime.errors import ProtocolViolation
from realtime.secret import Credentials, Secret
from tests.broker.samples import ACCOUNT, ACTIVITY, POSITION, frame, order, update

SECRET = "s3cr3t/0f/th3/account"
KEY_ID = "PKEXAMPLE0EXAMPLE0EX"
SANITIZER = Sanitizer(Credentials(Secret(KEY_ID), Secret(SECRET)))
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def texts(value: object) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [t for item in value.items() for part in item for t in texts(part)]
    return [t for item in value for t in texts(item)] if isinstance(value, list) else []


@given(JSON, st.booleans())
def test_no_control_character_survives_and_json_stays_json(value: object, escaped: bool) -> None:
    raw = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    cleaned = SANITIZER.clean(raw)
    if not escaped and b"\xed" in raw:
        return  # lone surrogates are not UTF-8: the decoders reject them
    found = json.loads(cleaned.decode("utf-8", "surrogatepass"))
    assert not any(CONTROL.search(text) for text in texts(found))


@given(JSON)
def test_clean_json_is_not_changed(value: object) -> None:
    raw = json.dumps(value).encode()
    if not any(CONTROL.search(text) for text in texts(json.loads(raw))):
        assert SANITIZER.clean(raw) == raw


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        SECRET.replace("/", "\\/"),
        "".join(f"\\u{ord(c):04x}" for c in SECRET),
        SECRET.replace("3", "\\u0033", 1),
        KEY_ID,
        KEY_ID[:3] + "\\u0058" + KEY_ID[4:],
    ],
)
def test_secrets_are_removed_however_they_are_spelled(spelled: str) -> None:
    cleaned = SANITIZER.clean(b'{"message":"header ' + spelled.encode() + b' rejected"}')
    assert json.loads(cleaned) == {"message": "header *** rejected"}


def test_ordinary_frames_are_not_copied() -> None:
    raw = frame(update())
    assert SANITIZER.clean(raw) is raw


def test_escapes_that_are_harmless_stay_as_they_are() -> None:
    raw = b'{"name":"A\\u0026B \\"x\\" \\\\u001b \\u00e9 \\ud83d\\ude00"}'
    assert SANITIZER.clean(raw) == raw


def test_a_sentence_is_one_bounded_line() -> None:
    text = SANITIZER.clean_text(f"a\r\n\x1b[31m{SECRET}\u202e" + "x" * 10_000)
    assert text.startswith("a [31m*** ")
    assert len(text) == MAX_MESSAGE_LENGTH


LONG = "x" * (MAX_TEXT_LENGTH + 1)


@pytest.mark.parametrize("name", ["client_order_id", "symbol", "qty", "updated_at", "subtag"])
def test_long_texts_are_rejected(name: str) -> None:
    long = order(**{name: LONG * 4})
    with pytest.raises(ProtocolViolation, match=rf"{name}: longer than"):
        codec.decode_order(msgspec.json.encode(long))
    others = [order(id=str(n)) for n in range(500)]
    with pytest.raises(ProtocolViolation, match=rf"{name}: longer than"):
        codec.decode_orders(msgspec.json.encode([*others, order(**{name: LONG})]))
    with pytest.raises(ProtocolViolation, match=rf"{name}: longer than"):
        codec.decode_orders(msgspec.json.encode([*others, order(legs=[order(**{name: LONG})])]))
    assert isinstance(codec.decode_frame(frame({**update(), "order": long})), Unreadable)


def test_long_texts_of_accounts_positions_and_fills_are_rejected() -> None:
    with pytest.raises(ProtocolViolation, match="longer than"):
        codec.decode_account(msgspec.json.encode({**ACCOUNT, "status": LONG * 4}))
    with pytest.raises(ProtocolViolation, match="longer than"):
        codec.decode_positions(msgspec.json.encode([{**POSITION, "symbol": LONG * 4}]))
    with pytest.raises(ProtocolViolation, match="longer than"):
        codec.decode_fills(msgspec.json.encode([{**ACTIVITY, "symbol": LONG * 4}]))


def test_too_many_objects_are_rejected_before_they_are_decoded() -> None:
    many = b"[" + b",".join([b'{"symbol":"A","qty":"1"}'] * (MAX_OBJECTS + 1)) + b"]"
    with pytest.raises(ProtocolViolation, match="positions: more than 5000"):
        codec.decode_positions(many)
    with pytest.raises(ProtocolViolation, match="orders: more than 5000"):
        codec.decode_orders(many)


def test_the_most_that_the_broker_lists_is_accepted() -> None:
    legs = [order(id="a"), order(id="b")]
    page = [order(id=str(n), legs=legs) for n in range(500)]
    assert len(codec.decode_orders(msgspec.json.encode(page))) == 500
    assert isinstance(codec.decode_order(msgspec.json.encode(order())), Order)
