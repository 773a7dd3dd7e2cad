"""Bodies of orders: read strictly, and sent as they were written."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime.orders.errors import Declined
from realtime.orders.order_request import (
    OrderChanges,
    Placement,
    build_body,
    is_client_order_id,
    normalize_symbols,
    read_body,
    read_value,
)
from tests.orders.trading import order


@given(st.binary(max_size=200))
@example(b"}")
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for form in (Placement, OrderChanges):
        with suppress(Declined):  # anything else that is raised fails
            read_body(b"{" + body, form)


@given(
    st.dictionaries(
        st.sampled_from(
            ["qty", "notional", "limit_price", "symbol", "legs", "take_profit", "side"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
        ),
    )
)
def test_any_json_is_read_or_refused(fields: dict[str, object]) -> None:
    try:
        request = order(**fields)
    except Declined:
        return
    build_body(normalize_symbols(request))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"qty": 1' + b"0" * 5000 + b"}", ""),
        (b'{"qty": 0.' + b"1" * 5000 + b"}", "too long"),
        (b'{"qty": 1e999}', "qty"),
        (b'{"qty": "1e999"}', "qty"),
        (b'{"take_profit": {"limit_price": "1_0"}}', "limit_price"),
        (b'{"legs": [{"symbol": "A", "ratio_qty": " 1"}]}', "ratio_qty"),
        (b"[" * 100_000, "JSON"),
        (b'{"a":' * 100_000, "JSON"),
        (b"\xff", "JSON"),
        (b'{"side": "hold"}', "side"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_refusal_names_what_is_wrong(body: bytes, message: str) -> None:
    with pytest.raises(Declined) as error:
        read_body(body, Placement)
    assert message in error.value.message
    assert len(error.value.message) < 300


@pytest.mark.parametrize("text", ["a", "a b", "rt-1", "!~", "x" * 128])
def test_a_client_order_id(text: str) -> None:
    assert is_client_order_id(text)
    assert order(client_order_id=text).client_order_id == text


@pytest.mark.parametrize("text", ["", " a", "a ", "a\n", "\na", "é", "a\tb", "x" * 129, "a\0"])
def test_a_text_that_is_no_client_order_id(text: str) -> None:
    assert not is_client_order_id(text)
    with pytest.raises(Declined):
        order(client_order_id=text)


def test_numbers_are_sent_as_plain_decimals() -> None:
    body = build_body(read_value({"qty": "1e2", "limit_price": 0.1}, OrderChanges))
    assert body == {"qty": "100", "limit_price": "0.1"}


def test_nulls_and_routing_are_not_sent() -> None:
    body = build_body(order(order_class=None, legs=None, account_id="alpha", force=True))
    assert set(body) == {"symbol", "qty", "side", "type", "time_in_force"}
