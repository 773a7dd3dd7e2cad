"""Streams of market data: added delay with 100 clients, with and without one that does not read.

Beside it the design of the only other relay for Alpaca (`market_processes.run_peer`).
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from bench.children import module

RATE = 1000
CLIENTS = 100


class Relayed(Struct):
    """One run: a server, its clients, and what these received."""

    server: str
    stalled: int
    clients: Any
    usage: Any
    cpu_s: float
    sent: int


def measure(seconds: float, *, clients: int = CLIENTS, rate: int = RATE) -> list[Relayed]:
    """Send elements at one rate through each server, without and with a stalled client."""
    return [
        _measure(server, stalled, seconds, clients, rate)
        for server in ("relay", "peer")
        for stalled in (0, 1)
    ]


def _measure(server: str, stalled: int, seconds: float, clients: int, rate: int) -> Relayed:
    with module("market_processes", "source") as source:
        upstream = source.read_line()
        with module("market_processes", server, "--upstream", upstream) as relay:
            words = ["--server", relay.read_line(), "--clients", str(clients + stalled)]
            with module("market_processes", "clients", *words, "--stalled", str(stalled)) as users:
                users.read_line()
                source.request(f"play 1 {rate}")
                users.request("reset")
                before = relay.request("stats")
                sent = source.request(f"play {seconds} {rate}")["sent"]
                received, usage = users.request("stats"), relay.request("stats")
    cpu_s = usage["cpu_s"] - before["cpu_s"]
    return Relayed(server, stalled, received, usage, cpu_s, sent)


def lines(seen: Sequence[Relayed], seconds: float) -> list[str]:
    """Delay from the broker's sending to a client's receipt, by server."""
    rows = [
        "| relay | clients that do not read | elements received of those sent | p50 | p99 | max |"
        " core busy | memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for run in seen:
        name = "realtime" if run.server == "relay" else "one queue, one sender in turn"
        # Of ten clients one is measured: a single program cannot read as a hundred.
        measured = len(
            [n for n in range(CLIENTS + run.stalled) if n % 10 == 0 and n >= run.stalled]
        )
        share = run.clients["elements"] / (run.sent * measured) if run.sent else 0
        times = [run.clients[key] for key in ("p50_ms", "p99_ms", "max_ms")]
        cells = " | ".join("–" if ms is None else f"{ms:,.1f} ms" for ms in times)
        rows.append(
            f"| {name} | {run.stalled} | {share:.0%} | {cells} | {run.cpu_s / seconds:.0%} |"
            f" {run.usage['memory_mb']:.0f} MB |"
        )
    return rows
