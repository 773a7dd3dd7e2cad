"""Processes that are measured, and those that measure: started, asked, ended."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
READY_S = 60
END_S = 10
SAY_S = 320
"""How long a process may take to answer: longer than any that it waits for."""


class Child:
    """A process of ours that says a line when it is ready, and answers words with JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.synced_s = 0.0
        """Of a daemon: seconds from its beginning until all accounts were live."""

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def line(self) -> str:
        """The next line it says."""
        assert self._process.stdout is not None
        # A line comes whole: every process of ours writes one and flushes.
        ready, _, _ = select.select([self._process.stdout], [], [], SAY_S)
        if not ready:
            raise TimeoutError(f"{self._process.args!r} said nothing within {SAY_S} s")
        said = self._process.stdout.readline().strip()
        if not said:
            raise RuntimeError(f"{self._process.args!r} ended too early")
        return said

    def say(self, word: str) -> Any:  # JSON of each process' own shape
        """Say a word, give the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return json.loads(self.line())


@contextlib.contextmanager
def module(name: str, *arguments: str) -> Iterator[Child]:
    """Run a module of the bench as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.{name}", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with ended(process):
        yield Child(process)


@contextlib.contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[None]:
    """End a process with the block, politely first."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str) -> bytes:
    """What a server answers, once it does."""
    until = time.monotonic() + READY_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=READY_S) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def post(url: str, body: object) -> Any:  # as `say`
    """The answer to a JSON body."""
    asked = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=120) as answer:
        return json.load(answer)


@contextlib.contextmanager
def fleet_config(accounts: int, broker: int) -> Iterator[Path]:
    """The settings of a fleet whose broker listens on this port."""
    with tempfile.TemporaryDirectory() as folder:
        labels = [f"a{number}" for number in range(accounts)]
        url = f'trading_url = "http://127.0.0.1:{broker}"'
        path = Path(folder) / "accounts.toml"
        path.write_text(
            '[alpaca]\nsecrets_file = "secrets.toml"\n'
            + "".join(f"[accounts.{label}]\n{url}\n" for label in labels)
        )
        secrets = Path(folder) / "secrets.toml"
        secrets.touch(mode=0o600)
        secrets.write_text(
            "".join(
                f'[{label}]\nkey_id = "k{label[1:]}"\nsecret_key = "secret-of-{label}"\n'
                for label in labels
            )
        )
        os.chmod(secrets, 0o600)
        yield path
