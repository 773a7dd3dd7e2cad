"""`realtime history` and `realtime diff` on files of a real writer and a real daemon."""

import csv
import sqlite3
from pathlib import Path

from click.testing import CliRunner

from realtime.cli import FAILED, SUCCESS, group
from realtime.history.directory import HistoryDirectory
from realtime.history.queue import HistoryQueue
from realtime.history.writer import HistoryWriter
from tests.api.documents.made import NOW, fleet

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


def test_orders_are_exported_with_their_strings(tmp_path: Path) -> None:
    record(tmp_path)
    target = tmp_path / "orders.csv"
    code, out = run(tmp_path, "history", "export", "orders", str(target))
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert (code, out) == (SUCCESS, f"{len(rows)} rows in {target}\n")
    assert {row["status"] for row in rows} == {"filled", "canceled"}


def test_without_files_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(KEYLESS)
    assert run(tmp_path, "history", "check") == (SUCCESS, f"no history in {tmp_path / 'past'}\n")
    code, message = run(tmp_path, "history", "export", "fills", str(tmp_path / "x.csv"))
    assert (code, "no history in" in message) == (FAILED, True)
    (tmp_path / "accounts.toml").write_text("[accounts.alpha]\n[history]\nenabled = false\n")
    assert "history is off" in run(tmp_path, "history", "check")[1]
