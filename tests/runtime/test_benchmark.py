"""Benchmarks: one read a day for all clients, and a reason where there is nothing."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from realtime.broker.data_client import DataClient
from realtime.config.settings import AccountSettings, Settings
from realtime.core.trading_days import close_at, previous_trading_day, trading_day_at
from realtime.market.rest.cache import MemoryCache
from realtime.market.rest.reader import RestReader
from realtime.market.rest.request_budget import RequestBudget
from realtime.runtime.benchmark import BenchmarkReader
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator


def settings(url: str, *, enabled: bool = True) -> Settings:
    credentials = Credentials(Secret("demo-alpha"), Secret("demo-secret-alpha"), "test")
    account = AccountSettings(
        label="alpha", trading_url=url, credentials=credentials, enabled=enabled
    )
    return Settings(path=Path("accounts.toml"), accounts=(account,))


async def test_closes_are_read_once_a_day_for_all_clients() -> None:
    async with Simulator(accounts=1, seed=7) as simulator, aiohttp.ClientSession() as http:
        now = simulator.exchange.now() / 1e9
        reader = BenchmarkReader(settings(simulator.url), http, clock=lambda: now)
        found = await asyncio.gather(*(reader.read("SPY", False) for _ in range(20)))
        assert len({id(prices) for prices in found}) == 1
        prices = found[0]
        assert (prices.feed, prices.adjustment, prices.return_kind) == ("iex", "split", "price")
        day = trading_day_at(now)
        last = day if now >= close_at(day) else previous_trading_day(day)
        assert max(prices.closes) == last.isoformat()
        assert len(prices.closes) > 700
        total = await reader.read("SPY", True)
        assert (total.adjustment, total.return_kind) == ("all", "total")


async def test_with_market_data_its_cache_and_budget_are_used() -> None:
    async with (
        Simulator(accounts=1, seed=7) as simulator,
        aiohttp.ClientSession() as http,
        asyncio.TaskGroup() as tasks,
    ):
        now = simulator.exchange.now() / 1e9
        market = RestReader(
            DataClient(
                http, simulator.url, Credentials(Secret("demo-alpha"), Secret("demo-secret-alpha"))
            ),
            MemoryCache(),
            RequestBudget(asyncio.get_running_loop().time),
            scope="",
            tasks=tasks,
            clock=lambda: now,
        )

        def reader() -> BenchmarkReader:
            return BenchmarkReader(
                settings("http://127.0.0.1:1"), http, clock=lambda: now, market=market
            )

        first = await reader().read("SPY", False)
        assert len(first.closes) > 700
        assert market.statistics.requests == 1
        # What another client of the cache has read is not read again.
        assert (await reader().read("SPY", False)).closes == first.closes
        assert (market.statistics.requests, market.statistics.cache_hits) == (1, 1)
        assert (await reader().read("A.B", False)).reason


@pytest.mark.parametrize("symbol", ["NOSUCH", "A.B"])
async def test_a_symbol_without_bars_has_a_reason(symbol: str) -> None:
    async with Simulator(accounts=1, seed=7) as simulator, aiohttp.ClientSession() as http:
        now = simulator.exchange.now() / 1e9
        reader = BenchmarkReader(settings(simulator.url), http, clock=lambda: now)
        prices = await reader.read(symbol, False)
        assert prices.closes == {}
        assert prices.reason


async def test_without_keys_there_is_a_reason() -> None:
    async with aiohttp.ClientSession() as http:
        reader = BenchmarkReader(
            settings("http://127.0.0.1:1", enabled=False), http, clock=lambda: 0
        )
        assert (await reader.read("SPY", False)).reason == "no account with keys is configured"
