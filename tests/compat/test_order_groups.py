"""Bracket, one-cancels-other, one-triggers-other and multi-leg orders."""

from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, OrderType, TimeInForce
from alpaca.trading.requests import (
    GetOptionContractsRequest,
    GetOrderByIdRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OptionLegRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)

from tests.compat.localhost import EITHER
from tests.compat.trader import Trader

pytestmark = [pytest.mark.compat, EITHER]


@pytest.fixture
def bracket(trader: Trader) -> Any:
    """A bracket around 200 that has been entered."""
    trader.broker.pin("AAPL", "200")
    asked = MarketOrderRequest(
        symbol="AAPL",
        qty=5,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=210),
        stop_loss=StopLossRequest(stop_price=190, limit_price=189.5),
    )
    order = trader.client.submit_order(asked)
    assert order.order_class is OrderClass.BRACKET
    assert [each.status for each in order.legs] == [OrderStatus.HELD, OrderStatus.HELD]
    assert [each.type for each in order.legs] == [OrderType.LIMIT, OrderType.STOP_LIMIT]
    trader.broker.settle()
    return order


def legs(trader: Trader, order: Any) -> list[str]:
    """The statuses of an order's legs."""
    nested = trader.client.get_order_by_id(order.id, GetOrderByIdRequest(nested=True))
    return [each.status.value for each in nested.legs]


def test_bracket_waits_with_one_leg_held(trader: Trader, bracket: Any) -> None:
    assert trader.status(bracket) == "filled"
    assert legs(trader, bracket) == ["new", "held"]
    plain = trader.client.get_order_by_id(bracket.id, GetOrderByIdRequest(nested=False))
    assert plain.legs is None


@pytest.mark.parametrize(
    ("price", "statuses"),
    [("211", ["filled", "canceled"]), ("189.8", ["canceled", "filled"])],
)
def test_bracket_ends_on_either_side(
    trader: Trader, bracket: Any, price: str, statuses: list[str]
) -> None:
    trader.broker.pin("AAPL", price)
    assert legs(trader, bracket) == statuses
    assert trader.client.get_all_positions() == []


def test_canceling_a_leg_cancels_its_partner(trader: Trader, bracket: Any) -> None:
    trader.client.cancel_order_by_id(bracket.legs[0].id)
    trader.broker.settle()
    assert legs(trader, bracket) == ["canceled", "canceled"]


def test_leg_of_a_bracket_is_replaced(trader: Trader, bracket: Any) -> None:
    change = ReplaceOrderRequest(limit_price=205)
    new = trader.client.replace_order_by_id(bracket.legs[0].id, change)
    trader.broker.pin("AAPL", "206")
    assert trader.status(new) == "filled"
    assert trader.client.get_all_positions() == []


def test_one_cancels_other(trader: Trader) -> None:
    trader.broker.pin("AAPL", "200")
    trader.own("AAPL", 5)
    asked = LimitOrderRequest(
        symbol="AAPL",
        qty=5,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OCO,
        take_profit=TakeProfitRequest(limit_price=210),
        stop_loss=StopLossRequest(stop_price=190),
    )
    order = trader.client.submit_order(asked)
    assert (order.order_class, order.limit_price) == (OrderClass.OCO, "210")
    assert [each.stop_price for each in order.legs] == ["190"]
    trader.broker.pin("AAPL", "211")
    assert trader.status(order) == "filled"
    assert legs(trader, order) == ["canceled"]


@pytest.mark.parametrize(
    "exit_",
    [
        {"take_profit": TakeProfitRequest(limit_price=210)},
        {"stop_loss": StopLossRequest(stop_price=190)},
    ],
)
def test_one_triggers_other(trader: Trader, exit_: dict[str, Any]) -> None:
    trader.broker.pin("AAPL", "200")
    asked = LimitOrderRequest(
        symbol="AAPL",
        qty=5,
        limit_price=199,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.DAY,
        order_class=OrderClass.OTO,
        **exit_,
    )
    order = trader.client.submit_order(asked)
    trader.broker.settle()
    assert (trader.status(order), legs(trader, order)) == ("new", ["held"])
    trader.broker.pin("AAPL", "198")
    assert (trader.status(order), legs(trader, order)) == ("filled", ["new"])


