from collections.abc import AsyncIterator

import pytest

from realtime.store import Store
from tests.server.reader import Clock, Reader, reading
from tests.views.made import farm


@pytest.fixture
def store() -> Store:
    return farm()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reader(store: Store, clock: Clock) -> AsyncIterator[Reader]:
    async with reading(store, clock) as reader:
        yield reader
