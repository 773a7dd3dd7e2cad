"""One client that polls dashboards at a steady rate and times each: changed since its last, or not.

It is synchronous and has one connection, so what it measures is one request and not its own queue.
"""

import argparse
import json
import random
import re
import socket
import time

from msgspec import Struct, to_builtins

from bench.machine import pin

HEAD = b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ETAG = re.compile(rb"(?i)\r\netag: ([^\r]+)")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
TIMEOUT_S = 10


class Latencies(Struct):
    """How long responses took, from the first byte sent to the last byte read."""

    count: int
    p50_us: float
    p90_us: float
    p95_us: float
    p99_us: float
    under_ms: float
    """Share that took less than a millisecond."""


class Polled(Struct):
    """Responses by whether the account had changed since the client's last request for it."""

    changed: Latencies
    unchanged: Latencies
    mean_bytes: float


def summarize(took_ns: list[int]) -> Latencies:
    """The percentiles of some durations."""
    ordered = sorted(took_ns) or [0]

    def percentile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1000

    return Latencies(
        count=len(took_ns),
        p50_us=percentile(0.5),
        p90_us=percentile(0.9),
        p95_us=percentile(0.95),
        p99_us=percentile(0.99),
        under_ms=sum(1 for ns in ordered if ns < 1_000_000) / len(ordered),
    )


def request(connection: socket.socket, buffer: bytearray, path: bytes) -> tuple[bytes, int]:
    """Send a request, read the whole response; its ETag and size."""
    connection.sendall(HEAD % path)
    size, end, etag = 0, 0, b""
    view = memoryview(buffer)
    while not end or size < end:
        count = connection.recv_into(view[size:])
        assert count, "the server closed the connection"
        size += count
        if not end and (head_end := buffer.find(b"\r\n\r\n", 0, size)) >= 0:
            head = bytes(view[:head_end])
            length, tag = LENGTH.search(head), ETAG.search(head)
            assert length is not None, head
            assert tag is not None, head
            end, etag = head_end + 4 + int(length[1]), tag[1]
    return etag, size


def poll(port: int, paths: list[bytes], *, rate: float, seconds: float) -> Polled:
    """Request one path after another in random order."""
    changed: list[int] = []
    unchanged: list[int] = []
    etags: dict[bytes, bytes] = {}
    buffer = bytearray(4 * 1024 * 1024)
    total = count = 0
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for path in paths * 2:  # the first two of each fill the caches
            etags[path], _ = request(connection, buffer, path)
        started = due = time.monotonic()
        while due < started + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            due += 1 / rate
            path = random.choice(paths)
            sent_ns = time.monotonic_ns()
            etag, size = request(connection, buffer, path)
            took_ns = time.monotonic_ns() - sent_ns
            (unchanged if etags[path] == etag else changed).append(took_ns)
            etags[path] = etag
            total, count = total + size, count + 1
    return Polled(summarize(changed), summarize(unchanged), total / max(1, count))


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--rate", type=float, required=True)
    options.add_argument("--seconds", type=float, required=True)
    options.add_argument("--core", type=int, default=1)
    options.add_argument("paths", nargs="+")
    arguments = options.parse_args()
    pin(arguments.core)
    polled = poll(
        arguments.port,
        [path.encode() for path in arguments.paths],
        rate=arguments.rate,
        seconds=arguments.seconds,
    )
    print(json.dumps(to_builtins(polled)))


if __name__ == "__main__":
    main()
