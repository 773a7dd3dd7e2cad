"""alpaca-py's data streams, unmodified, against the daemon: only the address differs."""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest

from tests.compat.broker import LIMIT_S, Broker, tuesday
from tests.compat.daemon import MarketDaemon

with warnings.catch_warnings():
    # The SDK uses the old client of websockets, which warns at import.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.data.live import (
        CryptoDataStream,
        NewsDataStream,
        OptionDataStream,
        StockDataStream,
    )

pytestmark = pytest.mark.compat

KEYS = ("any key", "any secret")
"""The client's own keys: the daemon does not use them."""


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker(accounts=1, clock=tuesday(), step_s=None) as broker:
        yield broker


@pytest.fixture(scope="module")
def daemon(broker: Broker) -> Iterator[MarketDaemon]:
    with MarketDaemon(broker) as daemon:
        yield daemon


class Running:
    """A data stream that runs in a thread and puts its elements into a queue."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.elements: Queue[Any] = Queue()
        self._thread = Thread(target=stream.run, daemon=True)

    async def put(self, element: Any) -> None:
        self.elements.put(element)

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.stop()
        self._thread.join(LIMIT_S)

    def next(self, kind: str) -> Any:
        """Return the next element of a model."""
        while True:
            element = self.elements.get(timeout=LIMIT_S)
            if type(element).__name__ == kind:
                return element


def wait_subscribed(broker: Broker, path: str, channel: str, symbol: str) -> None:
    """Wait until the simulator has a subscription of the daemon."""

    def has_name(sim: Any) -> bool:
        sessions = sim.market_data.stream.sessions
        return any(
            session.path.path == path and symbol in session.subscriptions.names(channel)
            for session in sessions
        )

    broker.until(has_name)


def step_until(broker: Broker, running: Running, kind: str, symbol: str) -> Any:
    """Step the exchange until a stream has an element."""
    for _ in range(100):
        broker.step()
        with suppress(Empty):
            while True:
                element = running.elements.get(timeout=0.05)
                if (type(element).__name__, element.symbol) == (kind, symbol):
                    return element
    raise AssertionError(f"no {kind} of {symbol}")


def test_stock_stream(broker: Broker, daemon: MarketDaemon) -> None:
    """Trades, quotes, and the corrections that come with trades."""
    running = Running(StockDataStream(*KEYS, url_override=f"{daemon.stream_url}/v2/iex"))
    running.stream.subscribe_trades(running.put, "KO")
    running.stream.subscribe_quotes(running.put, "KO", "AAPL")
    running.stream.register_trade_corrections(running.put)
    with running:
        wait_subscribed(broker, "/v2/iex", "quotes", "AAPL")
        broker.call(lambda sim: sim.exchange.set_price("KO", "77.7"))
        assert step_until(broker, running, "Trade", "KO").price == 77.7
        step_until(broker, running, "Quote", "AAPL")
        broker.call(lambda sim: sim.market_data.tape.amend("KO", price=77.8))
        assert running.next("TradeCorrection").corrected_price == 77.8


def test_subscriptions_change_while_the_stream_runs(broker: Broker, daemon: MarketDaemon) -> None:
    running = Running(StockDataStream(*KEYS, url_override=f"{daemon.stream_url}/v2/iex"))
    running.stream.subscribe_quotes(running.put, "KO")
    with running:
        step_until(broker, running, "Quote", "KO")
        running.stream.subscribe_quotes(running.put, "NVDA")
        step_until(broker, running, "Quote", "NVDA")
        running.stream.unsubscribe_quotes("KO")


def test_crypto_stream(broker: Broker, daemon: MarketDaemon) -> None:
    coins = Running(CryptoDataStream(*KEYS, url_override=f"{daemon.stream_url}/v1beta3/crypto/us"))
    coins.stream.subscribe_orderbooks(coins.put, "BTC/USD")
    coins.stream.subscribe_trades(coins.put, "BTC/USD")
    with coins:
        assert coins.next("Orderbook").bids
        step_until(broker, coins, "Trade", "BTC/USD")


def test_a_second_client_of_an_order_book_gets_the_whole_book(
    broker: Broker, daemon: MarketDaemon
) -> None:
    url = f"{daemon.stream_url}/v1beta3/crypto/us"
    streams = [Running(CryptoDataStream(*KEYS, url_override=url)) for _ in range(2)]
    for running in streams:
        running.stream.subscribe_orderbooks(running.put, "BTC/USD")
    with streams[0]:
        first = streams[0].next("Orderbook")
        with streams[1]:
            second = streams[1].next("Orderbook")
    assert second.reset
    assert {level.price for level in second.bids} == {level.price for level in first.bids}


def test_option_stream(broker: Broker, daemon: MarketDaemon) -> None:
    symbol = broker.call(lambda sim: sim.exchange.listing.options()[0].symbol)
    options = Running(
        OptionDataStream(*KEYS, url_override=f"{daemon.stream_url}/v1beta1/indicative")
    )
    options.stream.subscribe_quotes(options.put, symbol)
    with options:
        step_until(broker, options, "Quote", symbol)


def test_news_stream(broker: Broker, daemon: MarketDaemon) -> None:
    news = Running(NewsDataStream(*KEYS, url_override=f"{daemon.stream_url}/v1beta1/news"))
    news.stream.subscribe_news(news.put, "*")
    with news:
        wait_subscribed(broker, "/v1beta1/news", "news", "*")
        broker.call(
            lambda sim: sim.market_data.news.publish(sim.market_data.now(), "Quiet day", ["AAPL"])
        )
        assert news.next("News").headline == "Quiet day"


def test_a_feed_outside_the_plan_ends_the_stream_as_at_the_broker(
    broker: Broker, daemon: MarketDaemon
) -> None:
    running = Running(StockDataStream(*KEYS, url_override=f"{daemon.stream_url}/v2/sip"))
    running.stream.subscribe_trades(running.put, "KO")
    with running:
        running._thread.join(LIMIT_S)
        assert not running._thread.is_alive(), "alpaca-py ends on `insufficient subscription`"
