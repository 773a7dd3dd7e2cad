"""Connections to the database, and the tables in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection, sql

from realtime.errors import RealtimeError
from realtime.history.postgres.schema import PARTITIONED, SCHEMA, TABLES

CONNECT_S = 5
STATEMENT_S = 60
LOCK_S = 10
"""Another program that holds a lock delays copying, and nothing else."""

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class DatabaseUnusable(RealtimeError):
    """The database has tables that this version must not write."""


def connect(url: str, schema: str, *, statement_s: float = STATEMENT_S) -> Connection:
    """A connection whose tables are those of a schema. Raises `psycopg.Error`."""
    assert NAME.fullmatch(schema), schema
    options = (
        f"-c search_path={schema} -c statement_timeout={int(statement_s * 1000)}"
        f" -c lock_timeout={LOCK_S * 1000}"
    )
    return psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_S,
        options=options,
        application_name="realtime history",
        cursor_factory=psycopg.ClientCursor,
    )


def create_tables(connection: Connection, schema: str) -> None:
    """Make the schema and the tables where they do not exist. Raises `DatabaseUnusable`."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('realtime history'))")
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        connection.execute(TABLES)
        connection.execute(
            "INSERT INTO setting VALUES ('schema', %s) ON CONFLICT DO NOTHING", (str(SCHEMA),)
        )
        found = connection.execute("SELECT value FROM setting WHERE key = 'schema'").fetchone()
        if found is None or found[0] != str(SCHEMA):
            raise DatabaseUnusable(
                "another version of realtime made these tables",
                remedy="set [history] database_schema to another name",
            )


def create_partitions(connection: Connection, day: int) -> None:
    """Make the partitions of a UTC day."""
    with connection.transaction():
        for table in PARTITIONED:
            connection.execute(
                sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})"
                ).format(
                    sql.Identifier(partition_name(table, day)),
                    sql.Identifier(table),
                    sql.Literal(day),
                    sql.Literal(day + 1),
                )
            )


def drop_partitions(connection: Connection, before_day: int) -> list[int]:
    """Drop the partitions of the days before one; returns those days."""
    rows = connection.execute(
        "SELECT DISTINCT day FROM file WHERE day < %s ORDER BY day", (before_day,)
    ).fetchall()
    days = [int(day) for (day,) in rows]
    for day in days:
        with connection.transaction():
            for table in PARTITIONED:
                name = sql.Identifier(partition_name(table, day))
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
            for table in ("day_account", "day_symbol"):
                connection.execute(
                    sql.SQL(
                        "DELETE FROM {} WHERE file IN (SELECT id FROM file WHERE day = %s)"
                    ).format(sql.Identifier(table)),
                    (day,),
                )
            connection.execute("DELETE FROM file WHERE day = %s", (day,))
    return days


def partition_name(table: str, day: int) -> str:
    """`event_20787` of a UTC day counted from 1970."""
    return f"{table}_{day}"


@contextmanager
def staging(connection: Connection, table: str, columns: tuple[str, ...]) -> Iterator[psycopg.Copy]:
    """COPY rows into a temporary table with these columns of another, in binary."""
    name = sql.Identifier(f"staging_{table}")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA"
        ).format(name, names, sql.Identifier(table))
    )
    types = connection.execute(
        "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass(%s)"
        " AND attnum > 0 ORDER BY attnum",
        (f"pg_temp.staging_{table}",),
    ).fetchall()
    with connection.cursor().copy(
        sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(name)
    ) as copy:
        copy.set_types([str(kind) for (kind,) in types])
        yield copy
