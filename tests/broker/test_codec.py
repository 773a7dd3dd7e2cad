"""Frames and bodies are read by content, and nothing that arrives can raise or lie."""

import json
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime.broker import codec as wire
from realtime.broker.codec import decode_frame, encode_authorization, encode_listen
from realtime.core.model import TradeUpdate
from realtime.core.protocol import Authorization, BrokerFault, Ignored, Listening, Unreadable
from realtime.errors import ProtocolViolation
from realtime.secret import Credentials, Secret
from tests.broker.samples import (
    ACCOUNT,
    ACTIVITY,
    AUTHORIZED,
    FAULT,
    FILL,
    LISTENING,
    MLEG,
    POSITION,
    ROUNDED,
    UNAUTHORIZED,
    frame,
    order,
    update,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def told(data: object) -> TradeUpdate:
    message = decode_frame(frame(data))
    assert isinstance(message, TradeUpdate), message
    return message


def unreadable(data: object) -> str:
    message = decode_frame(frame(data))
    assert isinstance(message, Unreadable), message
    assert message.raw == frame(data)
    return message.reason


def test_frames_to_send() -> None:
    """We send the form that is not deprecated, and ask for one stream."""
    credentials = Credentials(Secret("PKEXAMPLE"), Secret('s3"cr3t'))
    sent = json.loads(encode_authorization(credentials))
    assert sent == {"action": "auth", "key": "PKEXAMPLE", "secret": 's3"cr3t'}
    assert json.loads(encode_listen()) == {
        "action": "listen",
        "data": {"streams": ["trade_updates"]},
    }


@pytest.mark.parametrize("sent", [FILL, FILL.decode()], ids=["binary", "text"])
def test_fill(sent: bytes | str) -> None:
    """A fill keeps its strings; its order's times are REST's, its own keep their nanoseconds."""
    message = decode_frame(sent)
    assert isinstance(message, TradeUpdate)
    assert (message.event, message.price, message.qty) == ("fill", "188.4", "18")
    assert message.timestamp == "2026-10-06T14:02:13.926114708Z"
    assert {name: getattr(message.order, name) for name in ROUNDED} == ROUNDED


def test_stream_and_rest_agree() -> None:
    """An order heard on the stream equals the same order read by REST."""
    rest = wire.decode_order(json.dumps(order(**ROUNDED) | {"source": None}).encode())
    assert told(update()).order == rest


def test_legs() -> None:
    """Legs are rounded too, and the executions of a multi-leg fill stay."""
    message = decode_frame(MLEG)
    assert isinstance(message, TradeUpdate)
    assert message.order.legs is not None
    assert message.legs is not None
    assert [leg.created_at for leg in message.order.legs] == [ROUNDED["created_at"]] * 2
    assert [leg.execution_id for leg in message.legs] == ["000000e7", "000000e8"]
    assert message.position_qtys == {"NVDA261120C00200000": "4", "NVDA261120C00210000": "-2"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (AUTHORIZED, Authorization(status="authorized", action="authenticate")),
        (
            UNAUTHORIZED,
            Authorization("unauthorized", "authenticate", "access key verification failed"),
        ),
        (LISTENING, Listening(streams=("trade_updates",))),
        (frame({"streams": None}, "listening"), Listening()),
        (frame({"error": "no"}, "listening"), Listening(error="no")),
        (FAULT, BrokerFault("internal server error")),
        (b'{"action":"error"}', BrokerFault()),
        (b'{"action":"error","data":null}', BrokerFault()),
        (b'{"action":"error","stream":null,"data":{"error_message":5}}', BrokerFault()),
        (frame(None), Ignored("trade update without data")),
        (frame({}, "account_updates"), Ignored("stream 'account_updates'")),
        (b"{}", Ignored("no stream")),
        (b'{"stream":7,"data":{}}', Ignored("no stream")),
        (b'{"T":"success","msg":"connected"}', Ignored("no stream")),
    ],
)
def test_conversation(sent: bytes, expected: object) -> None:
    assert decode_frame(sent) == expected


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00",
        b"null",
        b"[]",
        b'"trade_updates"',
        b"<html>502</html>",
        FILL[:-1],
        FILL[:300],
        FILL + b"x",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"stream":"trade_updates","data":' + b"[" * 100_000,
        b'{"stream":"trade_updates","data":{}}',
        b'{"stream":"trade_updates"}',
        frame("text"),
        frame(["array"]),
        frame({"action": "authenticate"}, "authorization"),
        frame(None, "authorization"),
        "\ud800",
    ],
    ids=repr,
)
def test_unreadable(sent: bytes | str) -> None:
    """What may have been an event, and cannot be read, is said to be so."""
    assert isinstance(decode_frame(sent), Unreadable)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (update(event=None), "frame.data.event"),
        (update(event=""), "frame.data.event"),
        (update(order=None), "frame.data.order"),
        (update(order=order(id=None)), "frame.data.order.id"),
        (update(order=order(id="")), "frame.data.order.id"),
        (update(order=order(id=["x"])), "frame.data.order.id"),
        (update(order=order(status=None)), "frame.data.order.status"),
        (update(order=order(status="")), "frame.data.order.status"),
        (update(order=order(filled_qty=True)), "frame.data.order.filled_qty"),
        (update(position_qty={"NVDA": "1"}), "frame.data.position_qty"),
        (update(execution_id=[]), "frame.data.execution_id"),
        (update(order=order(legs=[order(), order(id=None)])), "frame.data.order.legs[1].id"),
        (update(order=order(legs=[order(status="")])), "frame.data.order.legs[0].status"),
        (update(order=order(legs={})), "frame.data.order.legs"),
    ],
)
def test_what_must_be_readable(data: object, place: str) -> None:
    """Without what decides the truth an event is unreadable, and the reason names the place."""
    assert place in unreadable(data)


