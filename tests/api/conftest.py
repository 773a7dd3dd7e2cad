from collections.abc import AsyncIterator

import pytest

from realtime.store.store import Store
from tests.api.documents.made import fleet
from tests.api.reader import Clock, Reader, reading


@pytest.fixture
def store() -> Store:
    return fleet()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reader(store: Store, clock: Clock) -> AsyncIterator[Reader]:
    async with reading(store, clock) as reader:
        yield reader
