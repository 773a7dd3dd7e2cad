"""What an order may look like, by type and kind of asset."""

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, Json

LIMIT: Json = {"type": "limit", "limit_price": "9"}
OPTION = "NVDA261120C00200000"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "qty or notional is required"),
        ({"qty": 1, "notional": 5}, "only one of qty or notional"),
        ({"qty": "1.0000000001"}, "up to 9 decimal places"),
        ({"notional": "5.001"}, "limited to 2 decimal places"),
        ({"notional": "0.5"}, "notional amount must be >= 1.00"),
        ({"qty": 1, "type": "limit"}, "limit orders require limit price"),
        ({"qty": 1, "type": "stop_limit", "limit_price": 9}, "require stop price"),
        ({"qty": 1, "limit_price": 9}, "market orders must not have limit_price"),
        ({"qty": 1, "trail_price": 1}, "must not have trail_price"),
        ({"qty": 1, "type": "trailing_stop"}, "either trail_price or trail_percent"),
        (
            {"qty": 1, "type": "trailing_stop", "trail_price": 1, "trail_percent": 1},
            "either trail_price or trail_percent",
        ),
        ({"qty": 1, "type": "trailing_stop", "trail_percent": 100}, "must be < 100"),
        ({"qty": 1, "extended_hours": True}, "extended hours order must be DAY or GTC limit"),
        ({"qty": "0.5", "time_in_force": "gtc"}, "fractional orders must be DAY orders"),
        ({"qty": 1, "type": "stop", "stop_price": 9, "time_in_force": "opg"}, "opg orders must be"),
    ],
)
def test_stocks(body: Json, message: str) -> None:
    """The messages are the recorded ones where a recording exists."""
    with pytest.raises(ApiError, match=message):
        ExchangeHarness().submit(symbol="F", side="buy", **body)


@pytest.mark.parametrize(
    ("price", "is_fine"),
    [("290.12", True), ("290.123", False), ("0.1234", True), ("0.12345", False), ("1.0001", False)],
)
def test_sub_penny(price: str, is_fine: bool) -> None:
    """Cents from a dollar up, hundredths of cents below."""
    harness = ExchangeHarness()
    if is_fine:
        harness.buy("F", 1, type="limit", limit_price=price)
        return
    with pytest.raises(ApiError) as caught:
        harness.buy("F", 1, type="limit", limit_price=price)
    assert caught.value.status == 422
    assert caught.value.body == {
        "code": 42210000,
        "message": f"invalid limit_price {price}. sub-penny increment does not fulfill minimum"
        " pricing criteria",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"order_class": "bracket"}, "not allowed for advanced order_class: otoco"),
        ({"order_class": "oto"}, "not allowed for advanced order_class: oto$"),
        ({"time_in_force": "day"}, "invalid crypto time_in_force"),
        ({"type": "stop", "stop_price": 1}, "invalid order type for crypto order"),
        ({"extended_hours": True}, "extended hours"),
        ({"qty": "0.00039"}, r"qty must be >= 0\.0004$"),
        ({"qty": None, "notional": "0.99"}, r"notional amount must be >= 1\.00"),
    ],
)
def test_crypto(body: Json, message: str) -> None:
    """Simple orders, gtc or ioc."""
    with pytest.raises(ApiError, match=message):
        ExchangeHarness().submit(
            **{"symbol": "ETH/USD", "side": "buy", "qty": 1, "time_in_force": "gtc", **body}
        )


def test_remainder_of_a_coin_can_be_sold() -> None:
    """A fee may leave less than one can buy."""
    harness = ExchangeHarness()
    harness.own("ETH/USD", "0.0004", time_in_force="gtc")
    harness.exchange.close_position("alpha", "ETHUSD", qty=None, percentage=None)
    harness.settle()
    assert harness.exchange.positions("alpha") == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"qty": "1.5"}, "integer"),
        ({"qty": None, "notional": 50}, "notional"),
        ({"type": "stop", "stop_price": 1}, "invalid order type for options"),
        ({"time_in_force": "gtc"}, "time in force for options"),
        ({"order_class": "bracket"}, "complex orders not supported"),
    ],
)
def test_options(body: Json, message: str) -> None:
    """Whole contracts, day, market or limit."""
    with pytest.raises(ApiError, match=message):
        ExchangeHarness().submit(**{"symbol": OPTION, "side": "buy", "qty": 1, **body})


def test_option_orders_say_simple() -> None:
    """Where stocks have an empty class."""
    harness = ExchangeHarness()
    assert harness.buy(OPTION, 1)["order_class"] == "simple"
    assert harness.buy("F", 1)["order_class"] == ""


def test_unknown_and_inactive_assets() -> None:
    """422 with the symbol in quotes."""
    harness = ExchangeHarness()
    with pytest.raises(ApiError) as caught:
        harness.buy("NOPE", 1)
    assert caught.value.body == {"code": 42210000, "message": 'asset "NOPE" not found'}
    with pytest.raises(ApiError, match="not active"):
        harness.buy("TWTR", 1)
