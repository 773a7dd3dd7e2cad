"""The account and its configuration, as alpaca-py's models read them."""

from decimal import Decimal

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import AccountStatus, TradeConfirmationEmail
from alpaca.trading.requests import MarketOrderRequest

from tests.compat.localhost import EITHER
from tests.compat.trader import Trader

pytestmark = [pytest.mark.compat, EITHER]


def test_account_is_read(trader: Trader) -> None:
    account = trader.client.get_account()
    assert account.status is AccountStatus.ACTIVE
    assert account.account_number.startswith("PA0SIM")
    assert (account.cash, account.equity, account.multiplier) == ("1000000", "1000000", "4")
    assert account.options_trading_level == 3
    assert account.daytrade_count is None


def test_money_follows_the_trades(trader: Trader) -> None:
    trader.own("AAPL", 10)
    account = trader.client.get_account()
    price = Decimal(trader.client.get_open_position("AAPL").avg_entry_price)
    assert Decimal(account.cash) == 1_000_000 - 10 * price
    assert Decimal(account.equity) == Decimal(account.cash) + Decimal(account.long_market_value)


def test_account_comes_raw_too(trader: Trader) -> None:
    raw = trader.log_in(raw_data=True).get_account()
    assert raw["cash"] == "1000000"
    assert "pattern_day_trader" not in raw


def test_changed_configuration_takes_effect(trader: Trader) -> None:
    """What comes back is sent again with one change: the nulls in it change nothing."""
    configuration = trader.client.get_account_configurations()
    configuration.suspend_trade = True
    configuration.trade_confirm_email = TradeConfirmationEmail.NONE
    assert trader.client.set_account_configurations(configuration) == configuration
    assert trader.client.get_account_configurations() == configuration
    buy = MarketOrderRequest(symbol="AAPL", qty=1, side="buy", time_in_force="day")
    with pytest.raises(APIError) as refused:
        trader.client.submit_order(buy)
    assert refused.value.status_code == 403


def test_no_shorting_is_obeyed(trader: Trader, saver: Trader) -> None:
    configuration = trader.client.get_account_configurations()
    configuration.no_shorting = True
    trader.client.set_account_configurations(configuration)
    short = MarketOrderRequest(symbol="AAPL", qty=1, side="sell", time_in_force="day")
    for each in (trader, saver):
        with pytest.raises(APIError) as refused:
            each.client.submit_order(short)
        assert (refused.value.code, refused.value.status_code) == (40310000, 403)
        assert refused.value.message == "account is not allowed to short"
