"""alpaca-py's clients of historical and latest market data, unmodified, through the daemon.

Only the address differs; what a client returns is what it returns when it reads the simulator.
"""

import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from tests.compat.broker import TUESDAY_10_00, Broker
from tests.compat.daemon import MarketDaemon

with warnings.catch_warnings():
    # The SDK uses the old client of websockets, which warns at import.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import Adjustment, DataFeed, MarketType, MostActivesBy
    from alpaca.data.historical import (
        CryptoHistoricalDataClient,
        NewsClient,
        OptionHistoricalDataClient,
        ScreenerClient,
        StockHistoricalDataClient,
    )
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.requests import (
        CorporateActionsRequest,
        CryptoBarsRequest,
        CryptoLatestOrderbookRequest,
        CryptoLatestQuoteRequest,
        CryptoLatestTradeRequest,
        CryptoQuoteRequest,
        CryptoSnapshotRequest,
        CryptoTradesRequest,
        MarketMoversRequest,
        MostActivesRequest,
        NewsRequest,
        OptionBarsRequest,
        OptionChainRequest,
        OptionLatestQuoteRequest,
        OptionLatestTradeRequest,
        OptionSnapshotRequest,
        OptionTradesRequest,
        StockBarsRequest,
        StockLatestBarRequest,
        StockLatestQuoteRequest,
        StockLatestTradeRequest,
        StockQuotesRequest,
        StockSnapshotRequest,
        StockTradesRequest,
    )
    from alpaca.data.timeframe import TimeFrame

pytestmark = pytest.mark.compat

KEYS = ("demo-alpha", "demo-secret-alpha")
START, END = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 5, tzinfo=UTC)
OPEN, LATER = datetime(2026, 10, 5, 13, 30, tzinfo=UTC), datetime(2026, 10, 5, 14, tzinfo=UTC)


class Place(NamedTuple):
    """The simulator, and the daemon in front of it."""

    broker: Broker
    daemon: MarketDaemon
    option: str


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with Broker(accounts=1, clock=lambda: TUESDAY_10_00, step_s=None) as broker:
        broker.call(lambda sim: sim.market_data.add_split("NVDA", 2, 1))
        option = broker.call(lambda sim: sim.exchange.listing.options()[0].symbol)
        with MarketDaemon(broker) as daemon:
            yield Place(broker, daemon, option)


STOCKS: dict[str, Any] = {"symbol_or_symbols": ["AAPL", "KO"]}
LATEST: dict[str, Any] = {**STOCKS, "feed": DataFeed.IEX}
COINS: dict[str, Any] = {"symbol_or_symbols": ["BTC/USD", "ETH/USD"]}
WINDOW: dict[str, Any] = {"start": OPEN, "end": LATER}
DAYS: dict[str, Any] = {"timeframe": TimeFrame.Day, "start": START, "end": END}

