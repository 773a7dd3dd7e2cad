"""`realtime tail` as a program, against a daemon that comes and goes."""

import asyncio
import signal
from asyncio.subprocess import Process
from contextlib import AsyncExitStack

from realtime.cli import FINE, MISUSED, UNREACHABLE
from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.cli.commands.test_status import daemon, settled
from tests.cli.conftest import fault
from tests.cli.programs import Answer, ended, free_port, line_with, run, started, stop
from tests.fleet import fleet


def buy(sim: Simulator, label: str) -> None:
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    sim.exchange.submit(label, order)


async def until_told(sim: Simulator, tail: Process, label: str) -> str:
    """Buy again and again until it is told: then the tail follows."""
    async with asyncio.TaskGroup() as tasks:
        heard = tasks.create_task(line_with(tail, " fill "))
        while not heard.done():
            buy(sim, label)
            await asyncio.wait([heard], timeout=0.3)
        return heard.result()


async def test_a_fill_is_told_and_then_confirmed(sim: Simulator) -> None:
    async with daemon(sim) as url, started("tail", "alpha", REALTIME_URL=url) as tail:
        fill = await until_told(sim, tail, "alpha")
        in_step = await line_with(tail, "in step")
        answer = await stop(tail, signal.SIGINT)
    assert " alpha    fill     AAPL buy 1 @ " in fill
    assert fill.endswith(" ms")
    assert "1 position, cash " in in_step
    assert (answer.code, answer.err) == (FINE, "")


async def test_a_lost_link_is_told(sim: Simulator) -> None:
    async with daemon(sim) as url, started("tail", REALTIME_URL=url) as tail:
        await until_told(sim, tail, "alpha")
        fault(sim, kind="key_revoked", account="charlie")
        refused = await line_with(tail, " charlie  refused ")
    assert "secrets.toml" in refused


async def test_it_ends_after_so_many_lines(sim: Simulator) -> None:
    async with daemon(sim) as url, started("tail", "--lines", "3", REALTIME_URL=url) as tail:
        while tail.returncode is None:
            buy(sim, "alpha")
            await asyncio.sleep(0.2)
        answer = await ended(tail)
    assert (answer.code, len(answer.out.splitlines())) == (FINE, 3)


async def test_a_daemon_that_ends_is_waited_for(sim: Simulator) -> None:
    async with AsyncExitStack() as tails:
        async with fleet(sim, real_environment()) as pair:
            await settled(pair)
            url = f"http://127.0.0.1:{pair.daemon.port}"
            tail = await tails.enter_async_context(started("tail", REALTIME_URL=url))
            await until_told(sim, tail, "alpha")
        lost = await line_with(tail, " lost ")
    assert lost.rstrip().endswith("; trying again")


async def test_no_daemon() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    words = f"no daemon at {url} – start one with: realtime demo\n"
    assert await run("tail", REALTIME_URL=url) == Answer(UNREACHABLE, "", words)


async def test_an_account_that_is_none(sim: Simulator) -> None:
    async with daemon(sim) as url:
        answer = await run("tail", "alhpa", REALTIME_URL=url)
    assert (answer.code, answer.out) == (MISUSED, "")
    assert "remedy: did you mean alpha?" in answer.err
