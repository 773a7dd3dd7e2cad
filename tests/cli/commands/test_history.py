"""`realtime history` and `realtime diff` on files of a real writer and a real daemon."""

import csv
import sqlite3
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from realtime.cli import FAILED, SUCCESS, USAGE_ERROR, group
from realtime.history.directory import DayPath, HistoryDirectory
from realtime.history.export import EXPORTS, TABLES, read_table
from realtime.history.maintenance import back_up, copy_file
from realtime.history.queue import HistoryQueue
from realtime.history.reading import FileReader
from realtime.history.writer import HistoryWriter
from realtime.notify.outbox import NewMessage, Outbox, Writes
from realtime.simulator.app import Simulator
from tests.api.documents.made import NOW, fleet
from tests.cli import programs
from tests.cli.commands.test_status import daemon

KEYLESS = "[accounts.alpha]\n[history]\npath = 'past'\n"


def record(folder: Path) -> HistoryDirectory:
    """A day of five accounts; returns its directory, which `KEYLESS` names."""
    (folder / "accounts.toml").write_text(KEYLESS)
    store, queue = fleet(), HistoryQueue()
    directory = HistoryDirectory(folder / "past")
    writer = HistoryWriter(directory, queue, clock=lambda: NOW)
    store.subscribe(queue.add)
    for item in list(store):
        store.remove(item.profile.label)
        store.add(item.profile, now=NOW)
        store.update(item.profile.label, now=NOW, state=item.state, link=item.link)
    writer.write()
    writer.kill()
    return directory


def run(folder: Path, *args: str) -> tuple[int, str]:
    config = str(folder / "accounts.toml")
    # As `main` does: a command returns its exit code.
    result = CliRunner().invoke(group, [*args, "--config", config], standalone_mode=False)
    if result.exception is not None:
        return FAILED, str(result.exception)
    return result.return_value or SUCCESS, result.output


def test_whole_files_are_reported_and_damaged_ones_named(tmp_path: Path) -> None:
    directory = record(tmp_path)
    code, out = run(tmp_path, "history", "check")
    assert (code, out.count("ok  "), "DAMAGED" in out) == (SUCCESS, 2, False)
    directory.day_files()[0].path.write_bytes(b"no database" * 400)
    code, out = run(tmp_path, "history", "check")
    assert (code, out.count("DAMAGED")) == (FAILED, 1)


def test_the_outbox_of_the_webhooks_is_checked_and_not_backed_up(tmp_path: Path) -> None:
    """A copy that is put back would send again what was delivered long ago."""
    directory = record(tmp_path)
    outbox = Outbox(directory.path)
    outbox.open(NOW)
    outbox.read(["hook"])
    outbox.write(Writes(messages=[NewMessage("hook", "alpha", "order", b"{}")]))
    outbox.close()
    code, out = run(tmp_path, "history", "check")
    assert (code, "1 messages to webhooks wait" in out) == (SUCCESS, True)
    assert run(tmp_path, "history", "backup", str(tmp_path / "copy"))[0] == SUCCESS
    assert not (tmp_path / "copy" / directory.webhook_outbox.name).exists()
    directory.webhook_outbox.write_bytes(b"no database" * 400)
    code, out = run(tmp_path, "history", "check")
    assert (code, out.count("DAMAGED")) == (FAILED, 1)


def test_a_backup_can_be_read_and_is_private(tmp_path: Path) -> None:
    record(tmp_path)
    target = tmp_path / "copy"
    code, out = run(tmp_path, "history", "backup", str(target))
    assert (code, out) == (SUCCESS, f"2 files in {target}\n")
    for path in target.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


@pytest.mark.parametrize("alias", ["past", "past/../past", "link"])
def test_a_backup_into_the_history_itself_is_refused_and_loses_nothing(
    tmp_path: Path, alias: str
) -> None:
    directory = record(tmp_path)
    (tmp_path / "link").symlink_to(directory.path)
    before = {path.name: path.read_bytes() for path in directory.path.glob("*.sqlite*")}
    code, message = run(tmp_path, "history", "backup", str(tmp_path / alias))
    assert (code, "the history itself" in message) == (FAILED, True)
    assert {path.name: path.read_bytes() for path in directory.path.glob("*.sqlite*")} == before


