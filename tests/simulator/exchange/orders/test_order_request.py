"""A request body is read strictly: every bad field is refused by name, nothing is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.simulator.exchange.errors import ApiError
from realtime.simulator.exchange.orders.order_request import parse_order_request
from tests.simulator.exchange.harness import Json

GOOD: Json = {
    "symbol": "F",
    "qty": "1",
    "side": "buy",
    "type": "limit",
    "time_in_force": "day",
    "limit_price": 9.5,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbol": None}, "symbol is required"),
        ({"symbol": ["F"]}, "invalid symbol"),
        ({"side": None}, "side is required"),
        ({"side": "hold"}, "invalid side: hold"),
        ({"type": None}, "type is required"),
        ({"type": "magic"}, "invalid type: magic"),
        ({"time_in_force": None}, "time_in_force is required"),
        ({"time_in_force": 7}, "invalid time_in_force: int"),
        ({"order_class": "trio"}, "invalid order_class: trio"),
        ({"qty": "many"}, "invalid qty: many"),
        ({"qty": 0}, "qty must be > 0"),
        ({"qty": -1}, "qty must be > 0"),
        ({"limit_price": True}, "invalid limit_price"),
        ({"extended_hours": "yes"}, "invalid extended_hours"),
        ({"client_order_id": 5}, "invalid client_order_id"),
        ({"client_order_id": "x" * 129}, "no more than 128"),
        ({"take_profit": 12}, "invalid take_profit"),
        ({"stop_loss": {"stop_price": "low"}}, "invalid stop_loss.stop_price: low"),
        ({"position_intent": "buy"}, "invalid position_intent"),
    ],
)
def test_bad_fields(change: Json, message: str) -> None:
    """422 with the code of a malformed request."""
    with pytest.raises(ApiError, match=message) as caught:
        parse_order_request({**GOOD, **change})
    assert (caught.value.status, caught.value.body["code"]) == (422, 40010001)


def test_nulls_and_empty_strings_are_absent() -> None:
    """SDKs send both for what is not set."""
    request = parse_order_request(
        {**GOOD, "stop_price": None, "order_class": "", "client_order_id": ""}
    )
    assert request.stop_price is None
    assert request.is_simple
    assert request.client_order_id is None


def test_the_side_follows_from_the_intent() -> None:
    """One of the two is enough."""
    assert (
        parse_order_request({**GOOD, "side": None, "position_intent": "sell_to_open"}).side
        == "sell"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
fields = st.sampled_from([*GOOD, "legs", "take_profit", "stop_loss", "notional", "order_class"])


@given(body=json_values | st.dictionaries(fields, json_values))
def test_any_json_is_read_or_refused(body: object) -> None:
    """Never another exception."""
    try:
        parse_order_request(body)
    except ApiError as error:
        status = error.status
    else:
        status = 422
    assert status == 422


@given(changes=st.dictionaries(fields, json_values))
def test_a_good_body_with_bad_parts_is_read_or_refused(changes: Json) -> None:
    """Also for spreads."""
    for base in (
        GOOD,
        {**GOOD, "order_class": "mleg", "legs": [{"symbol": "A", "side": "buy"}] * 2},
    ):
        try:
            parse_order_request({**base, **changes})
        except ApiError as error:
            assert error.status in (403, 422)  # noqa: PT017  # anything else is a failure
