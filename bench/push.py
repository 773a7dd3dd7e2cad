"""Whether subscribers slow the daemon: events at one rate, and more and more subscribers."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from bench.children import fleet_config, free_port, module, post
from bench.events import broker, daemon

ACCOUNTS = 1000
RATE = 2000
SETTLE_S = 1.0
"""For events that are still being sent when all are applied."""


class Push(Struct):
    """One rate of events with a number of subscribers."""

    readers: int
    rate: float
    seconds: float
    applied: Any
    """How late the events were applied, and what the daemon used: `bench.daemon`."""
    delivery: Any
    """What the subscribers received: `bench.listening`; None without subscribers."""


def measure(
    readers: Sequence[int], seconds: float, *, accounts: int = ACCOUNTS, rate: float = RATE
) -> list[Push]:
    """Send events at one rate over all accounts, once for each number of subscribers."""
    http = free_port()
    with (
        broker(positions=5, orders=10) as port,
        fleet_config(accounts, port) as config,
        daemon(config, port=http) as child,
    ):
        return list(_played(child, port, http, readers, accounts, rate, seconds))


def _played(
    child: Any, port: int, http: int, readers: Sequence[int], accounts: int, rate: float, s: float
) -> Iterator[Push]:
    url, asked = f"http://127.0.0.1:{port}/_play", {"rate": rate, "seconds": s}
    for count in readers:
        words = ["--port", str(http), "--readers", str(count), "--accounts", str(accounts)]
        with module("listening", *words) as subscribers:
            if count:
                subscribers.read_line()
            child.request("reset")
            sent = post(url, asked)["sent"]
            applied = child.request(f"wait {sent}")
            time.sleep(SETTLE_S)
            delivery = subscribers.request("stats") if count else None
        yield Push(count, sent / s, s, applied, delivery)


def table(seen: Sequence[Push]) -> list[str]:
    """Latency by number of subscribers."""
    lines = [
        "| subscribers | events/s | applied p50 | applied p99 | core busy | sent per second |"
        " received p50 | received p99 | resynced | disconnected |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in seen:
        applied, delivery = each.applied, each.delivery
        cells = "– | – | – | – | –"
        if delivery is not None:
            cells = (
                f"{delivery['updates'] / each.seconds:,.0f} updates,"
                f" {delivery['bytes'] / each.seconds / 1e6:.0f} MB | {delivery['p50_ms']:.0f} ms |"
                f" {delivery['p99_ms']:.0f} ms | {delivery['resyncs']:.0f} | {delivery['lost']:.0f}"
            )
        lines.append(
            f"| {each.readers:,} | {each.rate:,.0f} | {applied['p50_ms']:.2f} ms |"
            f" {applied['p99_ms']:.2f} ms | {applied['cpu_s'] / each.seconds:.0%} | {cells} |"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(table(measure((0, 50, 500), 4.0))))
