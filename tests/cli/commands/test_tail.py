"""`realtime tail` as a program, with a daemon that stops and starts."""

import asyncio
import json
import signal
from asyncio.subprocess import Process
from contextlib import AsyncExitStack

import pytest

from realtime.cli import SUCCESS, UNREACHABLE, USAGE_ERROR
from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.cli.commands.test_status import daemon, settled
from tests.cli.conftest import fault
from tests.cli.programs import ended, free_port, line_with, run, started, stop
from tests.fleet import fleet

pytestmark = pytest.mark.slow  # each starts a process


def buy(sim: Simulator, label: str) -> None:
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    sim.exchange.submit(label, order)


async def buy_until_shown(sim: Simulator, tail: Process, label: str, words: str = " fill ") -> str:
    """Buy repeatedly until a fill is shown: then the tail follows."""
    async with asyncio.TaskGroup() as tasks:
        shown = tasks.create_task(line_with(tail, words))
        while not shown.done():
            buy(sim, label)
            await asyncio.wait([shown], timeout=0.3)
        return shown.result()


async def test_a_fill_is_shown_and_then_confirmed(sim: Simulator) -> None:
    async with daemon(sim) as url, started("tail", "alpha", "--all", REALTIME_URL=url) as tail:
        fill = await buy_until_shown(sim, tail, "alpha")
        balance = await line_with(tail, "balance")
        answer = await stop(tail, signal.SIGINT)
    assert " alpha    fill     AAPL buy 1 @ " in fill
    assert fill.endswith(" ms")
    assert "1 position, cash " in balance
    assert (answer.code, answer.err) == (SUCCESS, "")


async def test_a_refused_link_is_shown(sim: Simulator) -> None:
    async with daemon(sim) as url, started("tail", REALTIME_URL=url) as tail:
        await buy_until_shown(sim, tail, "alpha")
        fault(sim, kind="key_revoked", account="charlie")
        refused = await line_with(tail, " charlie  refused ")
    assert "secrets.toml" in refused


async def test_it_ends_after_the_number_of_lines(sim: Simulator) -> None:
    async with daemon(sim) as url, started("tail", "--lines", "3", REALTIME_URL=url) as tail:
        while tail.returncode is None:
            buy(sim, "alpha")
            await asyncio.sleep(0.2)
        answer = await ended(tail)
    assert (answer.code, len(answer.out.splitlines())) == (SUCCESS, 3)


async def test_a_daemon_that_ends_is_waited_for(sim: Simulator) -> None:
    async with AsyncExitStack() as tails:
        async with fleet(sim, real_environment()) as pair:
            await settled(pair)
            url = f"http://127.0.0.1:{pair.daemon.port}"
            tail = await tails.enter_async_context(started("tail", REALTIME_URL=url))
            await buy_until_shown(sim, tail, "alpha")
        lost = await line_with(tail, " lost ")
    assert lost.rstrip().endswith("; reconnecting")


async def test_no_daemon() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    answer = await run("tail", REALTIME_URL=url)
    assert (answer.code, answer.out) == (UNREACHABLE, "")
    assert answer.err.startswith(f"no daemon at {url} – start one with: realtime demo\n")


@pytest.mark.slow
async def test_an_unknown_account(sim: Simulator) -> None:
    async with daemon(sim) as url:
        answer = await run("tail", "alhpa", REALTIME_URL=url)
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert "remedy: did you mean alpha?" in answer.err


async def test_by_default_new_orders_are_not_shown(sim: Simulator) -> None:
    """Fills, refusals and connections; `--types` shows all lines of a type."""
    async with daemon(sim) as url:
        async with started("tail", REALTIME_URL=url) as tail:
            await buy_until_shown(sim, tail, "alpha")
            answer = await stop(tail, signal.SIGINT)
        assert " new " not in answer.out
        async with started("tail", "--types", "order", REALTIME_URL=url) as tail:
            await buy_until_shown(sim, tail, "alpha", " new ")


async def test_json_lines(sim: Simulator) -> None:
    async with daemon(sim) as url, started("tail", "--json", REALTIME_URL=url) as tail:
        line = json.loads(await buy_until_shown(sim, tail, "alpha", '"fill"'))
    assert line["type"] == "order"
    assert line["data"]["account_id"] == "alpha"
    assert line["data"]["order"]["symbol"] == "AAPL"


async def test_an_unknown_type_is_a_usage_error() -> None:
    answer = await run("tail", "--types", "order,weather")
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert "expected some of order, account, positions, link, got 'weather'" in answer.err
