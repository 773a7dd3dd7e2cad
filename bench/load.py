"""Clients: as many requests as possible (wrk if it is installed), or a fixed rate.

Our own client is for where there is no wrk and for fixed rates. It is in Python, so closed loops of
it may be slower than the server; the table says which client was used.
"""

import argparse
import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import cast

import uvloop
from msgspec import Struct, convert, to_builtins

from bench.children import ROOT
from bench.machine import pin

HEAD = b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Load(Struct):
    """Rate and latency of the requests."""

    per_s: float
    p50_us: float
    p99_us: float
    busy: float = 0.0
    """Share of their core that the clients used; 0 if unknown, as with wrk."""


class PollingConnection(asyncio.Protocol):
    """One connection: a request, its response, the next."""

    def __init__(self, paths: list[bytes], took_ns: list[int], interval_s: float) -> None:
        self._paths = paths
        self._took_ns = took_ns
        self._interval_s = interval_s
        self._due = 0.0
        self._asked_at = 0
        self._left = 0
        self._head = b""
        self.is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + random.random() * self._interval_s
        self._loop.call_at(self._due, self._ask)

    def data_received(self, data: bytes) -> None:
        if not self._left:
            head, end, body = (self._head + data).partition(b"\r\n\r\n")
            if not end:
                self._head = head
                return
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            assert length is not None, head
            self._head, self._left, data = b"", int(length[1]), body
        self._left -= len(data)
        if not self._left:
            self._took_ns.append(time.monotonic_ns() - self._asked_at)
            self._next()

    def _next(self) -> None:
        if not self._interval_s:
            self._ask()
            return
        self._due = max(self._due + self._interval_s, self._loop.time())
        self._loop.call_at(self._due, self._ask)

    def _ask(self) -> None:
        if self.is_over:
            self._transport.close()
            return
        self._asked_at = time.monotonic_ns()
        self._transport.write(HEAD % random.choice(self._paths))


async def ask(
    port: int, paths: list[str], *, connections: int, seconds: float, rate: float | None
) -> Load:
    """Send requests over several connections; `rate` is that of all together, None: no limit."""
    took_ns: list[int] = []
    interval_s = connections / rate if rate else 0.0
    asked = [path.encode() for path in paths]
    loop = asyncio.get_running_loop()
    connections_ = [PollingConnection(asked, took_ns, interval_s) for _ in range(connections)]
    for connection in connections_:
        await loop.create_connection(lambda connection=connection: connection, "127.0.0.1", port)  # type: ignore[misc]
    cpu = time.process_time()
    await asyncio.sleep(seconds)
    busy = (time.process_time() - cpu) / seconds
    for connection in connections_:
        connection.is_over = True
    found = sorted(took_ns) or [0]
    return Load(
        per_s=len(took_ns) / seconds,
        p50_us=found[len(found) // 2] / 1000,
        p99_us=found[int(len(found) * 0.99)] / 1000,
        busy=busy,
    )


def has_wrk() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def flood(port: int, *paths: str, connections: int, seconds: float, core: int = 1) -> Load:
    """As many requests for these paths in turn as possible, over keep-alive connections."""
    if not has_wrk():
        return _own(port, paths, connections, seconds, core)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if len(paths) > 1:
            script.write(_IN_TURN % ",".join(map(json.dumps, paths)))
            script.flush()
            command += ["-s", script.name]
        done = subprocess.run(
            [*_pinned(core), *command, f"http://127.0.0.1:{port}{paths[0]}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 30,
        )
    per_s = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert per_s is not None, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    p50, p99 = (_microseconds(done.stdout, share) for share in ("50%", "99%"))
    return Load(float(per_s[1]), p50, p99)


_IN_TURN = """
local paths, requests, at = {%s}, {}, 0
init = function() for i, path in ipairs(paths) do requests[i] = wrk.format("GET", path) end end
request = function() at = at %% #paths + 1; return requests[at] end
"""
"""Requests are made once: the client must not be what limits the rate."""


def _own(port: int, paths: Sequence[str], connections: int, seconds: float, core: int) -> Load:
    options = {"port": port, "connections": connections, "seconds": seconds, "core": core}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", *words, *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
    )
    return convert(json.loads(done.stdout), Load)


def _pinned(core: int) -> list[str]:
    return ["taskset", "-c", str(core)] if shutil.which("taskset") else []


def _microseconds(output: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", output)
    assert found is not None, output
    return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--connections", type=int, default=8)
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--rate", type=float, help="requests a second; as fast as it goes")
    options.add_argument("--core", type=int, default=1)
    options.add_argument("paths", nargs="+")
    given = options.parse_args()
    pin(given.core)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen = runner.run(
            ask(
                given.port,
                given.paths,
                connections=given.connections,
                seconds=given.seconds,
                rate=given.rate,
            )
        )
    print(json.dumps(to_builtins(seen)))


if __name__ == "__main__":
    main()
