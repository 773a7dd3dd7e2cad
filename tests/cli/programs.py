"""Commands as separate programs, as a person or a service manager runs them."""

import asyncio
import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

LIMIT_S = 60.0
"""Limit of anything a test waits for; a working command takes a second or two."""


class Answer(NamedTuple):
    """The result of a program."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """The environment without our variables and the broker's, and with these."""
    ours = ("REALTIME_", "ALPACA_", "APCA_", "CREDENTIALS_DIRECTORY")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**clean, **variables}


async def run(*args: str, **variables: str) -> Answer:
    """Run `realtime …` to its end, while the test's own loop continues."""
    async with started(*args, **variables) as process:
        return await ended(process)


@asynccontextmanager
async def started(*args: str, **variables: str) -> AsyncIterator[Process]:
    """`realtime …`, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "realtime", *args,
        stdin=subprocess.DEVNULL, stdout=PIPE, stderr=PIPE, env=environment(**variables),
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await ended(process)


async def ended(process: Process) -> Answer:
    """Wait until the program and all that hold its output have ended."""
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Answer(process.returncode, out.decode(), err.decode())


async def line_with(process: Process, words: str) -> str:
    """Read to the first line that contains these words."""
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        async for line in process.stdout:
            if words in line.decode():
                return line.decode().rstrip("\n")
    raise AssertionError(f"no line with {words!r} before the end")


async def stop(process: Process, how: signal.Signals = signal.SIGTERM) -> Answer:
    """Send a signal, and wait until the program has ended."""
    process.send_signal(how)
    return await ended(process)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_in_terminal(*args: str, **variables: str) -> tuple[int, str]:
    """Run `realtime …` in a terminal (a pseudo-terminal); return exit code and output."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(
            sys.executable,
            [sys.executable, "-m", "realtime", *args],
            environment(TERM="xterm", NO_COLOR="1", **variables),
        )
    output = b""
    with contextlib.suppress(OSError):  # the terminal is closed by its last program
        while chunk := os.read(terminal, 65536):
            output += chunk
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), output.decode()