def test_a_backup_that_fails_leaves_the_copy_before_it(tmp_path: Path) -> None:
    directory = record(tmp_path)
    target = tmp_path / "copy"
    assert run(tmp_path, "history", "backup", str(target))[0] == SUCCESS
    before = (target / "ledger.sqlite").read_bytes()
    directory.ledger.write_bytes(b"no database" * 400)
    code, message = run(tmp_path, "history", "backup", str(target))
    assert (code, "ledger.sqlite: file is not a database" in message) == (FAILED, True)
    assert (target / "ledger.sqlite").read_bytes() == before
    assert sorted(path.suffix for path in target.iterdir()) == [".sqlite", ".sqlite"]


def test_a_day_that_is_deleted_during_a_backup_is_left_out(tmp_path: Path) -> None:
    directory = record(tmp_path)
    (day,) = directory.day_files()

    class Deleting(HistoryDirectory):
        def day_files(self) -> list[DayPath]:
            found = super().day_files()
            gone = DayPath(0, 1, self.path / "1970-01-01.sqlite")
            return [gone, *found]

    copies = back_up(Deleting(directory.path), tmp_path / "copy")
    assert [copy.name for copy in copies] == [day.path.name, "ledger.sqlite"]
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {c.name for c in copies}


def test_a_backup_replaces_what_sqlite_kept_beside_the_copy(tmp_path: Path) -> None:
    """A write-ahead log of another file would be applied to the new copy."""
    record(tmp_path)
    target = tmp_path / "copy"
    target.mkdir()
    (target / "ledger.sqlite-wal").write_bytes(b"of another file")
    assert run(tmp_path, "history", "backup", str(target))[0] == SUCCESS
    assert not (target / "ledger.sqlite-wal").exists()


def test_a_backup_ends_although_the_daemon_writes_all_the_time(tmp_path: Path) -> None:
    """SQLite begins a copy in several steps again whenever another connection commits."""
    directory = record(tmp_path)
    with closing(sqlite3.connect(directory.ledger)) as connection:
        connection.execute("CREATE TABLE filler(x)")
        connection.executemany("INSERT INTO filler VALUES (?)", [(bytes(4000),)] * 2000)
        connection.commit()
        steps = 0

        def commit(*_: int) -> None:
            nonlocal steps
            steps += 1
            assert steps < 20, "the copy began again with each commit"
            connection.execute("INSERT INTO filler VALUES (1)")
            connection.commit()

        copy_file(directory.ledger, tmp_path / "copy.sqlite", progress=commit)
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("name", ["a#b", "a?mode=rwc", "a%41", "a b"])
def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    """SQLite opens a file read-only by a URI, in which these characters mean something."""
    folder = tmp_path / name
    folder.mkdir()
    record(folder)
    assert run(folder, "history", "check")[0] == SUCCESS
    assert run(folder, "history", "export", "orders", str(folder / "orders.csv"))[0] == SUCCESS
    assert run(folder, "history", "backup", str(folder / "copy"))[0] == SUCCESS
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_export_does_not_overwrite_the_history(tmp_path: Path) -> None:
    directory = record(tmp_path)
    before = directory.ledger.read_bytes()
    code, message = run(tmp_path, "history", "export", "days", str(directory.ledger))
    assert (code, "the history itself" in message) == (FAILED, True)
    assert directory.ledger.read_bytes() == before


def test_a_ledger_that_cannot_be_read_is_named_and_the_file_stays(tmp_path: Path) -> None:
    directory = record(tmp_path)
    directory.ledger.write_bytes(b"no database" * 400)
    target = tmp_path / "fills.csv"
    target.write_text("of yesterday")
    code, message = run(tmp_path, "history", "export", "fills", str(target))
    assert (code, "ledger.sqlite: file is not a database" in message) == (FAILED, True)
    assert "remedy: `realtime history check`" in message
    assert target.read_text() == "of yesterday"


def test_a_day_that_is_deleted_while_others_are_exported_is_left_out(tmp_path: Path) -> None:
    """And a damaged one is named, not the ledger."""
    directory = record(tmp_path)
    (day,) = directory.day_files()
    earlier = day.path.with_name("2026-01-02.sqlite")
    earlier.write_bytes(day.path.read_bytes())
    rows = read_table(FileReader(directory), "events")
    first = next(rows)
    assert first is not None
    day.path.unlink()
    assert len(list(rows)) < 2 * len(list(read_table(FileReader(directory), "events")))
    earlier.write_bytes(b"no database" * 400)
    code, message = run(tmp_path, "history", "export", "events", str(tmp_path / "events.csv"))
    assert (code, "2026-01-02.sqlite: file is not a database" in message) == (FAILED, True)
    assert "ledger" not in message


