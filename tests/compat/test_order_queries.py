"""`get_orders` with every filter, and single orders."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderClass, OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)

from tests.compat.localhost import EITHER
from tests.compat.trader import Trader

pytestmark = [pytest.mark.compat, EITHER]

NO_SUCH = UUID("00000000-1c2d-4e3f-8a4b-5c6d7e8f9a0b")


def rest(trader: Trader, symbol: str, qty: float = 1) -> Any:
    """Place a limit order that nothing meets."""
    tif = TimeInForce.GTC if "/" in symbol else TimeInForce.DAY
    asked = LimitOrderRequest(
        symbol=symbol, qty=qty, side=OrderSide.BUY, time_in_force=tif, limit_price=2
    )
    return trader.client.submit_order(asked)


@pytest.fixture
def placed(trader: Trader) -> list[Any]:
    """Five orders in time: KO and F rest, AAPL fills, WMT is canceled, BTC/USD rests."""
    orders = [rest(trader, "KO"), rest(trader, "F")]
    buy = MarketOrderRequest(
        symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
    )
    orders.append(trader.client.submit_order(buy))
    orders.append(rest(trader, "WMT"))
    trader.client.cancel_order_by_id(orders[-1].id)
    orders.append(rest(trader, "BTC/USD", qty=0.5))
    trader.broker.settle()
    return orders


def found(trader: Trader, **asked: Any) -> list[str]:
    """The symbols of the orders a query finds."""
    orders = trader.client.get_orders(GetOrdersRequest(**asked) if asked else None)
    return [each.symbol for each in orders]


def test_status_and_direction(trader: Trader, placed: list[Any]) -> None:
    assert found(trader) == ["BTC/USD", "F", "KO"]
    assert found(trader, status=QueryOrderStatus.CLOSED) == ["WMT", "AAPL"]
    oldest_first = found(trader, status=QueryOrderStatus.ALL, direction=Sort.ASC)
    assert oldest_first == [each.symbol for each in placed]


def test_symbols_and_side(trader: Trader, placed: list[Any]) -> None:
    every = QueryOrderStatus.ALL
    assert found(trader, status=every, symbols=["KO", "AAPL"]) == ["AAPL", "KO"]
    assert found(trader, status=every, symbols=["BTC/USD"]) == ["BTC/USD"]
    assert found(trader, status=every, symbols=["NONE"]) == []
    assert found(trader, status=every, side=OrderSide.SELL) == []
    assert len(found(trader, status=every, side=OrderSide.BUY)) == 5


def test_times_are_exclusive(trader: Trader, placed: list[Any]) -> None:
    all_of = {"status": QueryOrderStatus.ALL, "direction": Sort.ASC}
    third = trader.client.get_order_by_id(placed[2].id).submitted_at
    assert found(trader, **all_of, after=third) == ["WMT", "BTC/USD"]
    assert found(trader, **all_of, until=third) == ["KO", "F"]
    around = {"after": third - timedelta(microseconds=1), "until": third + timedelta(seconds=1)}
    assert found(trader, **all_of, **around) == ["AAPL", "WMT", "BTC/USD"]


def test_every_order_is_paged_through(trader: Trader, placed: list[Any]) -> None:
    """As people do it: the last one's time is where the next page begins."""
    seen: list[str] = []
    query: dict[str, Any] = {"status": QueryOrderStatus.ALL, "limit": 2, "direction": Sort.ASC}
    while page := trader.client.get_orders(GetOrdersRequest(**query)):
        seen += [each.symbol for each in page]
        query["after"] = page[-1].submitted_at
    assert seen == [each.symbol for each in placed]


def test_nested_rolls_legs_up(trader: Trader) -> None:
    trader.broker.pin("AAPL", "200")
    asked = MarketOrderRequest(
        symbol="AAPL",
        qty=1,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.DAY,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=210),
        stop_loss=StopLossRequest(stop_price=190),
    )
    parent = trader.client.submit_order(asked)
    trader.broker.settle()
    every = QueryOrderStatus.ALL
    nested = trader.client.get_orders(GetOrdersRequest(status=every, nested=True))
    assert [(each.id, len(each.legs)) for each in nested] == [(parent.id, 2)]
    flat = trader.client.get_orders(GetOrdersRequest(status=every))
    assert [each.legs for each in flat] == [None, None, None]
    assert {each.id for each in flat} == {parent.id, *(each.id for each in parent.legs)}


@pytest.mark.parametrize("limit", [0, 501, -1])
def test_limit_has_bounds(trader: Trader, limit: int) -> None:
    with pytest.raises(APIError) as refused:
        trader.client.get_orders(GetOrdersRequest(limit=limit))
    assert refused.value.status_code == 422


def test_unknown_orders_are_not_found(trader: Trader) -> None:
    with pytest.raises(APIError) as missing:
        trader.client.get_order_by_id(NO_SUCH)
    assert (missing.value.status_code, missing.value.code) == (404, 40410000)
    assert missing.value.message == f"order not found for {NO_SUCH}"
    with pytest.raises(APIError) as unnamed:
        trader.client.get_order_by_client_id("never used")
    assert unnamed.value.status_code == 404
    with pytest.raises(APIError) as uncanceled:
        trader.client.cancel_order_by_id(NO_SUCH)
    assert uncanceled.value.status_code == 404


def test_orders_of_other_accounts_are_not_found(trader: Trader, saver: Trader) -> None:
    order = rest(trader, "KO")
    with pytest.raises(APIError) as missing:
        saver.client.get_order_by_id(order.id)
    assert missing.value.status_code == 404
    assert saver.client.get_orders() == []
