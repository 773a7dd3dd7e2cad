"""Files that change while the daemon runs."""

import json
import signal
from pathlib import Path

import pytest

from realtime.cli import CONFIG_REFUSED, SUCCESS, UNREACHABLE
from realtime.simulator.app import Simulator
from tests.cli.commands.test_run import daemon, ready
from tests.cli.conftest import edit
from tests.cli.programs import free_port, line_with, run, stop


@pytest.mark.slow
async def test_files_are_read_again(sim: Simulator, config: Path) -> None:
    """By signal and by command; errors have their own exit code, and nothing changes."""
    async with daemon(config) as (process, url):
        await ready(process)
        edit(config, 'name = "Alpha"', 'name = "New"')
        process.send_signal(signal.SIGHUP)
        event = json.loads(await line_with(process, "config.reloaded"))
        assert (event["described"], event["unchanged"]) == (["alpha"], 2)
        again = await run("reload", REALTIME_URL=url)
        assert (again.code, again.out, again.err) == (SUCCESS, "unchanged  3\n", "")
        edit(config, 'name = "New"', "nmae = 7")
        process.send_signal(signal.SIGHUP)
        event = json.loads(await line_with(process, "config.refused"))
        assert "nmae: unknown key" in event["reason"]
        assert "did you mean `name`" in event["remedy"]
        refused = await run("reload", REALTIME_URL=url)
        assert refused.code == CONFIG_REFUSED
        assert "nmae: unknown key" in refused.err
        status = await run("status", REALTIME_URL=url)
        assert status.out.startswith("3/3 synced")
        answer = await stop(process)
    assert (answer.code, answer.err) == (SUCCESS, "")


async def test_without_a_daemon_reload_fails() -> None:
    answer = await run("reload", REALTIME_URL=f"http://127.0.0.1:{free_port()}")
    assert (answer.code, answer.out) == (UNREACHABLE, "")
    assert "no daemon at" in answer.err
