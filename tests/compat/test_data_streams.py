"""alpaca-py's data streams, unmodified, at the simulator and through the daemon: only the address
differs."""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
import pytest

from tests.compat.broker import Broker, tuesday
from tests.compat.daemon import MarketDaemon
from tests.compat.data_stream import RunningStream
from tests.compat.transcripts import STREAM_TIMEOUT_S, open_socket, receive

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

KEYS = ("demo-alpha", "demo-secret-alpha")


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker(accounts=1, clock=tuesday(), step_s=None) as broker:
        yield broker


@pytest.fixture(scope="module", params=["broker", "daemon"])
def base(request: pytest.FixtureRequest, broker: Broker) -> Iterator[str]:
    """Where the streams are pointed; a path is added."""
    if request.param == "broker":
        yield broker.url.replace("http", "ws")
        return
    with MarketDaemon(broker) as daemon:
        yield daemon.stream_url


def wait_subscribed(broker: Broker, path: str, channel: str, symbol: str) -> None:
    """Wait until the simulator has a subscription of the daemon."""

    def has_name(sim: Any) -> bool:
        sessions = sim.market_data.stream.sessions
        return any(
            session.path.path == path and symbol in session.subscriptions.names(channel)
            for session in sessions
        )

    broker.until(has_name)


def test_stock_stream(broker: Broker, base: str) -> None:
    """Trades, quotes, and the corrections that come with trades."""
    running = RunningStream(StockDataStream(*KEYS, url_override=f"{base}/v2/iex"))
    running.stream.subscribe_trades(running.put, "KO")
    running.stream.subscribe_quotes(running.put, "KO", "AAPL")
    running.stream.register_trade_corrections(running.put)
    with running:
        wait_subscribed(broker, "/v2/iex", "quotes", "AAPL")
        broker.call(lambda sim: sim.exchange.set_price("KO", "77.7"))
        assert running.step_until(broker, "Trade", "KO").price == 77.7
        running.step_until(broker, "Quote", "AAPL")
        broker.call(lambda sim: sim.market_data.tape.amend("KO", price=77.8))
        assert running.next("TradeCorrection").corrected_price == 77.8


def test_subscriptions_change_while_the_stream_runs(broker: Broker, base: str) -> None:
    running = RunningStream(StockDataStream(*KEYS, url_override=f"{base}/v2/iex"))
    running.stream.subscribe_quotes(running.put, "KO")
    with running:
        running.step_until(broker, "Quote", "KO")
        running.stream.subscribe_quotes(running.put, "NVDA")
        running.step_until(broker, "Quote", "NVDA")
        running.stream.unsubscribe_quotes("KO")


def test_crypto_stream(broker: Broker, base: str) -> None:
    coins = RunningStream(CryptoDataStream(*KEYS, url_override=f"{base}/v1beta3/crypto/us"))
    coins.stream.subscribe_orderbooks(coins.put, "BTC/USD")
    coins.stream.subscribe_trades(coins.put, "BTC/USD")
    with coins:
        assert coins.next("Orderbook").bids
        coins.step_until(broker, "Trade", "BTC/USD")


def test_a_second_client_of_an_order_book_gets_the_whole_book(broker: Broker, base: str) -> None:
    if base == broker.url.replace("http", "ws"):
        pytest.skip("the broker has one connection for each stream")
    url = f"{base}/v1beta3/crypto/us"
    streams = [RunningStream(CryptoDataStream(*KEYS, url_override=url)) for _ in range(2)]
    for running in streams:
        running.stream.subscribe_orderbooks(running.put, "BTC/USD")
    with streams[0]:
        first = streams[0].next("Orderbook")
        with streams[1]:
            second = streams[1].next("Orderbook")
    assert second.reset
    assert {level.price for level in second.bids} == {level.price for level in first.bids}


def test_option_stream(broker: Broker, base: str) -> None:
    symbol = broker.call(lambda sim: sim.exchange.listing.options()[0].symbol)
    options = RunningStream(OptionDataStream(*KEYS, url_override=f"{base}/v1beta1/indicative"))
    options.stream.subscribe_quotes(options.put, symbol)
    with options:
        options.step_until(broker, "Quote", symbol)


