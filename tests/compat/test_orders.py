"""Every simple order: types, times in force, quantities and notionals, kinds of asset."""

from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import (
    AssetClass,
    ContractType,
    OrderClass,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionIntent,
    TimeInForce,
)
from alpaca.trading.requests import (
    GetOptionContractsRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
    TrailingStopOrderRequest,
)

from tests.compat.localhost import EITHER
from tests.compat.trader import Trader

pytestmark = [pytest.mark.compat, EITHER]

BUY: dict[str, Any] = {"side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}
SELL: dict[str, Any] = {"side": OrderSide.SELL, "time_in_force": TimeInForce.DAY}


def test_market_order_fills(trader: Trader) -> None:
    order = trader.client.submit_order(MarketOrderRequest(symbol="AAPL", qty=3, **BUY))
    assert order.status is OrderStatus.PENDING_NEW
    assert (order.qty, order.filled_qty, order.type) == ("3", "0", OrderType.MARKET)
    assert (order.order_class, order.asset_class) == (OrderClass.SIMPLE, AssetClass.US_EQUITY)
    assert order.position_intent is PositionIntent.BUY_TO_OPEN
    trader.broker.settle()
    filled = trader.client.get_order_by_id(order.id)
    assert filled.status is OrderStatus.FILLED
    assert (filled.filled_qty, filled.filled_avg_price) == ("3", trader.broker.price("AAPL"))
    assert filled.filled_at >= order.submitted_at


def test_amount_of_money_buys_a_fraction(trader: Trader) -> None:
    order = trader.client.submit_order(MarketOrderRequest(symbol="NVDA", notional=100.5, **BUY))
    trader.broker.settle()
    filled = trader.client.get_order_by_id(order.id)
    assert (filled.status, filled.qty, filled.notional) == (OrderStatus.FILLED, None, "100.5")
    spent = float(filled.filled_qty) * float(filled.filled_avg_price)
    assert spent == pytest.approx(100.5, abs=0.01)


def test_fraction_of_a_share_is_bought(trader: Trader) -> None:
    assert trader.own("SPY", 0.023).qty == "0.023"


def test_limit_order_rests_and_fills_when_reached(trader: Trader) -> None:
    trader.broker.pin("KO", "63")
    buy = LimitOrderRequest(symbol="KO", qty=2, limit_price=62.5, **BUY)
    order = trader.client.submit_order(buy)
    trader.broker.settle()
    assert trader.status(order) == "new"
    trader.broker.pin("KO", "62.4")
    filled = trader.client.get_order_by_id(order.id)
    assert filled.status is OrderStatus.FILLED
    assert float(filled.filled_avg_price) <= 62.5


def test_stop_orders_wait_for_their_price(trader: Trader) -> None:
    trader.broker.pin("DIS", "112")
    trader.own("DIS", 3)
    stop = StopOrderRequest(symbol="DIS", qty=1, stop_price=110, **SELL)
    limited = StopLimitOrderRequest(symbol="DIS", qty=2, stop_price=109, limit_price=108, **SELL)
    orders = [trader.client.submit_order(each) for each in (stop, limited)]
    trader.broker.settle()
    assert [trader.status(each) for each in orders] == ["new", "new"]
    trader.broker.pin("DIS", "109.5")
    assert [trader.status(each) for each in orders] == ["filled", "new"]
    trader.broker.pin("DIS", "108.5")
    assert [trader.status(each) for each in orders] == ["filled", "filled"]


@pytest.mark.parametrize(
    ("trail", "first", "then"),
    [({"trail_percent": 1}, "110.88", "113.85"), ({"trail_price": 2}, "110", "113")],
)
def test_trailing_stop_follows_its_high(
    trader: Trader, trail: dict[str, float], first: str, then: str
) -> None:
    trader.broker.pin("DIS", "112")
    trader.own("DIS", 1)
    asked = TrailingStopOrderRequest(
        symbol="DIS", qty=1, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, **trail
    )
    order = trader.client.submit_order(asked)
    assert (order.type, order.hwm, order.stop_price) == (OrderType.TRAILING_STOP, "112", first)
    trader.broker.pin("DIS", "115")
    moved = trader.client.get_order_by_id(order.id)
    assert (moved.hwm, moved.stop_price) == ("115", then)
    trader.broker.pin("DIS", "112.5")
    assert trader.status(order) == "filled"


@pytest.mark.parametrize(
    ("tif", "status"),
    [
        (TimeInForce.DAY, "new"),
        (TimeInForce.GTC, "new"),
        (TimeInForce.OPG, "accepted"),
        (TimeInForce.CLS, "accepted"),
        (TimeInForce.IOC, "canceled"),
        (TimeInForce.FOK, "canceled"),
    ],
)
def test_every_time_in_force_is_taken(trader: Trader, tif: TimeInForce, status: str) -> None:
    asked = LimitOrderRequest(
        symbol="KO", qty=1, side=OrderSide.BUY, limit_price=20, time_in_force=tif
    )
    order = trader.client.submit_order(asked)
    assert order.time_in_force is tif
    trader.broker.settle()
    assert trader.status(order) == status


def test_extended_hours_are_for_limits(trader: Trader) -> None:
    limit = LimitOrderRequest(symbol="KO", qty=1, limit_price=20, extended_hours=True, **BUY)
    assert trader.client.submit_order(limit).extended_hours
    market = MarketOrderRequest(symbol="KO", qty=1, extended_hours=True, **BUY)
    with pytest.raises(APIError) as refused:
        trader.client.submit_order(market)
    assert refused.value.status_code == 422


def test_short_sale_is_made_and_covered(trader: Trader) -> None:
    position = trader.own("F", 10, side="sell")
    assert (position.qty, position.side.value) == ("-10", "short")
    cover = MarketOrderRequest(symbol="F", qty=10, **BUY)
    order = trader.client.submit_order(cover)
    assert order.position_intent is PositionIntent.BUY_TO_CLOSE
    trader.broker.settle()
    assert trader.client.get_all_positions() == []


def test_coin_is_bought_and_sold(trader: Trader) -> None:
    """The fee is taken in the coin; order symbols have a slash, those of positions none."""
    position = trader.own("ETH/USD", 0.4)
    assert position.symbol == "ETHUSD"
    assert float(position.qty) == pytest.approx(0.399, abs=1e-6)  # less the fee of each part
    asked = LimitOrderRequest(
        symbol="ETH/USD",
        qty=0.1,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.GTC,
        limit_price=100_000,
    )
    order = trader.client.submit_order(asked)
    assert (order.symbol, order.asset_class) == ("ETH/USD", AssetClass.CRYPTO)
    stop = StopLimitOrderRequest(
        symbol="ETH/USD",
        qty=0.1,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.GTC,
        stop_price=1000,
        limit_price=990,
    )
    trader.client.submit_order(stop)
    paid = MarketOrderRequest(
        symbol="BTC/USD", notional=50, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
    )
    assert trader.client.submit_order(paid).notional == "50"


def test_option_is_bought_and_sold(trader: Trader) -> None:
    asked = GetOptionContractsRequest(underlying_symbols=["NVDA"])
    contract = trader.client.get_option_contracts(asked).option_contracts[0]
    position = trader.own(contract.symbol, 2)
    assert position.asset_class is AssetClass.US_OPTION
    assert float(position.cost_basis) == pytest.approx(200 * float(position.avg_entry_price))
    assert trader.client.get_open_position(contract.id).symbol == contract.symbol
    sell = LimitOrderRequest(
        symbol=contract.symbol,
        qty=2,
        limit_price=0.05,
        position_intent=PositionIntent.SELL_TO_CLOSE,
        **SELL,
    )
    order = trader.client.submit_order(sell)
    assert (order.order_class, order.side) == (OrderClass.SIMPLE, OrderSide.SELL)
    trader.broker.settle()
    assert trader.status(order) == "filled"


def test_covered_call_locks_its_shares(trader: Trader) -> None:
    asked = GetOptionContractsRequest(underlying_symbols=["NVDA"], type=ContractType.CALL)
    call = trader.client.get_option_contracts(asked).option_contracts[-1].symbol
    trader.own("NVDA", 120)
    assert trader.own(call, 1, side="sell").qty == "-1"
    assert trader.client.get_open_position("NVDA").qty_available == "20"
    with pytest.raises(APIError) as refused:
        trader.client.close_position("NVDA")
    assert (refused.value.status_code, refused.value.code) == (403, 40310000)
    assert {each.status for each in trader.client.close_all_positions()} == {200}
    trader.broker.settle()
    assert trader.client.get_all_positions() == []


def test_base_class_sends_any_order(trader: Trader) -> None:
    asked = OrderRequest(symbol="KO", qty=1, type=OrderType.MARKET, **BUY)
    assert trader.client.submit_order(asked).symbol == "KO"


def test_order_carries_the_clients_own_id(trader: Trader) -> None:
    asked = MarketOrderRequest(symbol="KO", qty=1, client_order_id="one of mine", **BUY)
    order = trader.client.submit_order(asked)
    assert trader.client.get_order_by_client_id("one of mine").id == order.id
    with pytest.raises(APIError) as refused:
        trader.client.submit_order(asked)
    assert (refused.value.status_code, refused.value.code) == (422, 40010001)
    assert refused.value.message == "client_order_id must be unique"


def test_order_is_replaced(trader: Trader) -> None:
    asked = LimitOrderRequest(symbol="KO", qty=5, limit_price=20, **BUY)
    old = trader.client.submit_order(asked)
    trader.broker.step()
    change = ReplaceOrderRequest(
        qty=7, limit_price=21.5, time_in_force=TimeInForce.GTC, client_order_id=f"{old.id}-b"
    )
    new = trader.client.replace_order_by_id(old.id, change)
    assert (new.replaces, new.qty, new.limit_price) == (old.id, "7", "21.5")
    assert (new.time_in_force, new.client_order_id) == (TimeInForce.GTC, f"{old.id}-b")
    replaced = trader.client.get_order_by_id(old.id)
    assert (replaced.status, replaced.replaced_by) == (OrderStatus.REPLACED, new.id)


def test_trail_is_replaced(trader: Trader) -> None:
    trader.broker.pin("DIS", "112")
    trader.own("DIS", 1)
    asked = TrailingStopOrderRequest(symbol="DIS", qty=1, trail_price=5, **SELL)
    order = trader.client.submit_order(asked)
    trader.broker.step()
    new = trader.client.replace_order_by_id(str(order.id), ReplaceOrderRequest(trail=3))
    assert (new.trail_price, new.stop_price) == ("3", "109")


def test_order_is_canceled(trader: Trader) -> None:
    asked = LimitOrderRequest(symbol="KO", qty=1, limit_price=20, **BUY)
    order = trader.client.submit_order(asked)
    assert trader.client.cancel_order_by_id(order.id) is None
    trader.broker.step()
    assert trader.status(order) == "canceled"
    with pytest.raises(APIError) as refused:
        trader.client.cancel_order_by_id(order.id)
    assert (refused.value.status_code, refused.value.code) == (422, 42210000)
    assert refused.value.message == 'order is already in "canceled" state'


def test_all_orders_are_canceled(trader: Trader) -> None:
    assert trader.client.cancel_orders() == []
    asked = [LimitOrderRequest(symbol=s, qty=1, limit_price=2, **BUY) for s in ("KO", "F", "WMT")]
    orders = [trader.client.submit_order(each) for each in asked]
    answers = trader.client.cancel_orders()
    assert {each.id: each.status for each in answers} == {each.id: 200 for each in orders}
    trader.broker.step()
    assert trader.client.get_orders() == []
