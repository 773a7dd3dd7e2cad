"""Dashboards that changed since the client's last request, beside those that did not."""

import json
from collections.abc import Mapping

from msgspec import Struct, convert

from bench.children import fleet_config, free_port, module, post
from bench.events import broker, daemon
from bench.polling import Latencies, Polled

ACCOUNTS = 25
EVENTS_PER_S = 100
REQUESTS_PER_S = 250
"""Each account ten times a second: a third of the responses have changed."""


class Changed(Struct):
    """What a client saw, and how busy the daemon's core was."""

    polled: Polled
    waited: float
    """Share of the time that the daemon could have run and other programs had its core."""


def measure(orders: int, seconds: float, query: str = "") -> Changed:
    """Poll the dashboards of accounts with this many known orders, while events arrive."""
    http = free_port()
    with (
        broker(positions=10, orders=orders) as port,
        fleet_config(ACCOUNTS, port) as config,
        daemon(config, port=http) as child,
    ):
        child.request("reset")
        paths = [f"/realtime/dashboard/a{number}{query}" for number in range(ACCOUNTS)]
        options = ["--port", str(http), "--rate", str(REQUESTS_PER_S), "--seconds", str(seconds)]
        with module("polling", *options, *paths) as client:
            post(f"http://127.0.0.1:{port}/_play", {"rate": EVENTS_PER_S, "seconds": seconds})
            polled = convert(json.loads(client.read_line()), Polled)
        return Changed(polled, child.request("stats")["waited"])


def lines(measured: Mapping[str, Changed]) -> list[str]:
    """The table."""
    table = [
        "| dashboards | responses | p50 | p90 | p95 | p99 | ≤ 1 ms | size | waited for its core |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, seen in measured.items():
        size = f"{seen.polled.mean_bytes / 1000:.0f} kB"
        for kind, latencies in (("changed", seen.polled.changed), ("not", seen.polled.unchanged)):
            figures = " | ".join(_columns(latencies))
            table.append(f"| {name}: {kind} | {figures} | {size} | {seen.waited:.0%} |")
    return table


def _columns(seen: Latencies) -> list[str]:
    times = (seen.p50_us, seen.p90_us, seen.p95_us, seen.p99_us)
    return [f"{seen.count:,}", *(f"{us / 1000:.2f} ms" for us in times), f"{seen.under_ms:.1%}"]
