"""What recording costs: events at a rate with and without history, and queries of the past."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct, convert

from bench.children import fleet_config, free_port, module, post
from bench.events import NO_HISTORY, broker, daemon
from bench.load import Load
from realtime.api.history.client import HistoryClient
from realtime.api.history.messages import HistoryCall
from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.history.directory import HistoryDirectory
from realtime.history.exact import epoch_us
from realtime.history.queue import HistoryQueue
from realtime.history.reading import FileReader
from realtime.history.state_at import state_at
from realtime.store.records import Change, Profile
from realtime.store.store import Store

ACCOUNTS = 1000
EVENTS_PER_S = 5_000
"""As many rows."""

READS_PER_S = 10
SINGLE = 300
SETTLE_S = 30.0
APPENDS, APPEND_ROUNDS = 20_000, 7


class Run(Struct):
    """One run of events at a rate."""

    name: str
    rate: float
    rows_per_s: float
    p50_ms: float
    p99_ms: float
    busy: float
    rss_mb: tuple[float, float]
    """After a quarter of the run, and at its end."""
    lost: int
    reads: Load | None


class Append(Struct):
    """What the event loop pays for a change of the store, in µs of processor time."""

    off_us: float
    """Without history: the store notifies no one of it."""
    on_us: float


class Single(Struct):
    """Queries one after another, of an account with a thousand events since its snapshot."""

    loop_us: float
    """Processor time of the event loop for each."""
    state_p50_ms: float
    state_p99_ms: float
    """In the reader process: find, read and merge."""


def measure(seconds: float) -> tuple[list[Run], Single, Append]:
    """Without history, with it, and with it while the past is read."""
    runs = []
    single = None
    for name, text, reads in (
        ("without history", NO_HISTORY, False),
        ("with history", "", False),
        (f"with history, {READS_PER_S} reads of the past per second", "", True),
    ):
        run, single = _run(name, text, seconds, reads=reads)
        runs.append(run)
    assert single is not None
    return runs, single, _append()


def _append() -> Append:
    """The same changes of a store without and with the writer's queue, in turns: the smallest of
    several rounds, for the machine only adds to it."""
    off, on = [], []
    for _ in range(APPEND_ROUNDS):
        off.append(_change_store(lambda change: None, subscribes=False))
        on.append(_change_store(HistoryQueue(max_changes=APPENDS * 2).add, subscribes=True))
    return Append(off_us=min(off), on_us=min(on))


def _change_store(add: Callable[[Change], None], *, subscribes: bool) -> float:
    store = Store(boot="bench")
    label = AccountLabel("a0")
    store.add(Profile(label=label), now=0.0)
    if subscribes:
        store.subscribe(add)
    links = [Link(state="synced"), Link(state="syncing")]
    began = time.thread_time()
    for number in range(APPENDS):
        store.update(label, now=float(number), link=links[number % 2])
    return (time.thread_time() - began) / APPENDS * 1e6


def _run(name: str, text: str, seconds: float, *, reads: bool) -> tuple[Run, Single | None]:
    http = free_port()
    with (
        broker(positions=10, orders=20) as port,
        fleet_config(ACCOUNTS, port, text) as config,
        daemon(config, port=http) as child,
    ):
        time.sleep(5)  # what the start recorded is written
        path = config.parent / "history"
        before = _rows(path)
        quarter = seconds / 4
        first = _play(child, port, quarter)
        child.request("reset")
        paths = _past_paths(time.time() - quarter / 2)
        words = ["--port", str(http), "--rate", str(READS_PER_S), "--seconds", str(seconds)]
        if reads:
            with module("load", *words, *paths) as readers:
                seen = _play(child, port, seconds)
                load = convert(json.loads(readers.read_line()), Load)
        else:
            seen, load = _play(child, port, seconds), None
        rows = _settled_rows(path) - before
        run = Run(
            name=name,
            rate=seen["sent"] / seconds,
            rows_per_s=rows / (seconds + quarter),
            p50_ms=seen["p50_ms"],
            p99_ms=seen["p99_ms"],
            busy=seen["cpu_s"] / seconds,
            rss_mb=(first["rss_mb"], seen["rss_mb"]),
            lost=_lost(path),
            reads=load,
        )
        return run, _single(path) if reads else None


def _play(child: object, port: int, seconds: float) -> dict[str, float]:
    sent = post(f"http://127.0.0.1:{port}/_play", {"rate": EVENTS_PER_S, "seconds": seconds})
    seen: dict[str, float] = child.request(f"wait {sent['sent']}")  # type: ignore[attr-defined]
    return {**seen, "sent": sent["sent"]}


def _past_paths(at: float) -> list[str]:
    labels = [f"a{number}" for number in range(0, ACCOUNTS, 7)]
    return [
        *(f"/realtime/dashboard/{label}?as_of={at:.3f}" for label in labels),
        *(f"/history/trades?account_id={label}" for label in labels[:20]),
        "/history/performance",
        "/realtime/summary?as_of=" + f"{at:.3f}",
    ]


def _rows(path: Path) -> int:
    return sum(
        _query(file.path, "SELECT max(n) FROM event") for file in HistoryDirectory(path).day_files()
    )


def _settled_rows(path: Path) -> int:
    """Rows once no more are added: the writer may be behind on a busy machine."""
    rows, until = -1, time.monotonic() + SETTLE_S
    while (now := _rows(path)) != rows and time.monotonic() < until:
        rows = now
        time.sleep(2)
    return now


def _lost(path: Path) -> int:
    ledger = HistoryDirectory(path).ledger
    return _query(ledger, "SELECT sum(rows) FROM gap") if ledger.exists() else 0


def _query(path: Path, sql: str) -> int:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(connection.execute(sql).fetchone()[0] or 0)
    finally:
        connection.close()


def _single(path: Path) -> Single:
    reader = FileReader(HistoryDirectory(path))
    now = time.time()
    took = []
    for number in range(SINGLE):
        began = time.perf_counter()
        state_at(reader, f"a{number}", epoch_us(now))
        took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    return Single(
        loop_us=asyncio.run(_loop_us(path, now)),
        state_p50_ms=took[len(took) // 2],
        state_p99_ms=took[int(len(took) * 0.99)],
    )


async def _loop_us(path: Path, now: float) -> float:
    """Processor time of the event loop's thread for a query: call, wait, and reply."""
    async with HistoryClient(path) as client:
        calls = [
            HistoryCall(kind="orders", labels=[f"a{number}"], at_us=epoch_us(now))
            for number in range(SINGLE)
        ]
        await client.fetch(calls[0])  # starts the process
        began = time.thread_time()
        for call in calls:
            await client.fetch(call)
        return (time.thread_time() - began) / SINGLE * 1e6


