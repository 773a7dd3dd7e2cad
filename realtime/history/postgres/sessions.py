"""One connection for each thread of the history process, made again when it is lost."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection

from realtime.errors import RealtimeError
from realtime.history.postgres.address import Address
from realtime.history.postgres.connection import connect
from realtime.history.postgres.reader import DatabaseReader


class DatabaseDown(RealtimeError):
    """The database does not answer, or has no tables yet."""


class _Thread(threading.local):
    connection: Connection | None = None


_thread = _Thread()


@contextmanager
def read_database(deadline: float) -> Iterator[DatabaseReader]:
    """A reader of the database in the environment, until a time by `time.monotonic`. Raises
    `DatabaseDown`."""
    address = Address.from_environment(os.environ)
    assert address is not None
    try:
        if _thread.connection is None or _thread.connection.closed:
            _thread.connection = connect(address.url, address.schema)
        yield DatabaseReader(_thread.connection, deadline=deadline)
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable) as error:
        if _thread.connection is not None:
            _thread.connection.close()
            _thread.connection = None
        raise DatabaseDown(type(error).__name__) from error
