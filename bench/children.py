"""Child processes: those that are measured, and those that measure."""

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
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
RESPONSE_TIMEOUT_S = 320
"""Limit of a response: longer than anything that the process waits for."""


class Child:
    """A process that prints a line when it is ready, and answers commands with JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.synced_s = 0.0
        """Of a daemon: seconds from its start until all accounts were synced."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def read_line(self) -> str:
        """The next line of its output."""
        assert self._process.stdout is not None
        # A line arrives complete: each process writes one and flushes.
        ready, _, _ = select.select([self._process.stdout], [], [], RESPONSE_TIMEOUT_S)
        if not ready:
            raise TimeoutError(
                f"{self._process.args!r} printed nothing within {RESPONSE_TIMEOUT_S} s"
            )
        output = self._process.stdout.readline().strip()
        if not output:
            raise RuntimeError(f"{self._process.args!r} ended early")
        return output

    def request(self, word: str) -> Any:  # JSON of each process' own shape
        """Send a command and return the response."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return json.loads(self.read_line())


@contextlib.contextmanager
def module(name: str, *arguments: str) -> Iterator[Child]:
    """Run a module of the bench while the block runs."""
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
    """Stop a process at the end of the block: first SIGTERM, then SIGKILL."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str) -> bytes:
    """The response of a server, once it responds."""
    until = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=READY_TIMEOUT_S) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def post(url: str, body: object) -> Any:  # as `say`
    """The response to a JSON body."""
    asked = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=120) as answer:
        return json.load(answer)


@contextlib.contextmanager
def fleet_config(accounts: int, broker: int, more: str = "") -> Iterator[Path]:
    """The configuration of a fleet whose broker listens on this port; `more` is added to it."""
    with tempfile.TemporaryDirectory() as folder:
        labels = [f"a{number}" for number in range(accounts)]
        url = f'trading_url = "http://127.0.0.1:{broker}"'
        path = Path(folder) / "accounts.toml"
        path.write_text(
            '[alpaca]\nsecrets_file = "secrets.toml"\n'
            + "".join(f"[accounts.{label}]\n{url}\n" for label in labels)
            + more
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
