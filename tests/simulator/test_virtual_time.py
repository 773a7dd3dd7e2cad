"""The whole simulator in a loop whose time jumps: nothing in it looks at another clock."""

import asyncio
import hashlib
import json

import pytest
from websockets.asyncio.client import connect

from realtime.simulator.app import Simulator

async_solipsism = pytest.importorskip("async_solipsism", reason="no loop with virtual time here")

FAULTS = (
    {"kind": "delay", "seconds": 0.4, "probability": 0.2},
    {"kind": "duplicate", "probability": 0.1},
    {"kind": "reorder", "window": 3, "event": "new"},
)


@pytest.mark.slow
def test_same_seed_sends_the_same_bytes() -> None:
    first, again, other = day(seed=7), day(seed=7), day(seed=8)
    assert first == again
    assert first != other


def day(seed: int) -> str:
    """One socket's bytes over two minutes of traffic and faults, as a digest."""
    loop = async_solipsism.EventLoop()
    try:
        digest = loop.run_until_complete(asyncio.wait_for(_day(seed), 300))
        assert isinstance(digest, str)
        return digest
    finally:
        loop.close()


async def _day(seed: int) -> str:
    loop = asyncio.get_running_loop()
    start_ns = 1_795_000_000_000_000_000
    sim = Simulator(
        accounts=3, seed=seed, activity=20, clock=lambda: start_ns + int(loop.time() * 1e9)
    )
    await sim.start(port=8091)
    async with sim, asyncio.TaskGroup() as tasks:
        received = tasks.create_task(_receive_events(sim.stream_url))
        for fault in FAULTS:
            sim.add_fault(fault)
        await asyncio.sleep(120)
        await sim.stop()
    return received.result()


async def _receive_events(url: str) -> str:
    digest = hashlib.sha256()
    async with connect(url, compression=None) as socket:
        await socket.send(
            json.dumps({"action": "auth", "key": "demo-alpha", "secret": "demo-secret-alpha"})
        )
        await socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        async for frame in socket:
            assert isinstance(frame, bytes)
            digest.update(frame)
    return digest.hexdigest()
