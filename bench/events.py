"""The event path: frames per second on one core, latency of a fill, and of queries meanwhile."""

import contextlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, convert

from bench.children import Child, fleet_config, free_port, module, post
from bench.load import Load

FRAMES = 40_000

NO_HISTORY = "[history]\nenabled = false\n"
"""Without the thread that records: the peer records nothing either."""


class Pour(Struct):
    """Frames as fast as they are accepted: by wall clock, and by processor time."""

    per_s: float
    cpu_us: float
    broker_busy: float
    """Share of its core that the broker used: near 1, it is what limits the rate."""


class Drip(Struct):
    """Events at a fixed rate: how late they were applied, and the latency of queries meanwhile."""

    rate: float
    p50_ms: float
    p99_ms: float
    queries: Load
    busy: float
    """Share of the core that the daemon used."""
    load_busy: float
    """Share of the other core that broker and clients used together."""
    waited: float
    """Share of the time that the daemon could have run and other programs had its core."""
    pause_most_ms: float
    rss_mb: float


@contextlib.contextmanager
def broker(*, positions: int = 5, orders: int = 10) -> Iterator[int]:
    """A broker that plays frames; yields its port."""
    port = free_port()
    options = {"port": port, "positions": positions, "orders": orders}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with module("broker", *words) as child:
        child.read_line()
        yield port


@contextlib.contextmanager
def daemon(config: Path, *, port: int | None = None, unsettled: bool = False) -> Iterator[Child]:
    """The daemon, with all accounts synced."""
    more = ["--unsettled"] if unsettled else []
    with module(
        "daemon", "--config", str(config), "--port", str(port or free_port()), *more
    ) as child:
        child.synced_s = json.loads(child.read_line())["synced_s"]
        yield child


def pour(sockets: int, frames: int = FRAMES, more: str = NO_HISTORY) -> Pour:
    """Send frames to the daemon over several sockets, one for each account."""
    with broker() as port, fleet_config(sockets, port, more) as config, daemon(config) as child:
        return _poured(child, port, sockets, frames)


def pour_peer(sockets: int, frames: int = FRAMES) -> Pour | None:
    """The same to alpaca-py's `TradingStream`, one an account; None if it is not installed."""
    if importlib.util.find_spec("alpaca") is None:
        return None
    with broker() as port:
        url = f"ws://127.0.0.1:{port}/stream"
        with module("peer_stream", "--url", url, "--sockets", str(sockets)) as child:
            child.read_line()
            return _poured(child, port, sockets, frames)


def drip(accounts: int, rate: float, seconds: float, *, unsettled: bool = False) -> Drip:
    """Send events at a rate over all accounts, while clients request 500 dashboards per second."""
    http = free_port()
    with (
        broker(positions=10, orders=100) as port,
        fleet_config(accounts, port) as config,
        daemon(config, port=http, unsettled=unsettled) as child,
    ):
        child.request("reset")
        paths = [f"/realtime/dashboard/a{number}" for number in range(accounts)]
        words = ["--port", str(http), "--rate", "500", "--seconds", str(seconds)]
        with module("load", *words, *paths) as readers:
            sent = post(f"http://127.0.0.1:{port}/_play", {"rate": rate, "seconds": seconds})
            seen = child.request(f"wait {sent['sent']}")
            queries = convert(json.loads(readers.read_line()), Load)
        return Drip(
            rate=sent["sent"] / seconds,
            p50_ms=seen["p50_ms"],
            p99_ms=seen["p99_ms"],
            queries=queries,
            busy=seen["cpu_s"] / seconds,
            load_busy=sent["busy"] + queries.busy,
            waited=seen["waited"],
            pause_most_ms=seen["pause_most_ms"],
            rss_mb=seen["rss_mb"],
        )


def _poured(child: Child, port: int, sockets: int, frames: int) -> Pour:
    child.request("reset")
    played = post(f"http://127.0.0.1:{port}/_play", {"count": frames // sockets})
    sent = played["sent"]
    seen = child.request(f"wait {sent}")
    return Pour(per_s=seen["per_s"], cpu_us=seen["cpu_s"] / sent * 1e6, broker_busy=played["busy"])