@pytest.mark.parametrize("innermost", [order(), order(id=5), 5])
@pytest.mark.parametrize("depth", [20, 200])
def test_legs_of_legs(innermost: object, depth: int) -> None:
    """Legs have no legs; a frame that nests them without end is refused, in bounded time."""
    nested = json.dumps(innermost)
    for _ in range(depth):
        nested = json.dumps(order(legs=None)).replace('"legs": null', f'"legs": [{nested}]')
    sent = frame(update(order=None)).replace(b'"order":null', b'"order":' + nested.encode())
    assert isinstance(decode_frame(sent), Unreadable)
    with pytest.raises(ProtocolViolation):
        wire.decode_orders(f"[{nested}]".encode())


def test_numbers_become_strings_as_written() -> None:
    """A number where a string is expected keeps every digit that was sent."""
    sent = FILL.replace(b'"price":"188.4"', b'"price":188.40')
    sent = sent.replace(b'"filled_avg_price":"188.396"', b'"filled_avg_price":1.88396E2')
    sent = sent.replace(b'"position_qty":"130"', b'"position_qty": -130.000000001 ')
    message = decode_frame(sent)
    assert isinstance(message, TradeUpdate)
    assert message.price == "188.40"
    assert message.order.filled_avg_price == "1.88396E2"
    assert message.position_qty == "-130.000000001"
    assert message.order.created_at == ROUNDED["created_at"]


def test_odd_types_where_nothing_hangs_on_them() -> None:
    """A field of an odd type that nothing depends on counts as absent; the event is kept."""
    odd = order(hwm=True, asset_class={"a": 1}, extended_hours="false", symbol="NVDA")
    odd_update = update(order=odd, settle_date=[2026], position_qtys=None)
    message = told(odd_update)
    assert (message.order.hwm, message.order.asset_class, message.settle_date) == (None,) * 3
    assert message.order.extended_hours is False
    assert message.order.filled_qty == "30"


def test_unknown_is_kept() -> None:
    """Unknown events, statuses and fields are no error."""
    message = told(update(event="restated", order=order(status="pondering", new=1), more=[2]))
    assert (message.event, message.order.status) == ("restated", "pondering")


def test_old_frames() -> None:
    """Recordings of 2021 have neither `at` nor `event_id`, and offsets instead of Z."""
    old = update(order=order(updated_at="2021-10-06T10:02:13.947610522-04:00"))
    del old["at"], old["event_id"], old["execution_id"]
    message = told(old)
    assert (message.at, message.event_id, message.execution_id) == (None, None, None)
    assert message.order.updated_at == "2021-10-06T14:02:13.947611Z"


@pytest.mark.parametrize("year", ["0000", "0001", "9999"])
def test_impossible_times(year: str) -> None:
    """No time that is sent, however odd, costs an event."""
    told(update(order=order(updated_at=f"{year}-12-31T23:59:59.9999999Z")))


