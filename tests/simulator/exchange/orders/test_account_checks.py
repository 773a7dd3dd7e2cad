"""What an account may do with what it has."""

from decimal import Decimal

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness

CALL, PUT = "NVDA261120C00200000", "NVDA261120P00180000"


def refused(
    harness: ExchangeHarness, side: str, symbol: str, qty: object, **body: object
) -> ApiError:
    with pytest.raises(ApiError) as caught:
        harness.submit(symbol=symbol, qty=qty, side=side, **body)
    return caught.value


def test_client_order_ids_are_used_once() -> None:
    """For ever, also by orders that have ended; generated ones never clash."""
    harness = ExchangeHarness()
    order = harness.buy("F", 1, client_order_id="rt-1")
    harness.exchange.cancel("alpha", str(order["id"]))
    error = refused(harness, "buy", "F", 1, client_order_id="rt-1")
    assert error.status == 422
    assert error.body == {"code": 40010001, "message": "client_order_id must be unique"}


def test_a_refused_order_leaves_nothing_behind() -> None:
    """No order, no event, no reservation; its client order id is still free."""
    harness = ExchangeHarness()
    refused(harness, "buy", "F", 10**6, client_order_id="rt-1")
    assert harness.exchange.orders("alpha", {"status": "all"}) == []
    assert harness.events() == []
    assert harness.account()["buying_power"] == "200000"
    harness.buy("F", 1, client_order_id="rt-1")


def test_wash_trades() -> None:
    """The other order is named; complex orders and other symbols may pass."""
    harness = ExchangeHarness()
    harness.own("F", 5)
    other = harness.buy("F", 1, type="limit", limit_price="5")
    error = refused(harness, "sell", "F", 1)
    assert error.status == 403
    assert error.body == {
        "code": 40310000,
        "existing_order_id": other["id"],
        "message": "potential wash trade detected. use complex orders",
        "reject_reason": "opposite side limit order exists",
    }
    refused(harness, "sell", "F", 1, type="limit", limit_price="5")
    harness.sell("F", 1, type="limit", limit_price="5.01")
    error = refused(harness, "buy", "F", 1, type="stop", stop_price="20")
    assert error.body["reject_reason"] == "opposite side limit order exists"
    harness.sell("AAPL", 1)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("buy", "sell", "cannot open a short sell while a long buy order is open"),
        ("sell", "buy", "cannot open a long buy while a short sell order is open"),
    ],
)
@pytest.mark.parametrize("more", [{}, {"type": "trailing_stop", "trail_price": "1"}])
def test_both_sides_cannot_be_opened_at_once(
    first: str, second: str, message: str, more: dict[str, object]
) -> None:
    """Whatever the prices; once the first order has ended, the other side may open."""
    harness = ExchangeHarness()
    price = {"buy": "5", "sell": "20"}[first]
    order = harness.submit(symbol="F", qty=1, side=first, type="limit", limit_price=price)
    error = refused(harness, second, "F", 1, **more)
    assert (error.status, error.body) == (403, {"code": 40310000, "message": message})
    harness.submit(symbol="F", qty=1, side=first, type="limit", limit_price=price)
    harness.exchange.cancel_all("alpha")
    assert harness.status(order["id"]) == "canceled"
    harness.submit(symbol="F", qty=1, side=second, **more)


def test_a_waiting_stop_is_called_market_or_stop() -> None:
    """The reject reason of the recording."""
    harness = ExchangeHarness()
    harness.own("F", 2)
    harness.sell("F", 1, type="stop", stop_price="5")
    error = refused(harness, "buy", "F", 1)
    assert error.body["reject_reason"] == "opposite side market/stop order exists"


