"""Positions: listed, found, closed whole, in part, and all at once."""

from decimal import Decimal

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import AssetExchange, OrderSide, TimeInForce
from alpaca.trading.models import FailedClosePositionDetails, Order
from alpaca.trading.requests import ClosePositionRequest, LimitOrderRequest

from tests.compat.localhost import EITHER, skip_at_localhost
from tests.compat.trader import Trader

pytestmark = [pytest.mark.compat, EITHER]

UNSETTLED = "the daemon closes nothing within ten seconds of an order that may reduce it"


def test_positions_of_all_kinds_are_read(trader: Trader) -> None:
    trader.own("AAPL", 10)
    trader.own("XLF", 4, side="sell")
    trader.own("BTC/USD", 0.1)
    positions = {each.symbol: each for each in trader.client.get_all_positions()}
    assert set(positions) == {"AAPL", "XLF", "BTCUSD"}
    assert positions["BTCUSD"].exchange is AssetExchange.CRYPTO
    short = positions["XLF"]
    assert (short.qty, short.qty_available, short.side.value) == ("-4", "-4", "short")
    assert Decimal(short.market_value) == -4 * Decimal(short.current_price)


def test_profit_follows_the_price(trader: Trader) -> None:
    trader.broker.pin("AAPL", "200")
    trader.own("AAPL", 10)
    trader.broker.pin("AAPL", "205")
    position = trader.client.get_open_position("AAPL")
    assert (position.avg_entry_price, position.current_price) == ("200", "205")
    assert (position.cost_basis, position.market_value) == ("2000", "2050")
    assert (position.unrealized_pl, position.unrealized_plpc) == ("50", "0.025")


def test_position_is_found_by_asset_id(trader: Trader) -> None:
    position = trader.own("AAPL", 1)
    assert trader.client.get_open_position(position.asset_id) == position
    assert trader.client.get_open_position(str(position.asset_id)) == position


def test_position_is_closed(trader: Trader) -> None:
    trader.own("AAPL", 10)
    order = trader.client.close_position("AAPL")
    assert (order.qty, order.side, order.symbol) == ("10", OrderSide.SELL, "AAPL")
    trader.broker.settle()
    with pytest.raises(APIError) as gone:
        trader.client.get_open_position("AAPL")
    assert (gone.value.status_code, gone.value.code) == (404, 40410000)
    assert gone.value.message == "position does not exist"
    with pytest.raises(APIError) as nothing:
        trader.client.close_position("AAPL")
    assert nothing.value.status_code == 404


@pytest.mark.parametrize(
    ("part", "left"),
    [
        (ClosePositionRequest(qty="4"), "6"),
        (ClosePositionRequest(qty="0.5"), "9.5"),
        (ClosePositionRequest(percentage="30"), "7"),
        (ClosePositionRequest(percentage="12.5"), "9"),
    ],
)
def test_part_of_a_position_is_closed(
    trader: Trader, part: ClosePositionRequest, left: str
) -> None:
    trader.own("AAPL", 10)
    trader.client.close_position("AAPL", part)
    trader.broker.settle()
    assert trader.client.get_open_position("AAPL").qty == left


def test_short_and_coin_are_closed(trader: Trader) -> None:
    trader.own("F", 3, side="sell")
    held = trader.own("ETH/USD", 0.4).qty
    assert float(held) == pytest.approx(0.399, abs=1e-6)  # less the fee of each part, rounded
    assert trader.client.close_position("F").side is OrderSide.BUY
    coin = trader.client.close_position("ETHUSD")
    assert (coin.qty, coin.symbol, coin.time_in_force) == (held, "ETH/USD", TimeInForce.GTC)
    trader.broker.settle()
    assert trader.client.get_all_positions() == []


def test_slash_in_a_path_is_no_route(trader: Trader) -> None:
    """The SDK does not escape it, and the broker answers so too (alpaca-py #537)."""
    skip_at_localhost(trader.broker, "it is one, for the daemon reads the symbol")
    trader.own("BTC/USD", 0.1)
    with pytest.raises(APIError) as missing:
        trader.client.get_open_position("BTC/USD")
    assert missing.value.status_code == 404


def hold(trader: Trader, symbol: str, qty: float) -> None:
    """Offer shares at a price that is not reached."""
    asked = LimitOrderRequest(
        symbol=symbol,
        qty=qty,
        side=OrderSide.SELL,
        time_in_force=TimeInForce.DAY,
        limit_price=9000,
    )
    trader.client.submit_order(asked)
    trader.broker.step()


def test_shares_that_orders_hold_cannot_be_closed(trader: Trader) -> None:
    skip_at_localhost(trader.broker, UNSETTLED)
    trader.own("AAPL", 5)
    hold(trader, "AAPL", 5)
    with pytest.raises(APIError) as refused:
        trader.client.close_position("AAPL")
    assert (refused.value.status_code, refused.value.code) == (403, 40310000)
    assert refused.value.message == (
        "insufficient qty available for order (requested: 5, available: 0)"
    )


def test_everything_is_closed_but_what_orders_hold(trader: Trader) -> None:
    skip_at_localhost(trader.broker, UNSETTLED)
    trader.own("AAPL", 5)
    trader.own("KO", 2)
    hold(trader, "AAPL", 5)
    answers = {each.symbol: each for each in trader.client.close_all_positions()}
    assert (answers["KO"].status, answers["AAPL"].status) == (200, 403)
    assert isinstance(answers["KO"].body, Order)
    why = answers["AAPL"].body
    assert isinstance(why, FailedClosePositionDetails)
    assert (why.code, why.available, why.held_for_orders) == (40310000, 0, 5)


def test_everything_is_closed_and_orders_canceled_before(trader: Trader) -> None:
    skip_at_localhost(trader.broker, UNSETTLED)
    assert trader.client.close_all_positions(cancel_orders=True) == []
    for symbol, qty in (("AAPL", 5), ("KO", 2), ("BTC/USD", 0.1)):
        trader.own(symbol, qty)
    hold(trader, "AAPL", 5)
    answers = trader.client.close_all_positions(cancel_orders=True)
    assert [each.status for each in answers] == [200, 200, 200]
    trader.broker.settle()
    assert trader.client.get_all_positions() == []
    assert trader.client.get_orders() == []
