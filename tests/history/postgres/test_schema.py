"""Every table of the ledger goes to the database, with every column. No server is needed."""

import sqlite3

import pytest

from realtime.history.outbox import KEYS
from realtime.history.postgres.schema import LEDGER_TABLES, PARTITIONED, TABLES
from realtime.history.schema import DAY, LEDGER

OWN = {"meta", "account", "symbol", "changed"}
"""Copied in another way: names get numbers of the database's own. `changed` is about the file."""


def tables_of(script: str) -> dict[str, list[str]]:
    """Table → columns, as SQLite understands a script."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(script)
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    tables = {
        name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        for (name,) in names
    }
    connection.close()
    return tables


def columns_in_database(table: str) -> str:
    begin = TABLES.index(f"TABLE IF NOT EXISTS {table}(")
    return TABLES[begin : TABLES.index(");", begin)]


def test_no_table_of_the_ledger_is_left_out() -> None:
    ledger = tables_of(LEDGER)
    assert {"close", "origin", "identity", "activity", "report"} <= ledger.keys()
    assert set(ledger) - OWN == set(LEDGER_TABLES) == set(KEYS)


@pytest.mark.parametrize("table", LEDGER_TABLES)
def test_no_column_of_the_ledger_is_left_out(table: str) -> None:
    columns = tables_of(LEDGER)[table]
    assert sorted(LEDGER_TABLES[table].columns) == sorted(columns)
    for column in columns:
        assert f"{column} " in columns_in_database(table), column


@pytest.mark.parametrize("table", PARTITIONED)
def test_no_column_of_a_day_file_is_left_out(table: str) -> None:
    day = tables_of(DAY)
    assert set(day) - OWN == set(PARTITIONED)
    for column in day[table]:
        assert f"{column} " in columns_in_database(table), column
