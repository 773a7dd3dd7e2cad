"""What goes wrong: keys, limits, refusals, faults, and routes that are not there."""

from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import (
    CreateWatchlistRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    StopOrderRequest,
)

from tests.compat.broker import Broker
from tests.compat.localhost import EITHER, Localhost, skip_at_localhost
from tests.compat.trader import Trader

pytestmark = [pytest.mark.compat, EITHER]

BUY: dict[str, Any] = {"side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}
SELL: dict[str, Any] = {"side": OrderSide.SELL, "time_in_force": TimeInForce.DAY}


def refusal(trader: Trader, order: Any) -> tuple[int, int, str]:
    """How an order is refused: status, code and message."""
    with pytest.raises(APIError) as refused:
        trader.client.submit_order(order)
    error = refused.value
    return error.status_code, error.code, error.message


@pytest.mark.parametrize(
    ("key", "secret"), [("demo-alpha", "wrong"), ("nobody", "demo-secret-alpha")]
)
def test_wrong_keys_are_unauthorized(target: Broker | Localhost, key: str, secret: str) -> None:
    client: Any = TradingClient(key, secret, url_override=target.url)
    with pytest.raises(APIError) as refused:
        client.get_account()
    assert (refused.value.status_code, refused.value.message) == (401, "unauthorized.")
    assert str(refused.value) == '{"message": "unauthorized."}'


def test_tokens_are_not_known(target: Broker | Localhost) -> None:
    client: Any = TradingClient(oauth_token="token", url_override=target.url)
    with pytest.raises(APIError) as refused:
        client.get_account()
    assert refused.value.status_code == 401


def test_too_large_an_order_is_refused(trader: Trader) -> None:
    asked = MarketOrderRequest(symbol="AAPL", qty=10_000_000, **BUY)
    assert refusal(trader, asked) == (403, 40310000, "insufficient buying power")


def test_unknown_symbol_is_refused(trader: Trader) -> None:
    asked = MarketOrderRequest(symbol="NOPE", qty=1, **BUY)
    assert refusal(trader, asked) == (422, 42210000, 'asset "NOPE" not found')


def test_fractions_have_rules(trader: Trader) -> None:
    gtc = MarketOrderRequest(
        symbol="AAPL", qty=0.5, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
    )
    assert refusal(trader, gtc) == (422, 42210000, "fractional orders must be DAY orders")
    short = MarketOrderRequest(symbol="AAPL", qty=0.5, **SELL)
    assert refusal(trader, short) == (422, 42210000, "fractional orders cannot be sold short")
    whole = MarketOrderRequest(symbol="SIRI", qty=0.5, **BUY)
    assert refusal(trader, whole) == (403, 40310000, "asset SIRI is not fractionable")


def test_parts_of_a_cent_are_refused(trader: Trader) -> None:
    asked = LimitOrderRequest(symbol="AAPL", qty=1, limit_price=290.123, **BUY)
    assert refusal(trader, asked) == (
        422,
        42210000,
        "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing"
        " criteria",
    )


def test_trading_with_oneself_is_refused(trader: Trader) -> None:
    trader.own("KO", 1)
    trader.client.submit_order(StopOrderRequest(symbol="KO", qty=1, stop_price=900, **BUY))
    with pytest.raises(APIError) as refused:
        trader.client.submit_order(MarketOrderRequest(symbol="KO", qty=1, **SELL))
    assert refused.value.message == "potential wash trade detected. use complex orders"
    assert '"reject_reason":"opposite side market/stop order exists"' in str(refused.value)


def test_negative_quantity_is_refused(trader: Trader) -> None:
    status, code, _ = refusal(trader, MarketOrderRequest(symbol="KO", qty=-1, **BUY))
    assert (status, code) == (422, 40010001)


def test_answers_to_too_many_requests(broker: Broker, trader: Trader) -> None:
    """The SDK tries again by itself; here not at all, to be quick."""
    skip_at_localhost(trader.broker, "the account is answered from memory")
    broker.fault("rate_limited", account=trader.label, for_s=60)
    trader.client._retry_codes = [504]
    with pytest.raises(APIError) as refused:
        trader.client.get_account()
    assert (refused.value.status_code, refused.value.code) == (429, 42910000)
    assert refused.value.response.headers["X-RateLimit-Remaining"] == "0"


def test_client_tries_again_after_429(broker: Broker, trader: Trader) -> None:
    broker.fault("rate_limited", account=trader.label, count=1)
    trader.client._retry_wait = 0.01
    assert trader.client.get_account().cash == "1000000"


def test_html_error_is_passed_through(broker: Broker, trader: Trader) -> None:
    skip_at_localhost(trader.broker, "the account is answered from memory, and 502 never")
    broker.fault("server_error", account=trader.label, status=502, count=1)
    with pytest.raises(APIError, match="<html>") as refused:
        trader.client.get_account()
    assert refused.value.status_code == 502


def test_answers_name_their_request(trader: Trader) -> None:
    with pytest.raises(APIError) as missing:
        trader.client.get_asset("NOPE")
    headers = missing.value.response.headers
    assert headers["X-Request-ID"]
    assert int(headers["X-RateLimit-Limit"]) > 0


def test_unknown_objects_are_404(trader: Trader) -> None:
    """Watchlists, corporate actions and exercise: docs/simulator.md says so."""
    client = trader.client
    for ask in (
        client.get_watchlists,
        lambda: client.create_watchlist(CreateWatchlistRequest(name="mine", symbols=["KO"])),
        lambda: client.get_corporate_announcement_by_id(trader.client.get_account().id),
        lambda: client.exercise_options_position("NVDA261120C00200000"),
    ):
        with pytest.raises(APIError) as missing:
            ask()
        assert missing.value.status_code == 404
        assert missing.value.message == "Not Found"
