"""Market data in the library, against the simulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from realtime import MarketData
from realtime.accounts import Accounts, NotOpen
from realtime.config.settings import MarketSettings, Settings
from realtime.core.trading_day import NEW_YORK
from realtime.errors import BrokerError, ConfigError, LinkError, ProtocolViolation
from realtime.market.rest.bars import find_start
from realtime.market.values import Quote
from realtime.market_data import find_market_settings, make_environment
from realtime.simulator.app import Simulator
from tests.fleet import settings_for
from tests.market.rest.scene import KEYS
from tests.simulator.market.conftest import Clock

FIVE_S = 5.0

Message = dict[str, Any]


@asynccontextmanager
async def market_of(**options: object) -> AsyncIterator[tuple[Simulator, MarketData, Clock]]:
    """A simulator and market data of it, with one clock."""
    clock = Clock()
    async with Simulator(accounts=2, step_s=None, clock=clock) as simulator:
        settings = MarketSettings(
            account="alpha",
            credentials=KEYS,
            data_url=simulator.url,
            stream_url=simulator.url.replace("http", "ws"),
        )
        environment = make_environment(lambda: clock.now / 1e9)
        async with MarketData(settings, environment) as market:
            yield simulator, market, clock


async def test_bars_without_a_start_are_the_newest_in_the_order_of_time() -> None:
    async with market_of() as (_, market, __):
        bars = await market.get_bars("AAPL", limit=30)
        times = [bar.timestamp for bar in bars]
        assert (len(bars), times) == (30, sorted(set(times)))
        assert times[-1] == "2026-10-06T04:00:00Z"
        assert all(isinstance(bar.close, Decimal) for bar in bars)
        minutes = await market.get_bars("aapl", "1Min", limit=5, feed="iex")
        assert minutes[-1].timestamp.startswith("2026-10-06T1")


@pytest.mark.parametrize("symbol", ["AAPL", "BTC/USD", "option"])
async def test_bars_from_a_start_are_read_over_pages(symbol: str) -> None:
    async with market_of() as (simulator, market, _):
        if symbol == "option":
            symbol = simulator.exchange.listing.options()[0].symbol
        simulator.market_data.settings.page_size = 7
        start, end = datetime(2026, 9, 1, tzinfo=UTC), "2026-09-30"
        bars = await market.get_bars(symbol, "1Day", 1000, start, end)
        assert len(bars) >= 20
        assert [bar.timestamp for bar in bars] == sorted({bar.timestamp for bar in bars})
        assert await market.get_bars(symbol, "1Day", 9, start, end) == bars[:9]


async def test_pages_that_do_not_end_are_an_error_and_not_a_loop() -> None:
    async with market_of() as (simulator, market, _):
        settings = simulator.market_data.settings
        settings.page_size, settings.repeat_page_token = 2, True
        with pytest.raises(ProtocolViolation, match="repeats"):
            await market.get_bars("AAPL", limit=50, start="2026-08-01")


async def test_of_a_page_that_fails_nothing_is_returned_and_the_next_call_reads_it_again() -> None:
    async with market_of() as (simulator, market, _):
        settings = simulator.market_data.settings
        settings.page_size, settings.failing_page = 5, 2
        with pytest.raises(BrokerError) as refused:
            await market.get_bars("AAPL", limit=20, start="2026-08-01", end="2026-09-30")
        assert refused.value.status == 500
        settings.failing_page = None
        bars = await market.get_bars("AAPL", limit=20, start="2026-08-01", end="2026-09-30")
        assert len(bars) == 20


@pytest.mark.parametrize(
    ("timeframe", "limit"), [("1Min", 1000), ("30Min", 500), ("4Hour", 90), ("1Day", 250),
                             ("1Week", 60), ("1Month", 24)],
)  # fmt: skip
async def test_the_newest_bars_are_as_many_as_requested(timeframe: str, limit: int) -> None:
    async with market_of() as (_, market, __):
        assert len(await market.get_bars("AAPL", timeframe, limit)) == limit
        assert len(await market.get_bars("BTC/USD", timeframe, min(limit, 200))) == min(limit, 200)


def test_the_first_day_of_history_is_a_bound() -> None:
    now = datetime(2026, 10, 6, tzinfo=NEW_YORK).timestamp()
    assert find_start("stocks", "1Month", 1_000_000, now) == "2016-01-01"
    assert find_start("stocks", "1Day", 1, now) == "2026-09-24"


async def test_latest_values_of_all_classes_in_one_call() -> None:
    async with market_of() as (simulator, market, _):
        option = simulator.exchange.listing.options()[0].symbol
        quotes = await market.get_quotes(["AAPL", "BTC/USD", option, "NOPE"])
        assert list(quotes) == ["AAPL", "BTC/USD", option, "NOPE"]
        missing = quotes.pop("NOPE")
        assert isinstance(missing, BrokerError)
        assert missing.status == 404
        for quote in quotes.values():
            assert isinstance(quote, Quote)
            assert Decimal(0) < quote.bid_price < quote.ask_price
        assert (await market.get_trade("BTC/USD")).price > 0
        snapshot = await market.get_snapshot("AAPL")
        assert snapshot.latest_trade is not None
        assert snapshot.prev_daily_bar is not None
        greeks = (await market.get_snapshot(option)).greeks
        assert greeks is not None
        assert greeks.delta is not None


async def test_a_feed_without_the_entitlement_is_the_brokers_refusal() -> None:
    async with market_of() as (_, market, __):
        for reading in (
            market.get_quote("AAPL", feed="sip"),
            market.get_bars("AAPL", "1Min", 5, "2026-10-06", "2026-10-06T14:00:00Z", feed="sip"),
        ):
            with pytest.raises(BrokerError, match="subscription does not permit") as refused:
                await reading
            assert refused.value.status == 403


@pytest.mark.parametrize("symbol", ["", "$$", "A B", "ä"])
async def test_a_text_that_is_no_symbol_is_an_error_before_any_request(symbol: str) -> None:
    async with market_of() as (simulator, market, _):
        with pytest.raises(ValueError, match="no symbol"):
            await market.get_quote(symbol)
        with pytest.raises(ValueError, match="limit"):
            await market.get_bars("AAPL", limit=0)
        with pytest.raises(ValueError, match="zone"):
            await market.get_bars("AAPL", start=datetime(2026, 10, 1))  # noqa: DTZ001 - the case
        assert simulator.counters.get("alpha").get("data_requests", 0) <= 3  # the plan is probed


async def test_messages_of_all_classes_are_streamed_with_exact_numbers() -> None:
    async with market_of() as (simulator, market, clock), asyncio.timeout(FIVE_S):
        messages = market.stream(["AAPL", "BTC/USD"], ["trades"])
        first: asyncio.Task[Message] = asyncio.create_task(_next(messages))
        while simulator.counters.get("alpha").get("data_subscribes", 0) < 2:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        simulator.exchange.set_price("AAPL", "231.57")
        for _ in range(30):
            clock.move(0.1)
            simulator.step()
        seen: dict[str, Message] = {}
        message = await first
        while {"AAPL", "BTC/USD"} - seen.keys():
            if message["type"] == "trade":
                seen[message["symbol"]] = message
            message = await anext(messages)
        assert seen["AAPL"]["price"] == Decimal("231.57")
        assert seen["BTC/USD"]["timestamp"].endswith("Z")
        quote_requests = market_requests(simulator)
        assert (await market.get_trade("AAPL")).price == Decimal("231.57")  # from the stream
        assert market_requests(simulator) == quote_requests
        clock.move(1.0)
        assert (await market.get_trade("AAPL")).price == Decimal("231.57")
        assert market_requests(simulator) == quote_requests + 1
        await messages.aclose()  # type: ignore[attr-defined]


def market_requests(simulator: Simulator) -> int:
    return simulator.counters.get("alpha").get("data_requests", 0)


async def _next(messages: AsyncIterator[Message]) -> Message:
    return await anext(messages)


async def test_a_refused_subscription_is_an_error() -> None:
    async with market_of() as (_, market, __), asyncio.timeout(FIVE_S):
        with pytest.raises(LinkError):
            await anext(market.stream(["AAPL"], ["nonsense"]))


def accounts_settings(simulator: Simulator) -> Settings:
    return settings_for(simulator, ["alpha", "bravo"], {})


async def test_accounts_read_with_the_first_paper_accounts_key_when_they_are_open() -> None:
    async with Simulator(accounts=2, step_s=None) as simulator:
        accounts = Accounts(accounts_settings(simulator), keeps_warm=False)
        with pytest.raises(NotOpen):
            await accounts.get_quote("AAPL")
        async with accounts:
            assert simulator.counters.get("alpha").get("data_requests", 0) == 0
            assert (await accounts.get_quote("AAPL")).bid_price > 0
            assert len(await accounts.get_bars("AAPL", limit=3)) == 3
        assert simulator.counters.get("alpha").get("data_requests", 0) > 0


async def test_the_key_is_the_personal_one_of_the_environment_if_there_is_one() -> None:
    environ = {"ALPACA_PERSONAL_KEY_ID": "PKPERSONAL", "ALPACA_PERSONAL_SECRET_KEY": "s3cr3t"}
    async with Simulator(accounts=2, step_s=None) as simulator:
        settings = accounts_settings(simulator)
        found = find_market_settings(settings, environ)
        assert (found.account, found.credentials.key_id.reveal()) == ("personal", "PKPERSONAL")
        assert find_market_settings(settings, {}).account == "alpha"
        assert find_market_settings(settings, {}).is_default_account
    assert isinstance(MarketData.from_environment(environ), MarketData)
    with pytest.raises(ConfigError, match="no account whose key could be used"):
        MarketData.from_environment({})


async def test_it_opens_from_a_file(tmp_path: Path) -> None:
    async with Simulator(accounts=1, step_s=None) as simulator:
        file = tmp_path / "accounts.toml"
        file.write_text(f'[market]\n[accounts.alpha]\ntrading_url = "{simulator.url}"\n')
        keys = {"ALPACA_ALPHA_KEY_ID": "demo-alpha", "ALPACA_ALPHA_SECRET_KEY": "demo-secret-alpha"}
        market = await MarketData.open(file, environ=keys)
        assert (await market.get_trade("KO")).price > 0
        await market.close()
        await market.close()
