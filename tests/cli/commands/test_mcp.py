"""`realtime mcp` as a program, driven by the client of the official SDK."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from realtime.runtime.daemon import run_daemon
from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.cli.programs import LIMIT_S, environment, free_port
from tests.fleet import settings_for

mcp = pytest.importorskip("mcp", reason="the package mcp comes with the extra mcp")


@asynccontextmanager
async def agent(url: str) -> AsyncIterator[Any]:
    """The SDK's client with a server of its own."""
    server = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-m", "realtime", "mcp", "--url", url],
        env=environment(),
    )
    async with mcp.Client(server, read_timeout_seconds=LIMIT_S) as client:
        yield client


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Simulator, str]]:
    """A simulator, and the address of a daemon of two accounts."""
    async with Simulator(accounts=2) as simulator:
        settings = settings_for(simulator, ["alpha", "bravo"], {})
        async with run_daemon(settings, real_environment()) as daemon:
            while not all(r.link.is_synced for r in daemon.store):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
            yield simulator, f"http://127.0.0.1:{daemon.port}"


async def read(client: Any, name: str, **arguments: object) -> Any:
    """The result of a call, decoded."""
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content[0].text
    return msgspec.json.decode(result.content[0].text)


async def test_an_agent_reads_state_with_its_freshness_and_changes_nothing() -> None:
    async with running() as (simulator, url), agent(url) as client:
        listed = (await client.list_tools()).tools
        assert all(tool.annotations.read_only_hint for tool in listed)
        accounts = await read(client, "list_accounts")
        assert [row["account_id"] for row in accounts["data"]["accounts"]] == ["alpha", "bravo"]
        assert accounts["freshness"]["state"] == "current"
        account = await read(client, "get_account", account_id="alpha")
        assert account["data"]["account_number"] == "PA0SIM000001"
        for name in ("get_positions", "get_orders", "get_dashboard", "get_equity_curve"):
            result = await read(client, name, account_id="alpha")
            assert {"as_of", "state", "provisional"} <= result["freshness"].keys()
        for name in ("get_summary", "get_status", "get_alerts", "get_halt", "get_health"):
            assert (await read(client, name))["freshness"]["state"] == "current"
        assert (await read(client, "get_market_clock"))["data"].keys() >= {"is_open", "next_open"}
        assert not simulator.exchange.orders("alpha", {"status": "all"})


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("get_account", {"account_id": "nobody"}, "no account 'nobody'"),
        ("get_account", {}, "account_id: required"),
        ("get_orders", {"account_id": "alpha", "limit": 501}, "a whole number, 1–500"),
        ("place_order", {}, "unknown tool"),
        ("get_quote", {"symbol": "AAPL"}, "404"),
        ("get_fills", {}, "history is not recorded here"),
    ],
)
async def test_errors_are_results_with_a_remedy(
    name: str, arguments: dict[str, object], text: str
) -> None:
    async with running() as (_, url), agent(url) as client:
        result = await client.call_tool(name, arguments)
    assert result.is_error
    assert text in result.content[0].text


async def test_without_a_daemon_every_call_states_it_and_the_next_one_tries_again() -> None:
    port = free_port()
    async with agent(f"http://127.0.0.1:{port}") as client:
        assert len((await client.list_tools()).tools) > 20
        result = await client.call_tool("list_accounts", {})
        assert result.is_error
        assert f"no daemon at http://127.0.0.1:{port}" in result.content[0].text
        assert "realtime demo" in result.content[0].text
