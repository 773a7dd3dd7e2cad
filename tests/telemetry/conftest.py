"""Give the log of a test back to the next one as it was."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.api.conftest import clock, reader, store

__all__ = ["clock", "reader", "store"]


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    before = structlog.get_config()
    root = logging.getLogger()
    handlers = root.handlers[:]
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
