"""One server for all tests here, and a schema for each."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.history.postgres.server import Server, running_server

pytest.importorskip("psycopg", reason="psycopg comes with the extra postgres")

_numbers = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def schema() -> str:
    return f"history_{next(_numbers)}"