def lines(runs: Sequence[Run], single: Single, append: Append) -> list[str]:
    """The table."""
    text = [
        "| | events/s | rows/s | event p50 | event p99 | core busy | memory | lost | reads p50 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for run in runs:
        reads = "–" if run.reads is None else f"{run.reads.p50_us / 1000:.0f} ms"
        memory = f"{run.rss_mb[0]:.0f} → {run.rss_mb[1]:.0f} MB"
        text.append(
            f"| {run.name} | {run.rate:,.0f} | {run.rows_per_s:,.0f} | {run.p50_ms:.2f} ms |"
            f" {run.p99_ms:.2f} ms | {run.busy:.0%} | {memory} |"
            f" {run.lost:,} | {reads} |"
        )
    without, *others = runs
    added = ", ".join(f"{run.p99_ms - without.p99_ms:+.2f} ms" for run in others)
    return [
        *text,
        "",
        f"* event p99 beside the run without history: {added}",
        f"* a change of the store: {append.off_us:.2f} µs of the event loop without history,"
        f" {append.on_us:.2f} µs with it",
        f"* state as of a moment, in the reader process: p50 {single.state_p50_ms:.1f} ms,"
        f" p99 {single.state_p99_ms:.1f} ms",
        f"* the event loop's part of it: {single.loop_us:.0f} µs",
    ]
