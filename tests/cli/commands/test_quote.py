"""`realtime quote` as a program, against a daemon with market data."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec import Raw, structs

from realtime.cli import FAILED, SUCCESS, UNREACHABLE
from realtime.cli.quotes import Quotes, SymbolError, print_quotes
from realtime.config.settings import MarketSettings
from realtime.runtime.daemon import run_daemon
from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.cli.programs import free_port, run
from tests.fleet import settings_for
from tests.market.rest.scene import KEYS


@asynccontextmanager
async def market_daemon(*, has_market: bool = True) -> AsyncIterator[tuple[Simulator, str]]:
    """A simulator, and the address of a daemon with its market data."""
    async with Simulator(accounts=1) as simulator:
        market = MarketSettings(
            account="alpha",
            credentials=KEYS,
            data_url=simulator.url,
            stream_url=simulator.url.replace("http", "ws"),
        )
        settings = structs.replace(
            settings_for(simulator, ["alpha"], {}), market=market if has_market else None
        )
        async with run_daemon(settings, real_environment()) as daemon:
            yield simulator, f"http://127.0.0.1:{daemon.port}"


@pytest.mark.slow
async def test_it_shows_quotes_of_all_classes_and_what_is_wrong_with_a_symbol() -> None:
    async with market_daemon() as (simulator, url):
        option = simulator.exchange.listing.options()[0].symbol
        answer = await run("quote", "aapl", "BTC/USD", option, REALTIME_URL=url)
        assert (answer.code, answer.err) == (SUCCESS, "")
        rows = {line.split()[0]: line.split() for line in answer.out.splitlines()}
        assert rows.keys() == {"SYMBOL", "AAPL", "BTC/USD", option}
        assert Decimal(rows["AAPL"][1]) < Decimal(rows["AAPL"][3])
        assert (rows["AAPL"][6], rows[option][6]) == ("iex", "indicative")
        failed = await run("quote", "NOPE", "AAPL", REALTIME_URL=url)
        assert failed.code == FAILED
        assert "NOPE: the broker has no quote of NOPE" in failed.out
        shown = await run("quote", "AAPL", "BTC/USD", "--json", REALTIME_URL=url)
        document = json.loads(shown.out)
        assert document["quotes"].keys() == {"AAPL", "BTC/USD"}
        assert (document["errors"], document["feeds"]) == ({}, {"AAPL": "iex"})
        status = await run("status", REALTIME_URL=url)
        assert re.search(r"market data iex, indicative \(key alpha\)", status.out)
        document = json.loads((await run("status", "--json", REALTIME_URL=url)).out)
        assert document["market"]["rest"]["feed"] == "iex"


async def test_a_feed_without_the_entitlement_is_an_error_with_its_remedy() -> None:
    async with market_daemon() as (_, url):
        answer = await run("quote", "AAPL", "--feed", "sip", REALTIME_URL=url)
        assert answer.code != SUCCESS
        assert "subscription does not permit" in answer.err
        assert "remedy" in answer.err


@pytest.mark.slow
async def test_without_market_data_it_names_the_section() -> None:
    async with market_daemon(has_market=False) as (_, url):
        answer = await run("quote", "AAPL", REALTIME_URL=url)
        assert (answer.code, answer.out) == (FAILED, "")
        assert "[market]" in answer.err
        assert "market" not in (await run("status", REALTIME_URL=url)).out
    answer = await run("quote", "AAPL", REALTIME_URL=f"http://127.0.0.1:{free_port()}")
    assert answer.code == UNREACHABLE


def test_a_side_without_a_quote_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    raw = b'{"t":"2026-10-06T14:00:00.5Z","bp":0,"bs":0,"ap":12.5,"as":3}'
    quotes = Quotes({"X\x1b": Raw(raw)}, {"Y": SymbolError("unknown_symbol", "none\x1b")}, {})
    print_quotes(quotes, datetime(2026, 10, 6, 14, 1, 3, tzinfo=UTC))
    out = capsys.readouterr().out
    assert out.splitlines()[1].split() == [
        "X",
        "–",
        "0",
        "12.5",
        "3",
        "–",
        "–",
        "1",
        "min",
        "2",
        "s",
    ]
    assert "\x1b" not in out