def test_one_order_cannot_cross_zero() -> None:
    """Neither from long nor from short."""
    harness = ExchangeHarness()
    harness.own("F", 2)
    error = refused(harness, "sell", "F", 3)
    assert error.body["message"] == (
        "insufficient qty available for order (requested: 3, available: 2)"
    )
    harness.exchange.close_position("alpha", "F", qty=None, percentage=None)
    harness.settle()
    harness.sell("F", 2)
    harness.settle()
    assert "requested: 3, available: 2" in str(refused(harness, "buy", "F", 3).body["message"])
    assert harness.exchange.position("alpha", "F")["qty_available"] == "-2"


def test_shorting_needs_permission() -> None:
    """Of the account, of the customer's own settings, of the asset."""
    assert refused(ExchangeHarness(shorting_enabled=False), "sell", "F", 1).body == {
        "code": 40310000,
        "message": "account is not allowed to short",
    }
    assert refused(ExchangeHarness(multiplier="1"), "sell", "F", 1).status == 403
    harness = ExchangeHarness()
    assert refused(harness, "sell", "GME", 1).status == 422
    harness.exchange.patch_configurations("alpha", {"no_shorting": True})
    assert refused(harness, "sell", "F", 1).status == 403
    assert harness.account()["shorting_enabled"] is False


def test_fractions() -> None:
    """Not of every asset, never short, not if switched off."""
    harness = ExchangeHarness()
    assert refused(harness, "buy", "SIRI", "0.5").body == {
        "code": 40310000,
        "message": "asset SIRI is not fractionable",
    }
    assert refused(harness, "sell", "F", "0.5").body == {
        "code": 42210000,
        "message": "fractional orders cannot be sold short",
    }
    harness.exchange.patch_configurations("alpha", {"fractional_trading": False})
    assert refused(harness, "buy", "F", "0.5").status == 403


def test_coins_are_never_short() -> None:
    """The message names the coin."""
    error = refused(ExchangeHarness(), "sell", "ETH/USD", "1", time_in_force="gtc")
    assert error.body == {
        "available": "0",
        "balance": "0",
        "code": 40310000,
        "message": "insufficient balance for ETH (requested: 1, available: 0)",
        "symbol": "ETH",
    }


def test_written_options_need_cover() -> None:
    """Shares for a call, money for a put; nothing uncovered."""
    harness = ExchangeHarness()
    error = refused(harness, "sell", CALL, 1)
    assert error.body["message"] == ("account not eligible to trade uncovered option contracts")
    harness.own("NVDA", 100)
    harness.sell(CALL, 1)
    refused(harness, "sell", CALL, 1)
    harness.settle()
    assert harness.qty(CALL) == -1
    refused(harness, "sell", CALL, 1)
    harness.sell(PUT, 1)
    poor = ExchangeHarness(cash=Decimal(1000))
    refused(poor, "sell", PUT, 1)


def test_buying_options_needs_level_two() -> None:
    """Level one may only write."""
    assert refused(ExchangeHarness(options_level=1), "buy", CALL, 1).status == 403


def test_an_intent_must_fit_the_position() -> None:
    """Said and inferred."""
    error = refused(ExchangeHarness(), "sell", "F", 1, position_intent="sell_to_close")
    assert error.body["message"] == (
        "position intent mismatch, inferred: sell_to_open, specified: sell_to_close"
    )


def test_suspended_trading_refuses_all_orders() -> None:
    """Cancels still work."""
    harness = ExchangeHarness()
    order = harness.buy("F", 1, type="limit", limit_price="5")
    harness.exchange.patch_configurations("alpha", {"suspend_trade": True})
    assert refused(harness, "buy", "F", 1).status == 403
    assert harness.account()["trade_suspended_by_user"] is True
    harness.exchange.cancel("alpha", str(order["id"]))


def test_level_one_may_write_covered_calls() -> None:
    """Level zero may not."""
    for level, may in ((1, True), (0, False)):
        harness = ExchangeHarness(options_level=level)
        harness.own("NVDA", 100)
        if may:
            harness.sell(CALL, 1)
        else:
            refused(harness, "sell", CALL, 1)
