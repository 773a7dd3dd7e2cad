"""`realtime halt` and `close` beside a running daemon: real processes, found by configuration."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from realtime.cli import DENIED, FAILED, SUCCESS, UNREACHABLE
from realtime.simulator.app import Simulator
from tests.auth.made import SECRET
from tests.cli.conftest import edit
from tests.cli.programs import Answer, free_port, line_with, run, started

ORDER = {
    "account_id": "alpha", "symbol": "AAPL", "qty": "1", "side": "buy", "type": "market",
    "time_in_force": "day",
}  # fmt: skip
NO_DAEMON = "http://127.0.0.1:1"
OBEYS_WITHIN_S = 20.0  # a second on an idle machine


@asynccontextmanager
async def daemon_of(config: Path) -> AsyncIterator[str]:
    """A daemon on the port that its accounts file names; nothing else says where it is."""
    port = free_port()
    edit(config, "[alpaca]", f"[server]\nport = {port}\n\n[alpaca]")
    async with started("run", "--config", str(config)) as process:
        await line_with(process, "daemon.ready")
        yield f"http://127.0.0.1:{port}"


async def request(method: str, url: str, body: object = None) -> tuple[int, Any]:  # Any: JSON
    async with aiohttp.ClientSession() as http, http.request(method, url, json=body) as response:
        return response.status, await response.json()


async def halts(url: str) -> list[dict[str, Any]]:  # as the document has them
    _, state = await request("GET", f"{url}/orders/halt")
    scopes: list[dict[str, Any]] = state["scopes"]
    return scopes


async def wait_until_halted(url: str) -> float:
    """Wait until the daemon reports a halt; return the seconds it took."""
    began = time.monotonic()
    async with asyncio.timeout(30):
        while not await halts(url):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.slow
async def test_halt_finds_the_daemon_by_its_configuration(sim: Simulator, config: Path) -> None:
    async with daemon_of(config) as url:
        halted = await run("halt", "--config", str(config), "--reason", "storm")
        assert (halted.code, halted.err) == (SUCCESS, "")
        assert halted.out == (
            f"new orders are halted for all accounts: accepted by the daemon at {url}\n"
        )
        status, problem = await request("POST", f"{url}/orders", ORDER)
        assert (status, problem["code"]) == (423, "orders_halted")
        resumed = await run("halt", "--resume", REALTIME_CONFIG=str(config))
        assert (resumed.code, resumed.err) == (SUCCESS, "")
        assert (await request("POST", f"{url}/orders", ORDER))[0] in (200, 201)


@pytest.mark.slow
async def test_url_wins_over_environment_and_configuration(sim: Simulator, config: Path) -> None:
    async with daemon_of(config) as url:
        status = await run("status", "--url", url, "--config", "missing", REALTIME_URL=NO_DAEMON)
        assert status.code == SUCCESS
        other = await run("status", "--config", str(config), REALTIME_URL=NO_DAEMON)
        assert other.code == UNREACHABLE
        assert "the address is from REALTIME_URL" in other.err


@pytest.mark.slow
async def test_a_running_daemon_obeys_a_halt_in_the_journal(sim: Simulator, config: Path) -> None:
    """The command does not reach the daemon, and fails; but they share the journal."""
    async with daemon_of(config) as url:
        halted = await run(
            *("halt", "--account", "alpha", "--config", str(config)), REALTIME_URL=NO_DAEMON
        )
        took_s = await wait_until_halted(url)
        assert halted.code == UNREACHABLE
        assert "obeys within a second" in halted.out
        assert took_s < OBEYS_WITHIN_S
        assert (await halts(url))[0]["account_id"] == "alpha"
        status, problem = await request("POST", f"{url}/orders", ORDER)
        assert (status, problem["code"]) == (423, "orders_halted")


@pytest.mark.slow
async def test_a_halt_without_a_token_is_in_the_journal(sim: Simulator, config: Path) -> None:
    """Whoever can write the journal may halt, token or not; the command reports the refusal."""
    (config.parent / "token.secret").write_bytes(SECRET)
    (config.parent / "token.secret").chmod(0o600)
    edit(config, "[alpaca]", '[auth]\nsecret_file = "token.secret"\n\n[alpaca]')
    async with daemon_of(config):
        halted = await run("halt", "--config", str(config))
        token = (await run("token", "--config", str(config), "--permission", "trading")).out.strip()
        assert halted.code == DENIED
        assert "halt of all accounts written to" in halted.out
        again = await run("halt", "--config", str(config), REALTIME_TOKEN=token)
        assert (again.code, again.err) == (SUCCESS, "")


@pytest.mark.slow
async def test_an_unknown_account_is_halted_nowhere(sim: Simulator, config: Path) -> None:
    words = ("halt", "--account", "alhpa", "--config", str(config))
    async with daemon_of(config):
        refused = await run(*words)
        assert (refused.code, refused.out) == (FAILED, "")
        assert "did you mean alpha" in refused.err
    unreachable = await run(*words, REALTIME_URL=NO_DAEMON)
    assert (unreachable.code, unreachable.out) == (UNREACHABLE, "")
    assert "no account 'alhpa'" in unreachable.err
    journal = config.parent / "orders.jsonl"
    assert not journal.exists() or "alhpa" not in journal.read_text()


async def test_a_halt_that_cannot_be_written_says_so(sim: Simulator, config: Path) -> None:
    (config.parent / "orders.jsonl").mkdir()
    halted = await run("halt", "--config", str(config), REALTIME_URL=NO_DAEMON)
    assert halted.code == UNREACHABLE
    assert "not written to the journal" in halted.err
    assert halted.out == ""


@pytest.mark.slow
async def test_close_halts_a_running_daemon_until_it_is_flat(sim: Simulator, config: Path) -> None:
    """Not flat yet: the daemon stays halted for this account, and for no other."""
    async with daemon_of(config) as url:
        closed = await run("close", "--account", "alpha", "--wait", "0.1", "--config", str(config))
        assert closed.code == FAILED
        assert f"the daemon at {url} is halted" in closed.err
        assert "`realtime halt --resume --account alpha` resumes it" in closed.err
        [halt] = await halts(url)
        assert (halt["account_id"], halt["reason"]) == ("alpha", "realtime close")
        status, problem = await request("POST", f"{url}/orders", ORDER)
        assert status in (409, 423)
        assert problem["code"] in ("orders_halted", "account_closing")
        other = {**ORDER, "account_id": "bravo"}
        assert (await request("POST", f"{url}/orders", other))[0] in (200, 201)


async def close_alpha(config: Path) -> Answer:
    """Close an account until it is flat: two reads ten seconds apart."""
    words = ("close", "--account", "alpha", "--wait", "60", "--config", str(config))
    async with started(*words) as process, asyncio.timeout(55):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Answer(process.returncode, out.decode(), err.decode())


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_close_resumes_the_daemon_once_it_is_flat(sim: Simulator, config: Path) -> None:
    async with daemon_of(config) as url:
        closed = await close_alpha(config)
        assert (closed.code, closed.out) == (SUCCESS, "alpha: flat\n")
        assert "the daemon takes orders again" in closed.err
        assert await halts(url) == []


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_close_leaves_an_earlier_halt_in_place(sim: Simulator, config: Path) -> None:
    async with daemon_of(config) as url:
        await run("halt", "--config", str(config), "--reason", "storm")
        closed = await close_alpha(config)
        assert closed.code == SUCCESS
        assert "is halted already" in closed.err
        assert [halt["reason"] for halt in await halts(url)] == ["storm"]
