"""Assets, option contracts, clock and calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import (
    AssetClass,
    AssetExchange,
    AssetStatus,
    ContractType,
    ExerciseStyle,
)
from alpaca.trading.requests import (
    GetAssetsRequest,
    GetCalendarRequest,
    GetOptionContractsRequest,
)

from tests.compat.localhost import EITHER
from tests.compat.trader import Trader

pytestmark = [pytest.mark.compat, EITHER]


def test_every_asset_is_read(trader: Trader) -> None:
    stocks = trader.client.get_all_assets()
    assert {each.asset_class for each in stocks} == {AssetClass.US_EQUITY}
    coins = trader.client.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    assert {each.symbol for each in coins} == {"BTC/USD", "ETH/USD"}
    assert all(each.min_order_size and each.price_increment for each in coins)


@pytest.mark.parametrize(
    ("asked", "symbol"),
    [
        (GetAssetsRequest(status=AssetStatus.INACTIVE), "TWTR"),
        (GetAssetsRequest(exchange=AssetExchange.ARCA), "SPY"),
        (GetAssetsRequest(attributes="has_options"), "NVDA"),
        # As in the SDK's own example.
        (GetAssetsRequest(attributes="options_enabled"), "NVDA"),
    ],
)
def test_assets_are_filtered(trader: Trader, asked: GetAssetsRequest, symbol: str) -> None:
    every = trader.client.get_all_assets()
    some = trader.client.get_all_assets(asked)
    assert symbol in {each.symbol for each in some}
    assert len(some) < len(every)


def test_asset_is_found_by_symbol_and_id(trader: Trader) -> None:
    asset = trader.client.get_asset("AAPL")
    assert trader.client.get_asset(asset.id) == asset
    assert trader.client.get_asset("BTCUSD").symbol == "BTC/USD"
    with pytest.raises(APIError) as missing:
        trader.client.get_asset("NOPE")
    assert (missing.value.status_code, missing.value.code) == (404, 40410000)
    assert missing.value.message == "asset not found for NOPE"


def test_clock_has_new_york_time(trader: Trader) -> None:
    clock = trader.client.get_clock()
    assert clock.is_open
    assert clock.timestamp.utcoffset() == timedelta(hours=-4)
    assert clock.timestamp < clock.next_close < clock.next_open


def test_calendar_skips_holidays_and_knows_short_days(trader: Trader) -> None:
    thanksgiving = GetCalendarRequest(start=date(2026, 11, 25), end=date(2026, 11, 30))
    days = trader.client.get_calendar(thanksgiving)
    assert [each.date.day for each in days] == [25, 27, 30]
    assert [each.close.hour for each in days] == [16, 13, 16]
    assert len(trader.client.get_calendar()) > 10_000


def test_contracts_are_read_and_filtered(trader: Trader) -> None:
    today = date(2026, 10, 6)
    asked = GetOptionContractsRequest(
        underlying_symbols=["SPY"],
        expiration_date_gte=today + timedelta(days=1),
        expiration_date_lte=(today + timedelta(days=60)).strftime("%Y-%m-%d"),
        type=ContractType.PUT,
        style=ExerciseStyle.AMERICAN,
        strike_price_gte="600",
    )
    contracts = trader.client.get_option_contracts(asked).option_contracts
    assert [each.strike_price for each in contracts] == [610]
    assert contracts[0].underlying_symbol == "SPY"
    for name in (contracts[0].symbol, contracts[0].id):
        assert trader.client.get_option_contract(name) == contracts[0]


def test_contracts_have_figures_to_choose_by(trader: Trader) -> None:
    """The SDK's example picks the contract with the largest open interest."""
    asked = GetOptionContractsRequest(underlying_symbols=["NVDA"])
    for each in trader.client.get_option_contracts(asked).option_contracts:
        assert int(each.open_interest) > 0
        assert float(each.close_price) > 0
        assert each.open_interest_date == each.close_price_date == date(2026, 10, 5)


def test_contracts_are_paged(trader: Trader) -> None:
    symbols: list[str] = []
    token = None
    while token is not None or not symbols:
        asked = GetOptionContractsRequest(
            underlying_symbols=["NVDA", "SPY"], limit=4, page_token=token
        )
        page = trader.client.get_option_contracts(asked)
        symbols += [each.symbol for each in page.option_contracts]
        token = page.next_page_token
    assert len(symbols) == len(set(symbols)) == 10


def test_dates_may_be_datetimes(trader: Trader) -> None:
    asked = GetOptionContractsRequest(
        underlying_symbols=["NVDA"], expiration_date_gte=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert trader.client.get_option_contracts(asked).option_contracts
