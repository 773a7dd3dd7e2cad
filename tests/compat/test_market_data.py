"""alpaca-py's market-data clients, unmodified, at the simulator and through the daemon."""

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.compat.broker import Broker, tuesday
from tests.compat.daemon import MarketDaemon

with warnings.catch_warnings():
    # The SDK uses the old client of websockets, which warns at import.
    warnings.simplefilter("ignore", DeprecationWarning)
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
        CryptoSnapshotRequest,
        CryptoTradesRequest,
        MarketMoversRequest,
        MostActivesRequest,
        NewsRequest,
        OptionBarsRequest,
        OptionChainRequest,
        OptionLatestQuoteRequest,
        OptionSnapshotRequest,
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
MONDAY = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
FIRST = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def market() -> Iterator[Broker]:
    with Broker(accounts=1, clock=tuesday(), step_s=None) as broker:
        yield broker


@pytest.fixture(scope="module", params=["broker", "daemon"])
def url(request: pytest.FixtureRequest, market: Broker) -> Iterator[str]:
    """Where the clients are pointed."""
    if request.param == "broker":
        yield market.url
        return
    with MarketDaemon(market) as daemon:
        yield daemon.url


def test_stock_history_is_paged_into_models(market: Broker, url: str) -> None:
    """Bars, trades and quotes; more items than one page holds."""
    client: Any = StockHistoricalDataClient(*KEYS, url_override=url)
    days = client.get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols=["AAPL", "KO"],
            timeframe=TimeFrame.Day,
            start=FIRST,
            end=datetime(2026, 10, 5, tzinfo=UTC),
            adjustment=Adjustment.ALL,
        )
    )
    assert [len(days[symbol]) for symbol in ("AAPL", "KO")] == [23, 23]
    minutes = client.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Minute, start=FIRST)
    )["AAPL"]
    assert len(minutes) > 10_000
    assert [bar.timestamp for bar in minutes] == sorted({bar.timestamp for bar in minutes})
    window: dict[str, Any] = {"start": MONDAY, "end": datetime(2026, 10, 5, 14, tzinfo=UTC)}
    trades = client.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAPL", **window))
    quotes = client.get_stock_quotes(StockQuotesRequest(symbol_or_symbols="AAPL", **window))
    assert len(trades["AAPL"]) == len(quotes["AAPL"]) == 4 * 30
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's use of pandas is deprecated
        frame = days.df
    assert list(frame.columns)[:4] == ["open", "high", "low", "close"]


def test_latest_stock_prices_are_those_of_the_exchange(market: Broker, url: str) -> None:
    client: Any = StockHistoricalDataClient(*KEYS, url_override=url)
    market.pin("AAPL", "231.5")
    latest: dict[str, Any] = {"symbol_or_symbols": ["AAPL"], "feed": DataFeed.IEX}
    snapshot = client.get_stock_snapshot(StockSnapshotRequest(**latest))["AAPL"]
    assert snapshot.previous_daily_bar.close == float(
        market.call(lambda sim: sim.exchange.last_close("AAPL"))
    )
    market.step(30)
    trade = client.get_stock_latest_trade(StockLatestTradeRequest(**latest))["AAPL"]
    quote = client.get_stock_latest_quote(StockLatestQuoteRequest(**latest))["AAPL"]
    bar = client.get_stock_latest_bar(StockLatestBarRequest(**latest))["AAPL"]
    assert (trade.price, bar.close) == (231.5, 231.5)
    assert quote.bid_price < trade.price < quote.ask_price


def test_sip_is_refused_on_the_basic_plan(market: Broker, url: str) -> None:
    client: Any = StockHistoricalDataClient(*KEYS, url_override=url)
    request = StockLatestTradeRequest(symbol_or_symbols="AAPL", feed=DataFeed.SIP)
    with pytest.raises(Exception, match="subscription does not permit querying recent SIP data"):
        client.get_stock_latest_trade(request)


def test_crypto_clients_need_no_key(market: Broker, url: str) -> None:
    client: Any = CryptoHistoricalDataClient(url_override=url)
    coins: dict[str, Any] = {"symbol_or_symbols": ["BTC/USD", "ETH/USD"]}
    bars = client.get_crypto_bars(
        CryptoBarsRequest(**coins, timeframe=TimeFrame.Hour, start=MONDAY)
    )
    assert len(bars["BTC/USD"]) == len(bars["ETH/USD"]) > 20
    trades = client.get_crypto_trades(CryptoTradesRequest(**coins, start=MONDAY, limit=30))
    assert sum(map(len, trades.data.values())) == 30
    quote = client.get_crypto_latest_quote(CryptoLatestQuoteRequest(**coins))["BTC/USD"]
    book = client.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(**coins))["BTC/USD"]
    assert quote.ask_price == book.asks[0].price
    snapshot = client.get_crypto_snapshot(CryptoSnapshotRequest(**coins))["ETH/USD"]
    assert snapshot.daily_bar.volume > 0


def test_options_news_screener_and_corporate_actions(market: Broker, url: str) -> None:
    options: Any = OptionHistoricalDataClient(*KEYS, url_override=url)
    chain = options.get_option_chain(OptionChainRequest(underlying_symbol="NVDA"))
    symbol = min(chain)
    assert 0 < chain[symbol].greeks.delta < 1
    bars = options.get_option_bars(
        OptionBarsRequest(symbol_or_symbols=symbol, timeframe=TimeFrame.Day, start=FIRST)
    )
    assert len(bars[symbol]) > 20
    one: dict[str, Any] = {"symbol_or_symbols": symbol}
    quote = options.get_option_latest_quote(OptionLatestQuoteRequest(**one))[symbol]
    assert quote.bid_price < quote.ask_price
    assert options.get_option_snapshot(OptionSnapshotRequest(**one))[symbol].implied_volatility > 0
    news: Any = NewsClient(*KEYS, url_override=url)
    assert len(news.get_news(NewsRequest(limit=60))["news"]) == 60
    screener: Any = ScreenerClient(*KEYS, url_override=url)
    assert screener.get_most_actives(
        MostActivesRequest(by=MostActivesBy.VOLUME, top=3)
    ).most_actives
    assert screener.get_market_movers(
        MarketMoversRequest(market_type=MarketType.STOCKS, top=3)
    ).gainers
    actions: Any = CorporateActionsClient(*KEYS, url_override=url)
    market.call(lambda sim: sim.market_data.add_split("NVDA", 2, 1))
    request = CorporateActionsRequest(symbols=["NVDA"], start=MONDAY.date())
    *_, split = actions.get_corporate_actions(request)["forward_splits"]
    assert (split.symbol, split.new_rate) == ("NVDA", 2)