STOCK_CALLS: dict[str, Callable[[Any], Any]] = {
    "bars": lambda c: c.get_stock_bars(
        StockBarsRequest(**STOCKS, **DAYS, adjustment=Adjustment.ALL)
    ),
    "minutes": lambda c: c.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Minute, start=START, end=END)
    ),
    "trades": lambda c: c.get_stock_trades(StockTradesRequest(**STOCKS, **WINDOW)),
    "quotes": lambda c: c.get_stock_quotes(StockQuotesRequest(**STOCKS, **WINDOW)),
    "latest trade": lambda c: c.get_stock_latest_trade(StockLatestTradeRequest(**LATEST)),
    "latest quote": lambda c: c.get_stock_latest_quote(StockLatestQuoteRequest(**LATEST)),
    "latest bar": lambda c: c.get_stock_latest_bar(StockLatestBarRequest(**LATEST)),
    "snapshot": lambda c: c.get_stock_snapshot(StockSnapshotRequest(**LATEST)),
}
CRYPTO_CALLS: dict[str, Callable[[Any], Any]] = {
    "bars": lambda c: c.get_crypto_bars(CryptoBarsRequest(**COINS, **DAYS)),
    "trades": lambda c: c.get_crypto_trades(CryptoTradesRequest(**COINS, **WINDOW, limit=30)),
    "quotes": lambda c: c.get_crypto_quotes(CryptoQuoteRequest(**COINS, **WINDOW, limit=30)),
    "latest quote": lambda c: c.get_crypto_latest_quote(CryptoLatestQuoteRequest(**COINS)),
    "latest trade": lambda c: c.get_crypto_latest_trade(CryptoLatestTradeRequest(**COINS)),
    "orderbook": lambda c: c.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(**COINS)),
    "snapshot": lambda c: c.get_crypto_snapshot(CryptoSnapshotRequest(**COINS)),
}
OPTION_CALLS: dict[str, Callable[[Any, str], Any]] = {
    "bars": lambda c, s: c.get_option_bars(OptionBarsRequest(symbol_or_symbols=s, **DAYS)),
    "trades": lambda c, s: c.get_option_trades(
        OptionTradesRequest(symbol_or_symbols=s, start=OPEN, end=LATER)
    ),
    "latest quote": lambda c, s: c.get_option_latest_quote(
        OptionLatestQuoteRequest(symbol_or_symbols=s)
    ),
    "latest trade": lambda c, s: c.get_option_latest_trade(
        OptionLatestTradeRequest(symbol_or_symbols=s)
    ),
    "snapshot": lambda c, s: c.get_option_snapshot(OptionSnapshotRequest(symbol_or_symbols=s)),
    "chain": lambda c, s: c.get_option_chain(OptionChainRequest(underlying_symbol="NVDA")),
}


def both(place: Place, kind: Any) -> tuple[Any, Any]:
    """A client of the daemon, and one of the simulator."""
    return (
        kind(*KEYS, url_override=place.daemon.url),
        kind(*KEYS, url_override=place.broker.url),
    )


@pytest.mark.parametrize("call", STOCK_CALLS)
def test_stocks(place: Place, call: str) -> None:
    ours, direct = both(place, StockHistoricalDataClient)
    found = STOCK_CALLS[call](ours)
    assert found == STOCK_CALLS[call](direct)
    assert STOCK_CALLS[call](ours) == found  # from the cache
    assert found


@pytest.mark.parametrize("call", CRYPTO_CALLS)
def test_coins(place: Place, call: str) -> None:
    ours, direct = both(place, CryptoHistoricalDataClient)
    assert CRYPTO_CALLS[call](ours) == CRYPTO_CALLS[call](direct)


@pytest.mark.parametrize("call", OPTION_CALLS)
def test_options(place: Place, call: str) -> None:
    ours, direct = both(place, OptionHistoricalDataClient)
    assert OPTION_CALLS[call](ours, place.option) == OPTION_CALLS[call](direct, place.option)


def test_news_screener_and_corporate_actions(place: Place) -> None:
    news = [c.get_news(NewsRequest(limit=60)) for c in both(place, NewsClient)]
    assert news[0] == news[1]
    assert len(news[0]["news"]) == 60
    screeners = both(place, ScreenerClient)
    actives = MostActivesRequest(by=MostActivesBy.VOLUME, top=3)
    movers = MarketMoversRequest(market_type=MarketType.STOCKS, top=3)
    first, second = (c.get_most_actives(actives).most_actives for c in screeners)
    assert first == second
    first, second = (c.get_market_movers(movers).gainers for c in screeners)
    assert first == second
    request = CorporateActionsRequest(symbols=["NVDA"], start=OPEN.date())
    first, second = (c.get_corporate_actions(request) for c in both(place, CorporateActionsClient))
    assert first == second
    assert first["forward_splits"]


def test_a_refusal_is_the_same_error(place: Place) -> None:
    errors = []
    for client in both(place, StockHistoricalDataClient):
        with pytest.raises(APIError) as refused:
            client.get_stock_latest_trade(
                StockLatestTradeRequest(symbol_or_symbols="AAPL", feed=DataFeed.SIP)
            )
        errors.append((refused.value.status_code, refused.value.message))
    assert errors[0] == errors[1] == (403, "subscription does not permit querying recent SIP data")