def test_an_export_that_fails_leaves_the_file_before_it(tmp_path: Path) -> None:
    directory = record(tmp_path)
    (day,) = directory.day_files()
    day.path.with_name("2027-01-02.sqlite").write_bytes(b"no database" * 400)
    target = tmp_path / "events.csv"
    target.write_text("of yesterday")
    assert run(tmp_path, "history", "export", "events", str(target))[0] == FAILED
    assert target.read_text() == "of yesterday"
    assert not target.with_name("events.csv.part").exists()


def test_truth_values_are_exported_as_the_daemon_sends_them(tmp_path: Path) -> None:
    directory = record(tmp_path)
    with closing(sqlite3.connect(directory.ledger)) as connection:
        for number, removed_us in ((1, None), (2, 1)):
            connection.execute(
                "INSERT INTO fill(acc, exe, at_us, source, removed_us) VALUES (1, ?, ?, 'rest', ?)",
                (number.to_bytes(16), number, removed_us),
            )
        connection.commit()
    target = tmp_path / "fills.csv"
    assert run(tmp_path, "history", "export", "fills", str(target))[0] == SUCCESS
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [row["busted"] for row in rows] == ["false", "true"]


def test_a_text_that_a_spreadsheet_would_compute_is_exported_as_text(tmp_path: Path) -> None:
    directory = record(tmp_path)
    with closing(sqlite3.connect(directory.ledger)) as connection:
        connection.execute("UPDATE final SET client_order_id = '=1+1'")
        connection.commit()
    target = tmp_path / "orders.csv"
    assert run(tmp_path, "history", "export", "orders", str(target))[0] == SUCCESS
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert {row["client_order_id"] for row in rows} == {"'=1+1"}


def test_orders_are_exported_with_their_strings(tmp_path: Path) -> None:
    record(tmp_path)
    target = tmp_path / "orders.csv"
    code, out = run(tmp_path, "history", "export", "orders", str(target))
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert (code, out) == (SUCCESS, f"{len(rows)} rows in {target}\n")
    assert {row["status"] for row in rows} == {"filled", "canceled"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "args", [("diff", "nope", "2026-11-30"), ("diff", "alpha", "noon"), ("history", "show", "nope")]
)
async def test_a_wrong_argument_is_exit_code_2_as_everywhere(
    sim: Simulator, args: tuple[str, ...]
) -> None:
    async with daemon(sim) as url:
        answer = await programs.run(*args, REALTIME_URL=url)
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert "remedy: " in answer.err


def test_without_files_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(KEYLESS)
    assert run(tmp_path, "history", "check") == (SUCCESS, f"no history in {tmp_path / 'past'}\n")
    code, message = run(tmp_path, "history", "export", "fills", str(tmp_path / "x.csv"))
    assert (code, "no history in" in message) == (FAILED, True)
    (tmp_path / "accounts.toml").write_text("[accounts.alpha]\n[history]\nenabled = false\n")
    assert "history is off" in run(tmp_path, "history", "check")[1]


def test_parquet_has_the_rows_of_csv_with_exact_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow comes with the extra archive")
    record(tmp_path)
    for table in TABLES:
        sheet, archive = tmp_path / f"{table}.csv", tmp_path / f"{table}.parquet"
        assert run(tmp_path, "history", "export", table, str(sheet))[0] == SUCCESS
        code, out = run(tmp_path, "history", "export", table, str(archive))
        assert code == SUCCESS, out
        with sheet.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        read = parquet.read_table(archive)
        assert read.num_rows == len(rows)
        assert read.column_names == [column.name for column in EXPORTS[table].columns]
        for row, exact in zip(rows, read.to_pylist(), strict=True):
            for column in EXPORTS[table].columns:
                if column.kind in ("qty", "money") and row[column.name]:
                    assert Decimal(row[column.name]) == exact[column.name]
                elif column.kind in ("time", "minute") and row[column.name]:
                    assert datetime.fromisoformat(row[column.name]) == exact[column.name]
    schema = parquet.read_schema(tmp_path / "events.parquet")
    assert str(schema.field("at").type) == "timestamp[us, tz=UTC]"
    assert str(schema.field("price").type) == "decimal128(28, 9)"
    assert not list(tmp_path.glob("*.part"))


def test_an_export_of_a_day_that_is_not_kept_is_empty(tmp_path: Path) -> None:
    record(tmp_path)
    target = tmp_path / "events.csv"
    code, out = run(tmp_path, "history", "export", "events", str(target), "--day", "2020-01-01")
    assert (code, out) == (SUCCESS, f"0 rows in {target}\n")
    assert run(tmp_path, "history", "export", "events", str(target), "--day", "x")[0] == FAILED
