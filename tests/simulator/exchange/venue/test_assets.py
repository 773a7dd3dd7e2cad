"""Assets are found by symbol, by crypto symbol without slash, and by id."""

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness


def test_asset_is_indexed_by_symbol_and_id() -> None:
    """`ETH/USD`, `ETHUSD` and the id are the same asset."""
    exchange = ExchangeHarness().exchange
    asset = exchange.asset("ETH/USD")
    assert exchange.asset("ETHUSD") == asset
    assert exchange.asset(str(asset["id"])) == asset


def test_unknown_is_404() -> None:
    """With the name in the message."""
    with pytest.raises(ApiError) as caught:
        ExchangeHarness().exchange.asset("NOPE")
    assert (caught.value.status, caught.value.body) == (
        404,
        {"code": 40410000, "message": "asset not found for NOPE"},
    )


def test_default_list_has_equities_only() -> None:
    """Crypto by asset class; options never."""
    exchange = ExchangeHarness().exchange
    assert {a["class"] for a in exchange.assets({})} == {"us_equity"}
    crypto = exchange.assets({"asset_class": "crypto"})
    assert [a["symbol"] for a in crypto] == ["BTC/USD", "ETH/USD"]
    assert all("min_order_size" in asset for asset in crypto)
    assert exchange.assets({"asset_class": "us_option"}) == []


def test_filters() -> None:
    """Status, exchange and any one of several attributes."""
    exchange = ExchangeHarness().exchange
    assert [a["symbol"] for a in exchange.assets({"status": "inactive"})] == ["TWTR"]
    assert {a["exchange"] for a in exchange.assets({"exchange": "ARCA"})} == {"ARCA"}
    optioned = exchange.assets({"attributes": "has_options,ipo"})
    assert [a["symbol"] for a in optioned] == ["NVDA", "SPY"]
    assert exchange.assets({"attributes": "options_enabled"}) == optioned
