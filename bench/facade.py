"""Alpaca's API at the daemon: a steady rate of reads over a fleet, and alpaca-py here and directly.

The broker answers at once, so the direct figure is that of the SDK and of a broker without a
network. Over a network each direct request takes the way there and back as well.
"""

import argparse
import json
import random
import re
import socket
import time
import urllib.request
import warnings

from msgspec import Struct, convert, to_builtins

from bench.children import fleet_config, free_port, module
from bench.events import broker, daemon
from bench.machine import pin
from bench.polling import LENGTH, TIMEOUT_S, Latencies, summarize

RATE = 1000
PATHS = ("/v2/account", "/v2/positions", "/v2/orders")
HEAD = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAPCA-API-KEY-ID: k{number}\r\n"
    "APCA-API-SECRET-KEY: secret-of-a{number}\r\n\r\n"
)
SDK_CALLS = 300
FORWARDED = re.compile(r'realtime_rest_requests_total\{lane="forward"\} ([0-9.]+)')


class Measured(Struct):
    """What the clients saw, and how many reads were passed on to the broker."""

    accounts: int
    reads: Latencies
    forwarded: int
    sdk_here: Latencies
    sdk_directly: Latencies


def measure(accounts: int, seconds: float) -> Measured:
    """Poll every account of a fleet in random order; then call alpaca-py in both places."""
    http = free_port()
    with (
        broker(positions=5, orders=20) as port,
        fleet_config(accounts, port) as config,
        daemon(config, port=http),
    ):
        time.sleep(12)  # money of a first snapshot is confirmed within ten seconds
        before = _count_forwarded(http)
        with module("facade", "poll", str(http), str(accounts), str(seconds)) as client:
            reads = convert(json.loads(client.read_line()), Latencies)
        forwarded = _count_forwarded(http) - before
        sdk = []
        for at in (http, port):
            with module("facade", "sdk", str(at), "1", "0") as client:
                sdk.append(convert(json.loads(client.read_line()), Latencies))
        return Measured(accounts, reads, forwarded, *sdk)


def lines(seen: Measured) -> list[str]:
    """The table."""
    rows = (
        (f"{RATE:,} reads/s over {seen.accounts:,} accounts, one client", seen.reads),
        ("alpaca-py `get_account`, at the daemon", seen.sdk_here),
        ("alpaca-py `get_account`, at a broker without a network", seen.sdk_directly),
    )
    return [
        f"* reads that were passed on to the broker: {seen.forwarded}",
        "",
        "| | responses | p50 | p99 | ≤ 1 ms |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {each.count:,} | {each.p50_us / 1000:.2f} ms | {each.p99_us / 1000:.2f} ms"
            f" | {each.under_ms:.1%} |"
            for name, each in rows
        ),
    ]


def _count_forwarded(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_S) as answer:
        found = FORWARDED.search(answer.read().decode())
    assert found is not None, "the metric is there from the start"
    return int(float(found[1]))


def poll(port: int, accounts: int, seconds: float) -> Latencies:
    """Read one path of one account after another, at a steady rate over one connection."""
    heads = [
        HEAD.format(path=path, number=number).encode()
        for number in range(accounts)
        for path in PATHS
    ]
    took_ns: list[int] = []
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for head in heads:  # the first of each fills the cache of heads
            _request(connection, head)
        started = due = time.monotonic()
        while due < started + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            due += 1 / RATE
            head = random.choice(heads)
            sent_ns = time.monotonic_ns()
            _request(connection, head)
            took_ns.append(time.monotonic_ns() - sent_ns)
    return summarize(took_ns)


def _request(connection: socket.socket, head: bytes) -> None:
    connection.sendall(head)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1 << 20)
    start, _, body = received.partition(b"\r\n\r\n")
    assert start.startswith(b"HTTP/1.1 200"), start
    length = LENGTH.search(start)
    assert length is not None
    left = int(length[1]) - len(body)
    while left > 0:
        left -= len(connection.recv(1 << 20))


def call_sdk(port: int) -> Latencies:
    """Call alpaca-py's client, unmodified but for its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from alpaca.trading.client import TradingClient  # noqa: PLC0415 - an extra; takes a second
    client = TradingClient("k0", "secret-of-a0", url_override=f"http://127.0.0.1:{port}")
    took_ns = []
    for _ in range(SDK_CALLS):
        sent_ns = time.monotonic_ns()
        client.get_account()
        took_ns.append(time.monotonic_ns() - sent_ns)
    return summarize(took_ns)


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser()
    options.add_argument("word", choices=("poll", "sdk"))
    options.add_argument("port", type=int)
    options.add_argument("accounts", type=int)
    options.add_argument("seconds", type=float)
    given = options.parse_args()
    pin(1)
    seen = (
        poll(given.port, given.accounts, given.seconds)
        if given.word == "poll"
        else call_sdk(given.port)
    )
    print(json.dumps(to_builtins(seen)), flush=True)


if __name__ == "__main__":
    main()
