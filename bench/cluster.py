"""A front beside its owner: what joining, events and queries cost each, and how late events are."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.children import Child, fleet_config, free_port, module, post
from bench.events import NO_HISTORY, broker
from bench.load import Load, flood
from bench.machine import cpu_s

CORE_OF_OWNER = 0
CORE_OF_FRONT = 1
"""With broker and clients: on a machine with two cores the owner has its own."""


class Cost(Struct):
    """Processor time of one process, in µs per event or per request."""

    owner: float
    front: float


class Measured(Struct):
    """One run."""

    accounts: int
    rate: float
    join: Mapping[str, float]
    owner_join_cpu_s: float
    """What the front's joining cost the owner."""
    alone_us: float
    """Of the owner per event, without a front."""
    event_us: Cost
    late_ms: Mapping[str, float]
    """From visible at the owner to visible at the front."""
    query_us: Cost
    queries: Mapping[str, Load]


def measure(accounts: int, rate: float, seconds: float) -> Measured:
    """Follow accounts of 10 positions and 100 orders, with events at a rate."""
    mesh = free_port()
    more = (
        f'{NO_HISTORY}[cluster]\nmember = "owner"\nlisten = "127.0.0.1:{mesh}"\n'
        'secret_file = "cluster.secret"\n'
    )
    ports = {"owner": free_port(), "front": free_port()}
    with (
        broker(positions=10, orders=100) as broker_port,
        fleet_config(accounts, broker_port, more) as config,
    ):
        _write_secret(config)
        with _member(config, ports["owner"], CORE_OF_OWNER) as (owner, _):
            alone = _play(broker_port, rate, seconds, owner)
            before = cpu_s(owner.pid)
            of = f"http://127.0.0.1:{mesh}"
            with _member(config, ports["front"], CORE_OF_FRONT, "--of", of) as (front, join):
                owner_join_cpu_s = cpu_s(owner.pid) - before
                both = _play(broker_port, rate, seconds, owner, front)
                late = _late(owner.request("times"), front.request("times"))
                queries, query_us = _query({"owner": owner, "front": front}, ports, seconds)
    return Measured(
        accounts=accounts,
        rate=rate,
        join=join,
        owner_join_cpu_s=owner_join_cpu_s,
        alone_us=alone[0],
        event_us=Cost(*both),
        late_ms=late,
        query_us=query_us,
        queries=queries,
    )


def _write_secret(config: Path) -> None:
    secret = config.parent / "cluster.secret"
    secret.touch(mode=0o600)
    secret.write_text("0123456789abcdef" * 4)


@contextlib.contextmanager
def _member(config: Path, port: int, core: int, *more: str) -> Iterator[tuple[Child, Any]]:
    words = ["--config", str(config), "--port", str(port), "--core", str(core), *more]
    with module("member", *words) as child:
        yield child, json.loads(child.read_line())


def _play(port: int, rate: float, seconds: float, *members: Child) -> list[float]:
    """Send events; return the processor time of each member, in µs per event."""
    for member in members:
        member.request("reset")
    sent = post(f"http://127.0.0.1:{port}/_play", {"rate": rate, "seconds": seconds})["sent"]
    return [1e6 * member.request(f"wait {sent}")["cpu_s"] / sent for member in members]


def _late(at_owner: Mapping[str, int], at_front: Mapping[str, int]) -> dict[str, float]:
    late = sorted(at_front[event] - at for event, at in at_owner.items() if event in at_front)
    assert late, "no event was visible at both"
    return {
        "p50": late[len(late) // 2] / 1e6,
        "p99": late[int(len(late) * 0.99)] / 1e6,
        "max": late[-1] / 1e6,
    }


def _query(
    members: Mapping[str, Child], ports: Mapping[str, int], seconds: float
) -> tuple[dict[str, Load], Cost]:
    """Request one dashboard as often as possible; processor time in µs per request."""
    seen, costs = {}, {}
    for name, member in members.items():
        before = cpu_s(member.pid)
        # Clients on the core that the server does not have.
        core = CORE_OF_FRONT if name == "owner" else CORE_OF_OWNER
        load = flood(
            ports[name], "/realtime/dashboard/a0", connections=8, seconds=seconds, core=core
        )
        seen[name] = load
        costs[name] = 1e6 * (cpu_s(member.pid) - before) / max(1.0, load.per_s * seconds)
    return seen, Cost(**costs)


def lines(run: Measured) -> list[str]:
    """The table."""
    late, join, queries = run.late_ms, run.join, run.queries
    return [
        "| | owner | front that owns nothing |",
        "| --- | ---: | ---: |",
        f"| join: {run.accounts:,} accounts, 10 positions and 100 orders each |"
        f" {run.owner_join_cpu_s:.2f} s of processor | {join['took_s']:.1f} s,"
        f" {join['cpu_s']:.2f} s of processor |",
        f"| processor time per event at {run.rate:,.0f}/s | {run.event_us.owner:.0f} µs"
        f" (without a front {run.alone_us:.0f} µs) | {run.event_us.front:.0f} µs |",
        f"| event visible after it is at the owner: p50, p99, max | – | {late['p50']:.2f} ms,"
        f" {late['p99']:.2f} ms, {late['max']:.0f} ms |",
        f"| a dashboard: processor time per request | {run.query_us.owner:.1f} µs |"
        f" {run.query_us.front:.1f} µs |",
        f"| a dashboard: p50, p99 with 8 connections | {_times(queries['owner'])} |"
        f" {_times(queries['front'])} |",
    ]


def _times(load: Load) -> str:
    return f"{load.p50_us / 1000:.2f} ms, {load.p99_us / 1000:.2f} ms"