@given(st.binary() | st.text())
def test_any_bytes(sent: bytes | str) -> None:
    """Nothing raises."""
    decode_frame(sent)


@given(JSON, st.sampled_from(["trade_updates", "authorization", "listening", "other"]))
def test_any_data(data: object, stream: str) -> None:
    decode_frame(frame(data, stream))


@given(st.integers(0, len(FILL) - 1), st.binary(max_size=4), st.integers(0, 4))
@example(FILL.index(b"518044102Z"), b"\xff", 1)
def test_damaged_frames(at: int, put: bytes, cut: int) -> None:
    """A damaged frame is an event, or unreadable, or none of our business; never an exception."""
    message = decode_frame(FILL[:at] + put + FILL[at + cut :])
    if isinstance(message, TradeUpdate):
        assert message.event
        assert message.order.id
        assert message.order.status
        msgspec.json.encode(message)


@given(
    st.sampled_from(sorted(update())) | st.sampled_from(sorted(order())),
    JSON,
)
def test_any_value_in_any_field(name: str, value: object) -> None:
    """One field may hold anything: what comes out can be served, and has its identity."""
    changed = update(order=order(**{name: value})) if name in order() else update(**{name: value})
    message = decode_frame(frame(changed))
    assert isinstance(message, TradeUpdate | Unreadable | Ignored)
    if isinstance(message, TradeUpdate):
        assert message.order.id
        msgspec.json.encode(message)


def test_account() -> None:
    account = wire.decode_account(json.dumps(ACCOUNT).encode())
    assert (account.account_number, account.crypto_tier) == ("PA0EXAMPLE01", 1)


def test_account_with_numbers() -> None:
    """Money as a number is kept as it was written; a level as a string becomes a number."""
    body = json.dumps(ACCOUNT | {"crypto_tier": "1", "cash": 0}).replace(
        '"cash": 0', '"cash": 0.10'
    )
    account = wire.decode_account(body.encode())
    assert (account.cash, account.crypto_tier) == ("0.10", 1)


def test_lists() -> None:
    positions = wire.decode_positions(json.dumps([POSITION]).encode())
    fills = wire.decode_fills(json.dumps([ACTIVITY]).encode())
    orders = wire.decode_orders(json.dumps([order(), order(id="b")]).encode())
    assert [(p.symbol, p.qty, p.current_price) for p in positions] == [("XLF", "-40", None)]
    assert [f.execution_id for f in fills] == ["000000e3-1c2d-4e3f-8a4b-5c6d7e8f9a0b"]
    assert [o.updated_at for o in orders] == [ROUNDED["updated_at"]] * 2
    assert wire.decode_orders(b"[]") == ()


@pytest.mark.parametrize(
    ("decode", "body", "place"),
    [
        (wire.decode_account, b"null", "account"),
        (wire.decode_account, b"{}", "account.id"),
        (wire.decode_account, b"<html>", "account"),
        (wire.decode_account, json.dumps(ACCOUNT | {"id": None}).encode(), "account.id"),
        (wire.decode_order, json.dumps(order(status=None)).encode(), "order.status"),
        (wire.decode_positions, b"null", "positions"),
        (wire.decode_positions, b"{}", "positions"),
        (
            wire.decode_positions,
            json.dumps([POSITION, POSITION | {"qty": None}]).encode(),
            "positions[1].qty",
        ),
        (wire.decode_orders, json.dumps([order(), 5]).encode(), "orders[1]"),
        (wire.decode_orders, json.dumps([order(), order(status="")]).encode(), "orders[1].status"),
        (wire.decode_fills, json.dumps([{"activity_type": "FILL"}]).encode(), "fills[0].id"),
    ],
)
def test_bodies_that_cannot_be_read(
    decode: Callable[[bytes], object], body: bytes, place: str
) -> None:
    """One bad element fails its list and is named: the others are not passed off as all."""
    with pytest.raises(ProtocolViolation) as caught:
        decode(body)
    assert caught.value.message.startswith(place)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body(body: bytes) -> None:
    """A body is read or refused in our own words."""
    for decode in (
        wire.decode_account,
        wire.decode_positions,
        wire.decode_orders,
        wire.decode_order,
        wire.decode_fills,
    ):
        with suppress(ProtocolViolation):
            decode(body)
