"""A simulator in the test's own loop, and the files with which a daemon follows it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from realtime.simulator.app import Simulator
from realtime.simulator.faults.catalogue import parse_fault
from realtime.simulator.write_config import write_config


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """Three quiet accounts: alpha, bravo, charlie."""
    async with Simulator(accounts=3) as simulator:
        yield simulator


@pytest.fixture
def config(sim: Simulator, tmp_path: Path) -> Path:
    """The accounts file for `sim`."""
    return write_config(tmp_path, sim.specs, sim.url)


def fault(sim: Simulator, **what: object) -> None:
    """Switch a fault on."""
    sim.faults.add(parse_fault(what))


def edit(path: Path, old: str, new: str) -> None:
    """Replace a word in a file that must hold it."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