def test_wrong_side_of_the_price_is_refused(trader: Trader) -> None:
    trader.broker.pin("AAPL", "200")
    asked = MarketOrderRequest(
        symbol="AAPL",
        qty=5,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.DAY,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=195),
        stop_loss=StopLossRequest(stop_price=198),
    )
    with pytest.raises(APIError) as refused:
        trader.client.submit_order(asked)
    assert (refused.value.status_code, refused.value.code) == (422, 42210000)


def test_crypto_takes_no_groups(trader: Trader) -> None:
    asked = MarketOrderRequest(
        symbol="BTC/USD",
        qty=0.1,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=900_000),
        stop_loss=StopLossRequest(stop_price=100),
    )
    with pytest.raises(APIError, match="advanced order_class: otoco") as refused:
        trader.client.submit_order(asked)
    assert refused.value.status_code == 422


def contracts(trader: Trader) -> list[str]:
    """NVDA's calls and puts by rising strike: call, put, call, put …"""
    asked = GetOptionContractsRequest(underlying_symbols=["NVDA"])
    return [each.symbol for each in trader.client.get_option_contracts(asked).option_contracts]


def leg(symbol: str, side: OrderSide) -> OptionLegRequest:
    """One contract of a leg."""
    return OptionLegRequest(symbol=symbol, ratio_qty=1, side=side)


def test_spread_fills_as_one(trader: Trader) -> None:
    lower, _, upper, *_ = contracts(trader)
    asked = MarketOrderRequest(
        qty=2,
        order_class=OrderClass.MLEG,
        time_in_force=TimeInForce.DAY,
        legs=[leg(lower, OrderSide.BUY), leg(upper, OrderSide.SELL)],
    )
    order = trader.client.submit_order(asked)
    assert (order.order_class, order.symbol, order.asset_id) == (OrderClass.MLEG, None, None)
    assert [each.symbol for each in order.legs] == [lower, upper]
    assert [each.ratio_qty for each in order.legs] == ["1", "1"]
    trader.broker.settle()
    filled = trader.client.get_order_by_client_id(order.client_order_id)
    assert [each.status for each in filled.legs] == [OrderStatus.FILLED] * 2
    bought, sold = (float(each.filled_avg_price) for each in filled.legs)
    assert float(filled.filled_avg_price) == pytest.approx(bought - sold)
    one = trader.client.get_order_by_client_id(order.legs[0].client_order_id)
    assert one.id == trader.client.get_order_by_id(order.legs[0].id).id
    held = {each.symbol: each.qty for each in trader.client.get_all_positions()}
    assert held == {lower: "2", upper: "-2"}


def test_condor_rests_is_replaced_and_canceled(trader: Trader) -> None:
    _, put_low, call_mid, put_mid, call_high, _ = contracts(trader)
    asked = LimitOrderRequest(
        qty=5,
        limit_price=-50,
        order_class=OrderClass.MLEG,
        time_in_force=TimeInForce.DAY,
        legs=[
            leg(put_low, OrderSide.BUY),
            leg(put_mid, OrderSide.SELL),
            leg(call_mid, OrderSide.SELL),
            leg(call_high, OrderSide.BUY),
        ],
    )
    order = trader.client.submit_order(asked)
    trader.broker.settle()
    assert (trader.status(order), order.limit_price) == ("new", "-50")
    one = order.legs[0].id
    with pytest.raises(APIError, match="individual legs"):
        trader.client.cancel_order_by_id(one)
    with pytest.raises(APIError) as refused:
        trader.client.replace_order_by_id(one, ReplaceOrderRequest(qty=1))
    assert refused.value.status_code == 422
    new = trader.client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=6))
    assert (new.replaces, new.qty, len(new.legs)) == (order.id, "6", 4)
    trader.client.cancel_order_by_id(new.id)
    trader.broker.step()
    assert trader.status(new) == "canceled"
