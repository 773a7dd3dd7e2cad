"""Files that change under a running program."""

import json
import signal
from pathlib import Path

from realtime.cli import FINE, UNREACHABLE
from realtime.simulator.app import Simulator
from tests.cli.commands.test_run import daemon, ready
from tests.cli.conftest import edit
from tests.cli.programs import free_port, line_with, run, stop


async def test_files_are_read_again(sim: Simulator, config: Path) -> None:
    """By signal and by command; what is wrong is told, and nothing happens."""
    async with daemon(config) as (process, url):
        await ready(process)
        edit(config, 'name = "Alpha"', 'name = "New"')
        process.send_signal(signal.SIGHUP)
        told = json.loads(await line_with(process, "config.reloaded"))
        assert (told["described"], told["unchanged"]) == (["alpha"], 2)
        again = await run("reload", REALTIME_URL=url)
        assert (again.code, again.out, again.err) == (FINE, "unchanged  3\n", "")
        edit(config, 'name = "New"', "nmae = 7")
        process.send_signal(signal.SIGHUP)
        told = json.loads(await line_with(process, "config.refused"))
        assert "nmae: unknown key" in told["reason"]
        assert "did you mean `name`" in told["remedy"]
        refused = await run("reload", REALTIME_URL=url)
        assert refused.code == UNREACHABLE
        assert "nmae: unknown key" in refused.err
        status = await run("status", REALTIME_URL=url)
        assert status.out.startswith("3/3 synced")
        answer = await stop(process)
    assert (answer.code, answer.err) == (FINE, "")


async def test_without_a_daemon_nobody_reads() -> None:
    answer = await run("reload", REALTIME_URL=f"http://127.0.0.1:{free_port()}")
    assert (answer.code, answer.out) == (UNREACHABLE, "")
    assert "no daemon at" in answer.err
