"""The files change under a running daemon: accounts that did not change are never interrupted."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import Struct

from realtime.simulator.app import Simulator
from realtime.simulator.write_config import accounts_text, secrets_text
from tests.processes.pair import START_S, Program, events, free_port

pytestmark = pytest.mark.slow

ACCOUNTS = int(os.environ.get("RELOAD_ACCOUNTS", "20"))
POLL_S = 0.005


class Scene(Struct):
    """A daemon in its own process, and its files."""

    simulator: Simulator
    program: Program
    http: aiohttp.ClientSession
    directory: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write(self, labels: list[str], keys: dict[str, str] | None = None) -> None:
        """Write the files with these accounts."""
        write_files(self.simulator, self.directory, labels, keys or {})

    async def rows(self) -> dict[str, Any]:  # the status as it comes
        async with self.http.get(f"{self.url}/realtime/status") as answer:
            rows: dict[str, Any] = (await answer.json())["accounts"]
            return rows

    async def until(self, holds: Callable[[dict[str, Any]], bool], within_s: float = 60.0) -> None:
        async with asyncio.timeout(within_s):
            while not holds(await self.rows()):
                await asyncio.sleep(0.05)

    async def command(self) -> tuple[int, str]:
        """Run `realtime reload`; return exit code and output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "realtime", "reload",
            env={**os.environ, "REALTIME_URL": self.url},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    async def hup(self, event: str) -> dict[str, Any]:
        """Send SIGHUP; return its log line."""
        before = len(events(self.program.log, event))
        self.program.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(30):
            while len(found := events(self.program.log, event)) == before:
                await asyncio.sleep(0.02)
        return found[-1]


def write_files(
    simulator: Simulator, directory: Path, labels: list[str], keys: dict[str, str]
) -> None:
    """Both files with these accounts; `keys`: label → another key id than it had at first."""
    specs = [spec for spec in simulator.specs if spec.label in labels]
    path, secrets = directory / "accounts.toml", directory / "secrets.toml"
    path.write_text(accounts_text(specs, simulator.url, path))
    text = secrets_text(specs)
    for label, key in keys.items():
        text = text.replace(f'"demo-{label}"', f'"{key}"')
    secrets.write_text(text)
    secrets.chmod(0o600)


class Watcher(Struct):
    """Reads some accounts all the time, and follows their events."""

    watched: list[str]
    wrong: list[str] = []
    requests: int = 0

    async def poll(self, http: aiohttp.ClientSession, url: str) -> None:
        while True:
            for label in self.watched:
                async with http.get(f"{url}/realtime/dashboard/{label}") as answer:
                    text = await answer.text()
                    self.requests += 1
                    if answer.status != 200 or json.loads(text)["stale"]:
                        self.wrong.append(f"{label}: {answer.status} {text[:200]}")
                await asyncio.sleep(POLL_S)

    async def listen(self, http: aiohttp.ClientSession, url: str) -> None:
        only = ",".join(self.watched)
        async with http.get(f"{url}/realtime/events?account_id={only}&types=link") as answer:
            ready = False
            async for line in answer.content:
                ready = ready or line.startswith(b"event: ready")
                if ready and line.startswith((b"event: link", b"event: gap", b"event: resync")):
                    self.wrong.append(f"pushed {line!r}")
        self.wrong.append("the push ended")


@asynccontextmanager
async def scene(directory: Path) -> AsyncIterator[Scene]:
    port = free_port()
    async with (
        Simulator(accounts=ACCOUNTS, seed=5) as simulator,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http,
    ):
        log = directory / "run.log"
        write_files(simulator, directory, [spec.label for spec in simulator.specs], {})
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "realtime", "run", "--port", str(port),
                "--config", str(directory / "accounts.toml"), stdout=output, stderr=output,
            )  # fmt: skip
        made = Scene(simulator, Program(process, log), http, directory, port)
        try:
            async with asyncio.timeout(START_S):
                while not events(log, "daemon.ready"):
                    await asyncio.sleep(0.05)
            yield made
        finally:
            assert await made.program.stop() < 25


@asynccontextmanager
async def watching(made: Scene, watched: list[str]) -> AsyncIterator[Watcher]:
    watcher = Watcher(watched)
    before = await made.rows()
    async with asyncio.TaskGroup() as tasks:
        reading = [
            tasks.create_task(watcher.poll(made.http, made.url)),
            tasks.create_task(watcher.listen(made.http, made.url)),
        ]
        yield watcher
        for task in reading:
            task.cancel()
    after = await made.rows()
    assert watcher.wrong == []
    assert watcher.requests > 0
    for label in watched:
        for fact in ("since", "state", "last_error", "reconnect_attempts"):
            assert after[label][fact] == before[label][fact], label
        assert made.simulator.counters.get(label)["authorized"] == 1, label


@pytest.mark.timeout(170)
async def test_unchanged_accounts_are_never_interrupted(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        labels = [spec.label for spec in made.simulator.specs]
        gone, rotated, mixed_up, renamed, *others = labels
        made.simulator.set_activity(20)
        async with watching(made, [renamed, *others]) as watcher:
            # Bad files, by each of the three ways.
            (tmp_path / "accounts.toml").write_text("[accounts.alpha\n")
            assert "not TOML" in (await made.hup("config.refused"))["reason"]
            code, output = await made.command()
            assert code != 0
            assert "not TOML" in output
            made.write(labels)
            os.chmod(tmp_path / "secrets.toml", 0o644)
            async with made.http.post(f"{made.url}/admin/reload") as answer:
                assert (answer.status, (await answer.json())["code"]) == (409, "config_refused")
            assert all(row["connected"] for row in (await made.rows()).values())

            # One leaves, comes back, another is renamed.
            made.write([x for x in labels if x != gone])
            assert (await made.hup("config.reloaded"))["removed"] == [gone]
            assert gone not in await made.rows()
            made.write(labels)
            name = f'"{renamed.replace("_", " ").capitalize()}"'
            path = tmp_path / "accounts.toml"
            path.write_text(path.read_text().replace(f"name = {name}", 'name = "Another"'))
            code, output = await made.command()
            assert (code, f"added      {gone}" in output) == (0, True), output
            assert f"described  {renamed}" in output
            await made.until(lambda rows: rows[gone]["state"] == "synced")

            # One has a new key, one is given another account's.
            made.simulator.credentials.rotate(rotated, "demo-new")
            left = [x for x in labels if x != gone]
            made.write(left, keys={rotated: "demo-new"})
            text = (tmp_path / "secrets.toml").read_text()
            text = text.replace(f'"demo-{mixed_up}"', f'"demo-{gone}"')
            text = text.replace(f'"demo-secret-{mixed_up}"', f'"demo-secret-{gone}"')
            (tmp_path / "secrets.toml").write_text(text)
            event = await made.hup("config.reloaded")
            assert event["rotated"] == [rotated, mixed_up]
            await made.until(lambda rows: rows[mixed_up]["state"] == "refused")
            rows = await made.rows()
            assert rows[rotated]["state"] == "synced"
            assert "the key belongs to" in rows[mixed_up]["last_error_message"]
            assert len(events(made.program.log, "account.key_rotated")) == 2
        assert watcher.requests > ACCOUNTS
