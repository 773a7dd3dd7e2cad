"""A simulator whose time stands still until a test steps it, and a REST client for it."""

from collections.abc import AsyncIterator

import pytest

from realtime.simulator.app import Simulator
from tests.simulator.client import Rest


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(accounts=3, seed=7, step_s=None, requests_per_minute=1000) as simulator:
        yield simulator


@pytest.fixture
async def rest(sim: Simulator) -> AsyncIterator[Rest]:
    async with Rest(sim) as client:
        yield client
