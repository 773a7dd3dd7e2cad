"""What is measured, in order: a section is a table between two marks of `docs/performance.md`.

To add one: a function that measures and gives Markdown, a line in `SECTIONS`, and in the page the
marks `<!-- bench-NAME -->` and `<!-- /bench-NAME -->`.
"""

from collections.abc import Callable

from msgspec import Struct

from bench import (
    changed,
    cluster,
    compare,
    facade,
    history,
    market,
    market_rest,
    marks,
    orders,
    push,
    recovery,
    stages,
    table,
)
from bench.events import drip, pour, pour_peer
from bench.growth import measure as measure_growth
from bench.queries import measure as measure_queries
from bench.queries import measure_fleet
from bench.starting import memory, start


class Section(Struct, frozen=True):
    """One table. `measure` receives whether the run is a quick one."""

    name: str
    measure: Callable[[bool], list[str]]
    is_quick: bool = True
    """Whether a quick run has time for it."""


def _queries(quick: bool) -> list[str]:
    return table.queries(measure_queries(1, 1.0) if quick else measure_queries(5, 3.0))


def _fleet_queries(quick: bool) -> list[str]:
    rounds, seconds = (1, 1.0) if quick else (5, 3.0)
    return table.fleet_queries(
        [measure_fleet(rounds, seconds, *parts) for parts in ((5, 5), (10, 10))]
    )


def _changed(quick: bool) -> list[str]:
    seconds = 5 if quick else 20
    return changed.lines(
        {f"{orders} orders": changed.measure(orders, seconds) for orders in (100, 500)}
    )


def _frames(quick: bool) -> list[str]:
    rounds, frames = (1, 9_000) if quick else (3, 60_000)
    seen = {
        str(sockets): [
            (pour(sockets, frames), pour_peer(sockets, frames // 2)) for _ in range(rounds)
        ]
        for sockets in (1, 100)
    }
    seen["100, history recorded"] = [(pour(100, frames, ""), peer) for _, peer in seen["100"]]
    return table.pours(seen)


def _stages(quick: bool) -> list[str]:
    rounds, frames = (1, 20_000) if quick else (5, 60_000)
    return stages.lines({sockets: stages.measure(sockets, frames, rounds) for sockets in (1, 100)})


def _events(quick: bool) -> list[str]:
    if quick:
        return table.drips({"1000 accounts": drip(1000, 5000, 3)})
    return table.drips(
        {
            "1000 accounts": drip(1000, 5000, 15),
            "with Python's own garbage collection": drip(1000, 5000, 15, unsettled=True),
        }
    )


def _pushed(quick: bool) -> list[str]:
    seen = push.measure((0, 500), 3, accounts=200) if quick else push.measure((0, 50, 500), 10)
    return push.table(seen)


def _market(quick: bool) -> list[str]:
    seconds = 4 if quick else 15
    return market.lines(market.measure(seconds), seconds)


def _market_rest(quick: bool) -> list[str]:
    return market_rest.lines(market_rest.measure(200 if quick else 2000))


def _marks(quick: bool) -> list[str]:
    return marks.lines(marks.measure(2 if quick else 20))


def _orders(quick: bool) -> list[str]:
    return orders.lines(orders.measure(30 if quick else 1000))


def _facade(quick: bool) -> list[str]:
    return facade.lines(facade.measure(1000, 3.0 if quick else 20.0))


def _start(quick: bool) -> list[str]:
    lines = [f"* 1000 accounts of the simulator, cold to all synced: {start(1000):.1f} s"]
    if not quick:
        seen = memory(1000, 10, 100)
        lines.append(
            f"* 1000 accounts of 10 positions and 100 orders: {seen.synced_mb:.0f} MB once synced,"
            f" {seen.requested_mb:.0f} MB once every dashboard was requested"
        )
    return lines


def _history(minutes: float) -> Callable[[bool], list[str]]:
    return lambda quick: history.lines(*history.measure(10 if quick else minutes * 60))


def _compare(quick: bool) -> list[str]:
    accounts = 200 if quick else 1000
    return compare.lines(compare.measure(accounts), accounts)


def _cluster(quick: bool) -> list[str]:
    run = cluster.measure(200, 2000, 3) if quick else cluster.measure(1000, 5000, 10)
    return cluster.lines(run)


def _recovery(_: bool) -> list[str]:
    return recovery.lines(recovery.measure(1000, 30))


def _growth(_: bool) -> list[str]:
    return table.growth(
        measure_growth(5.0, accounts=(10, 100, 1000, 5000), rates=(1000, 2000, 5000, 8000))
    )


def make_sections(history_minutes: float = 1.0) -> tuple[Section, ...]:
    """Return all sections. `history_minutes`: how long each run of events is recorded."""
    return (
        Section("queries", _queries),
        Section("fleet-queries", _fleet_queries),
        Section("changed", _changed),
        Section("frames", _frames),
        Section("stages", _stages),
        Section("events", _events),
        Section("push", _pushed),
        Section("market", _market),
        Section("market-rest", _market_rest),
        Section("marks", _marks),
        Section("orders", _orders),
        Section("facade", _facade),
        Section("start", _start),
        Section("history", _history(history_minutes)),
        Section("compare", _compare),
        Section("cluster", _cluster),
        Section("recovery", _recovery, is_quick=False),
        Section("growth", _growth, is_quick=False),
    )


SECTIONS = make_sections()
