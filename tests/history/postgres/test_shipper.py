"""What is in the files is in the database, once, and answers are the same from both."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from realtime.api.history.messages import HistoryCall
from realtime.api.history.renderers import render
from realtime.history.exact import DAY_US, US, epoch_us
from realtime.history.postgres.connection import connect, create_tables
from realtime.history.postgres.reader import DatabaseReader
from realtime.history.postgres.shipper import Shipper
from realtime.history.queries import STEP_US
from realtime.history.reading import FileReader
from tests.api.documents.made import order
from tests.history.postgres.server import Server
from tests.history.scene import Recording, Small, play, trade

LABELS = ["alpha", "bravo"]


@contextmanager
def database(server: Server, schema: str) -> Iterator[Any]:
    with connect(server.url, schema) as connection:
        create_tables(connection, schema)
        yield connection


def every_call(rng: random.Random, first_us: int, last_us: int) -> Iterator[HistoryCall]:
    """Each kind of query, about random times."""
    for _ in range(12):
        at_us = rng.randint(first_us - US, last_us + US)
        for label in LABELS:
            yield HistoryCall(kind="dashboard", labels=[label], at_us=at_us)
            yield HistoryCall(kind="account", labels=[label], at_us=at_us)
            yield HistoryCall(kind="positions", labels=[label], at_us=at_us)
            yield HistoryCall(
                kind="orders", labels=[label], at_us=at_us, query={"status": "all", "limit": 500}
            )
        yield HistoryCall(kind="accounts", labels=LABELS, at_us=at_us)
        yield HistoryCall(kind="summary", labels=LABELS, at_us=at_us)
        begin, end = sorted((rng.randint(first_us, last_us), rng.randint(first_us, last_us)))
        span: dict[str, Any] = {"from_us": begin, "to_us": end + 1}
        yield HistoryCall(kind="trades", labels=LABELS, limit=rng.randint(1, 50), **span)
        yield HistoryCall(kind="trades", labels=["bravo"], limit=500, symbol="AAPL", **span)
        yield HistoryCall(kind="events", labels=["alpha"], limit=rng.randint(1, 99), **span)
        yield HistoryCall(kind="symbols", labels=LABELS, **span)
        yield HistoryCall(kind="performance", labels=LABELS, by_tier=rng.random() < 0.5, **span)
        for step in STEP_US:
            yield HistoryCall(kind="equity", labels=["alpha"], step=step, **span)
        curve: dict[str, object] = {"points": 240, "format": rng.choice(["json", "csv"])}
        yield HistoryCall(kind="curve", labels=LABELS, query=curve, **span)


@pytest.mark.parametrize("seed", range(3))
def test_answers_from_the_database_are_those_from_the_files(
    tmp_path: Path, server: Server, schema: str, seed: int
) -> None:
    rng = random.Random(seed)

    async def act(recording: Recording) -> None:
        with database(server, schema) as connection:
            shipper = Shipper(recording.directory, connection)
            for _ in range(3):
                await trade(recording, rng.uniform(20.0, 80.0), rng)
                shipper.ship()
                recording.restart()
                if rng.random() < 0.5:
                    shipper = Shipper(recording.directory, connection)
            await trade(recording, 70.0, rng)
            recording.writer.write()
            shipper.ship()
            moments = [at_us for seen in recording.seen.values() for at_us, _ in seen]
            files, rows = recording.reader, DatabaseReader(connection)
            for call in every_call(rng, min(moments), max(moments)):
                assert render(rows, call) == render(files, call), call

    play(tmp_path, act, seed=seed)


def count(connection: Any, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def ship_small(path: Path) -> Small:
    small = Small(path, max_changes=10_000, has_outbox=True)
    small.writer.write()
    return small


def test_nothing_is_copied_twice_or_left_out_whenever_it_is_interrupted(
    tmp_path: Path, server: Server, schema: str
) -> None:
    """Each statement in turn is the last one of a shipper; the next goes on."""
    small = ship_small(tmp_path)
    reader = FileReader(small.directory)

    class Cut(Exception):
        pass

    with database(server, schema) as connection:
        execute, left = connection.execute, [0]

        def cutting(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Cut
            return execute(*args, **more)

        connection.execute = cutting
        for number in range(60):
            small.clock.now += 30
            small.touch("alpha", 2_000 + number)
            small.writer.write()
            left[0] = number
            try:
                Shipper(small.directory, connection).ship()
            except Cut:
                continue
        left[0] = 0
        Shipper(small.directory, connection).ship()
        (day,) = small.directory.day_files()
        for table in ("event", "snapshot", "equity", "price"):
            ((rows,),) = small.rows(f"SELECT count(*) FROM {table}", day.path)
            assert count(connection, table) == rows, table
        for table in ("final", "fill", "day", "equity15", "close", "identity", "origin", "gap"):
            ((rows,),) = small.rows(f"SELECT count(*) FROM {table}")
            assert count(connection, table) == rows, table
        call = HistoryCall(kind="orders", labels=["alpha"], at_us=epoch_us(small.clock.now))
        assert render(DatabaseReader(connection), call) == render(reader, call)


def test_what_changes_in_the_ledger_is_copied_again_and_leaves_the_outbox(
    tmp_path: Path, server: Server, schema: str
) -> None:
    small = ship_small(tmp_path)
    with database(server, schema) as connection:
        shipper = Shipper(small.directory, connection)
        for minutes in (1, 2, 3):
            small.clock.now += 60
            small.writer.write()
            progress = shipper.ship()
            assert connection.execute("SELECT DISTINCT minutes FROM day").fetchall() == [(minutes,)]
            small.writer.acknowledge(progress.outbox)
        assert shipper.ship().rows == 0
        small.clock.now += 60
        small.writer.write()
        assert small.rows(
            "SELECT count(*) FROM outbox WHERE n <= ?".replace("?", str(progress.outbox))
        ) == [(0,)]


def test_an_hour_without_the_database_is_copied_afterwards_and_nothing_grows_without_limit(
    tmp_path: Path, server: Server, schema: str
) -> None:
    """What waits for it are keys of rows that the files have anyway, each once."""
    small = ship_small(tmp_path)
    with database(server, schema) as connection:
        shipper = Shipper(small.directory, connection)
        progress = shipper.ship()
        small.writer.acknowledge(progress.outbox)
        copied = count(connection, "event")
        for number in range(720):  # it is down
            small.clock.now += 5
            small.touch("alpha", number % 40, order(number % 40, status="filled", qty=str(number)))
            small.writer.write()
        assert count(connection, "event") == copied
        tables = ("fill", "final", "gap", "equity15", "day", "close", "origin", "identity")
        rows = sum(int(str(small.rows(f"SELECT count(*) FROM {t}")[0][0])) for t in tables)
        ((waiting,),) = small.rows("SELECT count(*) FROM outbox")
        assert int(str(waiting)) <= rows
        small.writer.acknowledge(shipper.ship().outbox)
        for table in ("event", "snapshot", "equity", "price"):
            found = [small.rows(f"SELECT count(*) FROM {table}", file.path)
                     for file in small.directory.day_files()]  # fmt: skip
            assert count(connection, table) == sum(int(str(n)) for ((n,),) in found), table
        for table in tables:
            ((total,),) = small.rows(f"SELECT count(*) FROM {table}")
            assert count(connection, table) == total, table
        small.clock.now += 60
        small.writer.write()
        ((left,),) = small.rows("SELECT count(*) FROM outbox")
        assert int(str(left)) < 20


def test_days_are_complete_once_they_are_over_and_expire(
    tmp_path: Path, server: Server, schema: str
) -> None:
    small = ship_small(tmp_path)
    with database(server, schema) as connection:
        shipper = Shipper(small.directory, connection)
        first = epoch_us(small.clock.now) // DAY_US
        assert shipper.ship().complete_day == first - 1
        small.clock.now += 86_400
        small.touch("alpha", 990)
        small.writer.write()
        assert shipper.ship().complete_day == first
        assert count(connection, "event") > 0
        assert shipper.ship(expire_before_day=first + 1).dropped == ["2026-10-03"]
        tables = (
            "SELECT count(*) FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'event_2%%'"
        )
        assert connection.execute(tables, (schema,)).fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM file").fetchone() == (1,)


def test_a_file_that_was_deleted_before_it_was_copied_is_a_gap(
    tmp_path: Path, server: Server, schema: str
) -> None:
    small = ship_small(tmp_path)
    with database(server, schema) as connection:
        shipper = Shipper(small.directory, connection)
        shipper.ship()
        small.touch("alpha", 991)
        (file,) = small.directory.day_files()
        small.clock.now += 86_400
        small.touch("alpha", 992)
        small.writer.write()
        small.directory.remove(file)
        assert shipper.ship().missing == [file.path.name]
        call = HistoryCall(
            kind="events", labels=["alpha"], limit=9, from_us=file.day * DAY_US,
            to_us=(file.day + 1) * DAY_US,
        )  # fmt: skip
        headers = render(DatabaseReader(connection), call).headers
        assert headers["X-Realtime-History"] == "partial; reason=not-copied"


def test_a_directory_that_was_lost_is_followed_by_another(
    tmp_path: Path, server: Server, schema: str
) -> None:
    """The same day again, with rows of the same numbers."""
    with database(server, schema) as connection:
        total = 0
        for number in (1, 2):
            small = ship_small(tmp_path / str(number))
            small.clock.now += number
            small.touch("alpha", 700 + number)
            small.writer.write()
            Shipper(small.directory, connection).ship()
            (day,) = small.directory.day_files()
            ((rows,),) = small.rows("SELECT count(*) FROM event", day.path)
            total += int(str(rows))
            small.writer.kill()
        assert count(connection, "event") == total


def test_another_versions_tables_are_not_touched(server: Server, schema: str) -> None:
    with database(server, schema) as connection:
        connection.execute("UPDATE setting SET value = '99'")
        with pytest.raises(Exception, match="another version"):
            create_tables(connection, schema)


def test_the_views_show_decimals_and_times(tmp_path: Path, server: Server, schema: str) -> None:
    small = ship_small(tmp_path)
    small.clock.now += 60
    small.writer.write()
    with database(server, schema) as connection:
        Shipper(small.directory, connection).ship()
        row = connection.execute(
            "SELECT account_id, equity::text, extract(epoch FROM at)::bigint FROM minutes LIMIT 1"
        ).fetchone()
        assert row == ("alpha", "100281.400000000000", 1_791_000_060 // 60 * 60)
        for view in ("fills", "days", "events"):
            connection.execute(f"SELECT * FROM {view} LIMIT 1")


def test_the_recipes_for_grafana_are_valid(tmp_path: Path, server: Server) -> None:
    """Every query of the page, with values in place of Grafana's macros."""
    small = ship_small(tmp_path)
    small.clock.now += 60
    small.writer.write()
    page = (Path(__file__).parents[3] / "docs" / "history.md").read_text(encoding="utf-8")
    postgres, sqlite = re.findall(r"```sql\n(.*?)```", page.partition("## Grafana")[2], re.DOTALL)
    macros = {"$__unixEpochFrom()": "0", "$__unixEpochTo()": "4000000000", "$account": "'alpha'"}
    with database(server, "realtime") as connection:
        Shipper(small.directory, connection).ship()
        for query in filter(str.strip, postgres.split(";")):
            for macro, value in macros.items():
                query = query.replace(macro, value)
            query = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 IS NOT NULL", query)
            rows = connection.execute(query).fetchall()
            assert rows or "fills" in query, query
    query = sqlite.replace("$__from", "0").replace("$__to", "4000000000000")
    assert small.rows(query)
