"""A real Redis server on a free port, started and stopped by the test."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from realtime.secret import Secret

PROGRAM = shutil.which("redis-server")


class RedisServer:
    """One server process; it keeps nothing on disk."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> Secret:
        """Its address, as in `cache_url`."""
        return Secret(f"redis://127.0.0.1:{self.port}/0")

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        assert PROGRAM is not None
        command = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--appendonly", "no"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return
        raise AssertionError("redis-server did not start")

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def suspend(self) -> None:
        """Let it accept connections and not respond."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it respond again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self.resume()
            self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        assert process is not None
        assert process.stdout is not None
        process.send_signal(number)
        process.wait(10)
        process.stdout.close()


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """A running server; skips the test where the program is missing."""
    pytest.importorskip("redis", reason="redis-py is not installed (extra `redis`)")
    if PROGRAM is None:
        pytest.skip("redis-server is not installed; .ci/run installs it")
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        server.close()
