"""The connection between the programs fails in every way at once, one account each: the state
is equal to the broker's books, or marked; an account without a fault is not affected.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.processes.pair import Pair, events, pair
from tests.processes.proxy import Proxy, proxy

pytestmark = pytest.mark.slow

UNAFFECTED = "foxtrot"
CLOSED_S, DEAD_S = 4.0, 35.0
"""Until a mark: an end that is told, and one that only pings find, 10 s apart, 20 s of patience."""


def _reset(wire: Proxy) -> None:
    wire.reset()


def _cut(wire: Proxy) -> None:
    wire.cut_after = 700  # in the middle of an event


def _trickle(wire: Proxy) -> None:
    wire.trickle_s = 0.0005


def _half_open(wire: Proxy) -> None:
    wire.swallows = frozenset({"down"})


def _black_hole(wire: Proxy) -> None:
    wire.swallows = frozenset({"up", "down"})


FAULTS: Mapping[str, tuple[Callable[[Proxy], None], float]] = {
    "alpha": (_reset, CLOSED_S),
    "bravo": (_cut, CLOSED_S),
    "charlie": (_trickle, 12.0),
    "delta": (_half_open, DEAD_S),
    "echo": (_black_hole, DEAD_S),
}
"""account → what happens to its wire, and for how long its answers may be behind without a mark"""


@pytest.mark.timeout(240)
async def test_no_wrong_state_is_unmarked(tmp_path: Path) -> None:
    async with pair(tmp_path) as both, AsyncExitStack() as stack:
        simulator = await both.start_simulator("--accounts", "6", "--activity", "0")
        port = both.simulator_port
        wires = {label: await stack.enter_async_context(proxy(port)) for label in FAULTS}
        _lead_through(both, wires)
        daemon = await both.start_daemon()
        try:
            await both.until_synced()
            await both.post("/faults", kind="stale_orders", seconds=6, for_s=20)
            await both.post("/faults", kind="lagging_positions", seconds=6, for_s=20)
            await both.post("/traffic", activity=60)
            await asyncio.sleep(1)
            for label, (trouble, _) in FAULTS.items():
                trouble(wires[label])
            await asyncio.sleep(1.5)
            await both.post("/traffic", activity=0)
            await _judge_until(both, DEAD_S + 4)
            for wire in wires.values():
                wire.heal()
                wire.reset()
            await _judge_until(both, 8)
            await both.until_synced(within_s=60)
            for label in (*FAULTS, UNAFFECTED):
                await both.until_equal(label)
            lost = {line["account"] for line in events(daemon.log, "link.lost")}
            assert lost >= set(FAULTS) - {"charlie"}
            assert UNAFFECTED not in lost
        finally:
            assert await daemon.stop() < 25
            await simulator.stop()


async def _judge_until(both: Pair, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    quiet_at = loop.time()
    while (passed_s := loop.time() - quiet_at) < seconds:
        for label, (_, bound_s) in FAULTS.items():
            if passed_s > bound_s:
                await _judge(both, label)
        await asyncio.sleep(0.5)


async def _judge(both: Pair, label: str) -> None:
    """Nothing happens at the broker any more, so an answer without a mark is the books."""
    before = await _is_marked(both, label)
    differences = await both.unequal(label)
    if differences and not before and not await _is_marked(both, label):
        raise AssertionError("not marked, and different:\n" + "\n".join(differences[:12]))


async def _is_marked(both: Pair, label: str) -> bool:
    told = await both.get(f"{both.daemon}/realtime/dashboard/{label}")
    assert isinstance(told, Mapping)
    return bool(told["stale"] or told["provisional"])


def _lead_through(both: Pair, wires: Mapping[str, Proxy]) -> None:
    """Have each account reach the broker through its own proxy."""
    path = both.directory / "accounts.toml"
    head, *tables = path.read_text().split("[accounts.")
    direct = f":{both.simulator_port}"
    for n, table in enumerate(tables):
        label = table.partition("]")[0]
        if label in wires:
            assert direct in table, table
            tables[n] = table.replace(direct, f":{wires[label].port}")
    path.write_text("[accounts.".join([head, *tables]))
