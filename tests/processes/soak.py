"""A long run of simulator and daemon under load and trouble: does anything grow, or go wrong?

Prints a line a sample and ends with a verdict: memory and descriptors flat after the first fifth,
every account live, every answer equal to the broker's books once it is quiet. Run it by
`scripts/soak`; it ends by itself.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from tests.processes.pair import Pair, Program, pair

SAMPLE_S = 10.0
TROUBLE_EVERY_S = 7.0
ORDER_KB = 3.5
"""What a kept order may cost with its executions; until each account keeps its 500 closed orders,
memory grows by just that."""
MEMORY_GROWTH = 1.15
"""Resident memory beside kept orders, at the end against the first fifth."""
DESCRIPTOR_SLACK = 100
"""Connections to the broker's REST interface: as many as requests were ever under way at once."""
COMPARED = 25
"""Accounts whose answers are compared at the end, field by field."""


class Sample(Struct, frozen=True):
    """The daemon at one moment."""

    at_s: float
    memory_mb: float
    descriptors: int
    live: int
    orders: int


async def soak(minutes: float, accounts: int, activity: float, seed: int) -> list[str]:
    """Run; give what was not as it should be."""
    with tempfile.TemporaryDirectory() as place:
        async with pair(Path(place)) as both:
            simulator = await both.start_simulator(
                "--accounts", str(accounts), "--activity", str(activity), "--seed", str(seed)
            )
            daemon = await both.start_daemon(log=Path("/dev/null"))
            try:
                print(f"{accounts} accounts live after {await both.until_synced(60):.1f} s")
                samples = await _watch(both, daemon, minutes * 60, random.Random(seed))
                return _verdict(samples) + await _end(both, accounts)
            finally:
                try:
                    print(f"stopped in {await daemon.stop():.1f} s")
                finally:
                    await simulator.stop()


async def _watch(
    both: Pair, daemon: Program, duration_s: float, rng: random.Random
) -> list[Sample]:
    loop = asyncio.get_running_loop()
    start, samples = loop.time(), list[Sample]()
    trouble_at = start + TROUBLE_EVERY_S
    labels = await both.labels()
    while loop.time() - start < duration_s:
        await asyncio.sleep(min(SAMPLE_S, TROUBLE_EVERY_S))
        if loop.time() >= trouble_at:
            trouble_at += TROUBLE_EVERY_S
            await both.post(
                "/faults", kind="cut", account=rng.choice(labels), clean=rng.random() < 0.5
            )
        if not samples or loop.time() - start - samples[-1].at_s >= SAMPLE_S:
            samples.append(await _sample(both, daemon, loop.time() - start))
    return samples


async def _sample(both: Pair, daemon: Program, at_s: float) -> Sample:
    health = await both.health()
    live = int(str(health["connected_accounts"]))
    orders = await _orders(both)
    sample = Sample(at_s, daemon.memory_mb, daemon.descriptors, live, orders)
    print(
        f"{at_s:6.0f} s  {sample.memory_mb:6.1f} MB  {sample.descriptors:5} descriptors  "
        f"{live} live  {orders} orders kept",
        flush=True,
    )
    return sample


async def _orders(both: Pair) -> int:
    """Orders that the daemon keeps, extrapolated from some of its accounts."""
    labels = await both.labels()
    some = labels[:COMPARED]
    kept = [await both.total(f"/realtime/orders/{label}?limit=1") for label in some]
    return sum(kept) * len(labels) // len(some)


def _verdict(samples: list[Sample]) -> list[str]:
    early = samples[: max(1, len(samples) // 5)]
    late = samples[-max(1, len(samples) // 5) :]
    kept_mb = (late[-1].orders - early[-1].orders) * ORDER_KB / 1024
    grown = max(s.memory_mb for s in late) / (max(s.memory_mb for s in early) + max(0.0, kept_mb))
    more = max(s.descriptors for s in late) - max(s.descriptors for s in early)
    wrong = []
    if grown > MEMORY_GROWTH:
        wrong.append(f"memory grew to {grown:.2f} times of what kept orders explain")
    if more > DESCRIPTOR_SLACK:
        wrong.append(f"{more} descriptors more than early")
    print(f"memory × {grown:.2f} of what kept orders explain, descriptors {more:+}")
    return wrong


async def _end(both: Pair, accounts: int) -> list[str]:
    await both.post("/traffic", activity=0)
    await both.until_synced(within_s=400)
    labels = (await both.labels())[:COMPARED]
    for label in labels:
        try:
            await both.until_equal(label, within_s=120)
        except AssertionError as difference:
            return [str(difference)]
    print(f"{len(labels)} of {accounts} accounts compared: equal to the broker's books")
    return []


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--activity", type=float, default=500.0, help="events a second")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    wrong = asyncio.run(soak(options.minutes, options.accounts, options.activity, options.seed))
    for line in wrong:
        print(f"FAILED  {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