def test_news_stream(broker: Broker, base: str) -> None:
    news = RunningStream(NewsDataStream(*KEYS, url_override=f"{base}/v1beta1/news"))
    news.stream.subscribe_news(news.put, "*")
    with news:
        wait_subscribed(broker, "/v1beta1/news", "news", "*")
        broker.call(
            lambda sim: sim.market_data.news.publish(sim.market_data.now(), "Quiet day", ["AAPL"])
        )
        assert news.next("News").headline == "Quiet day"


def test_a_feed_outside_the_plan_ends_the_stream_as_at_the_broker(
    broker: Broker, base: str
) -> None:
    running = RunningStream(StockDataStream(*KEYS, url_override=f"{base}/v2/sip"))
    running.stream.subscribe_trades(running.put, "KO")
    with running:
        running.wait_ended()  # alpaca-py ends on `insufficient subscription`


# -- Go and C#, played (MARKET 4) ------------------------------------------------------------------

AUTH = {"action": "auth", "key": KEYS[0], "secret": KEYS[1]}
GO_MSGPACK = {"Content-Type": "application/msgpack"}


def test_go_gets_each_step_alone_and_in_time(broker: Broker, base: str) -> None:
    """Greeting, authorization and ack are arrays of one, in order, within 3 s; `T` is the first
    key; no data comes before the ack. It subscribes to all channels, the empty ones as null."""
    with open_socket(f"{base}/v2/iex", **GO_MSGPACK) as stream:

        def step() -> dict[str, Any]:
            data = stream.recv(timeout=STREAM_TIMEOUT_S)
            assert isinstance(data, bytes)
            (message,) = msgspec.msgpack.decode(data)
            assert next(iter(message)) == "T"
            assert isinstance(message, dict)
            return message

        assert step() == {"T": "success", "msg": "connected"}
        stream.send(msgspec.msgpack.encode(AUTH))
        assert step() == {"T": "success", "msg": "authenticated"}
        names = {"trades": ["KO"], "quotes": None, "bars": None, "updatedBars": None}
        more = {"dailyBars": None, "statuses": None, "lulds": None, "imbalances": None}
        subscribe = {"action": "subscribe", **names, **more, "news": None, "orderbooks": None}
        stream.send(msgspec.msgpack.encode(subscribe))
        ack = step()
        assert (ack["T"], ack["trades"]) == ("subscription", ["KO"])
        trade: dict[str, Any] = {}
        while trade.get("T") != "t":
            broker.step()
            with suppress(TimeoutError):
                data = stream.recv(timeout=0.1)
                assert isinstance(data, bytes)
                trade = msgspec.msgpack.decode(data)[0]
        assert next(iter(trade)) == "T"
        assert isinstance(trade["t"], datetime), "an extension, and no text"
        assert type(trade["i"]) is int
        assert 0 <= trade["s"] < 2**32


def test_csharp_sends_json_as_binary_without_a_content_type(broker: Broker, base: str) -> None:
    with open_socket(f"{base}/v2/iex") as stream:

        def send(message: object) -> None:
            stream.send(msgspec.json.encode(message))

        assert receive(stream) == [{"T": "success", "msg": "connected"}]
        send(AUTH)
        assert receive(stream) == [{"T": "success", "msg": "authenticated"}]
        send({"action": "subscribe", "trades": ["KO"], "quotes": [], "bars": []})
        (ack,) = receive(stream)
        assert (ack["T"], ack["trades"]) == ("subscription", ["KO"])
        elements: list[Any] = []
        while not elements:
            broker.step()
            with suppress(TimeoutError):
                elements = msgspec.json.decode(stream.recv(timeout=0.1))
        assert elements[0]["T"] == "t"
        send({"action": "unsubscribe", "trades": ["KO"]})
        while True:
            messages = receive(stream)
            if messages[0]["T"] == "subscription":
                assert messages[0]["trades"] == []
                break
