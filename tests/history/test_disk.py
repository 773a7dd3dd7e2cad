"""Disks that are full, read-only or torn: the store goes on, the failure is reported, and nothing
that had room in the queue is missing afterwards."""

import os
import random
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from realtime.history.exact import epoch_us
from realtime.history.maintenance import check
from realtime.history.reading import FileReader
from realtime.history.state_at import state_at
from realtime.history.writer import RETRY_S
from tests.api.documents.made import order
from tests.history.scene import Recording, Small, play, trade
from tests.seeds import seeds


class SmallDisk:
    """A file system of 2 MB in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Take all room that is left."""
        with (self.path / "filler").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                return

    def free(self) -> None:
        """Give the room back."""
        (self.path / "filler").unlink()

    def remount(self, option: str) -> None:
        """`ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2M", "none", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def assert_whole(small: Small) -> None:
    past = state_at(FileReader(small.directory), "alpha", epoch_us(small.clock.now))
    record = small.store.get("alpha")
    assert record is not None
    assert past.state.orders == record.state.orders


def test_a_full_disk_is_reported_and_what_waited_is_written_once_there_is_room(
    disk: SmallDisk,
) -> None:
    small = Small(disk.path / "history", max_changes=10_000)
    small.writer.write_guarded()
    disk.fill()
    for number in range(1_000, 1_400):
        small.clock.now += 0.1
        small.touch("alpha", number)
        if number % 20 == 0:
            small.writer.write_guarded()
    failing = small.writer.status
    assert (failing.condition, failing.failure) == ("failing", "disk_full")
    assert failing.missing_since is not None
    disk.free()
    small.clock.now += RETRY_S
    small.writer.write_guarded()
    assert small.writer.status.condition == "recording"
    assert small.writer.status.lost == {}
    assert_whole(small)
    ((rows,),) = small.rows(
        "SELECT count(*) FROM event WHERE kind = 'order'", small.directory.day_files()[0].path
    )
    assert rows == 400


@pytest.mark.slow
def test_a_disk_that_is_full_for_too_long_leaves_a_gap(disk: SmallDisk) -> None:
    small = Small(disk.path / "history", max_changes=50)
    small.writer.write_guarded()
    disk.fill()
    began = small.clock.now
    for number in range(1_000, 1_400):
        small.clock.now += 0.1
        small.touch("alpha", number)
        small.writer.write_guarded()
    assert small.writer.status.is_dropping
    disk.free()
    small.clock.now += RETRY_S
    small.writer.write_guarded()
    small.touch("alpha", 1_400)
    small.writer.write_guarded()
    lost = sum(small.writer.status.lost.values())
    assert lost > 0
    ((reason, from_us, rows),) = small.rows("SELECT reason, from_us, rows FROM gap")
    assert (reason, rows) == ("overflow", lost)
    assert int(str(from_us)) > epoch_us(began)
    assert_whole(small)


@pytest.mark.slow
def test_a_full_disk_deletes_the_oldest_day(disk: SmallDisk) -> None:
    small = Small(disk.path / "history", max_changes=10_000)
    small.writer.write_guarded()
    small.clock.now += 86_400
    small.touch("alpha", 999)
    small.writer.write_guarded()
    disk.fill()
    for number in range(1_000, 1_200):
        small.clock.now += 1
        small.touch("alpha", number)
        small.writer.write_guarded()
    assert "deleted" in [report.event for report in small.writer.reports]
    assert len(small.directory.day_files()) == 1


def test_a_disk_that_becomes_read_only_is_reported_and_survived(disk: SmallDisk) -> None:
    small = Small(disk.path / "history")
    small.writer.write_guarded()
    small.writer.kill()
    disk.remount("ro")
    again = Small(disk.path / "history")
    again.clock.now += 1
    again.touch("alpha", 905)
    again.writer.write_guarded()
    assert again.writer.status.failure == "not_writable"
    again.writer.kill()
    disk.remount("rw")
    again.clock.now += RETRY_S
    again.writer.write_guarded()
    assert again.writer.status.condition == "recording"
    assert_whole(again)


def test_a_limit_of_file_size_is_reported_and_survived(tmp_path: Path) -> None:
    """RLIMIT_FSIZE, as systemd's LimitFSIZE sets it."""
    small = Small(tmp_path, max_changes=10_000)
    small.writer.write()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        conditions = set()
        for number in range(1_000, 1_400):
            small.clock.now += 1
            small.touch("alpha", number)
            if number % 20 == 0:
                small.writer.write_guarded()
                conditions.add(small.writer.status.condition)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "failing" in conditions
    small.clock.now += RETRY_S
    small.writer.write_guarded()
    assert small.writer.status.condition == "recording"
    assert small.writer.status.lost == {}
    assert_whole(small)


def test_an_hour_without_a_disk_costs_a_bounded_queue_and_a_gap_that_counts(
    tmp_path: Path,
) -> None:
    """At two changes a second; what waits is bounded, and every change is written or counted."""
    small = Small(tmp_path / "history", max_changes=1_000)
    small.writer.write()
    small.writer.kill()
    file = tmp_path / "history"
    file.rename(tmp_path / "away")
    file.write_text("not a directory")
    changes = 7_200
    most = 0
    for number in range(changes):
        small.clock.now += 0.5
        small.touch("alpha", 0, order(number % 50, qty=str(number + 1)))
        if number % 10 == 0:
            small.writer.write_guarded()
        most = max(most, len(small.queue))
    status = small.writer.status
    assert (status.condition, status.failure, status.is_dropping) == (
        "failing", "not_writable", True,
    )  # fmt: skip
    assert status.missing_since is not None
    assert most <= 1_000 * 1.2
    assert sum(status.lost.values()) + status.waiting == changes
    file.unlink()
    (tmp_path / "away").rename(file)
    small.clock.now += RETRY_S
    for _ in range(3):
        small.writer.write_guarded()
        small.clock.now += 1
    small.touch("alpha", 0, order(0, qty="9999"))
    small.writer.write_guarded()
    assert small.writer.status.condition == "recording"
    rows = small.rows("SELECT sum(rows) FROM gap WHERE reason = 'overflow'")
    assert rows == [(sum(small.writer.status.lost.values()),)]
    assert_whole(small)


@pytest.mark.parametrize("seed", seeds(2, 12))
def test_torn_pages_anywhere_never_stop_recording(tmp_path: Path, seed: int) -> None:
    """Of the file, of its log, or both: it is read as it was, or set aside."""
    rng = random.Random(seed)

    async def act(recording: Recording) -> None:
        await trade(recording, 4.0, rng)
        recording.writer.write()
        day, ledger = recording.directory.day_files()[0].path, recording.directory.ledger
        recording.restart()
        for path in (day, ledger):
            for side in (path, Path(f"{path}-wal")):
                if side.exists() and rng.random() < 0.7:
                    tear(side, rng)
        for _ in range(4):
            await trade(recording, RETRY_S + 1, rng, write=recording.writer.write_guarded)
        assert recording.writer.status.condition == "recording", recording.writer.status
        assert recording.running.all_synced()
        label = "alpha"
        last_us, record = recording.seen[label][-1]
        recording.writer.write_guarded()
        assert state_at(recording.reader, label, last_us).state.orders == record.state.orders
        check(recording.directory)

    play(tmp_path, act, seed=seed)


def tear(path: Path, rng: random.Random) -> None:
    """Overwrite a piece, or cut the end off."""
    size = path.stat().st_size
    if size == 0:
        return
    with path.open("r+b") as file:
        if rng.random() < 0.3:
            file.truncate(rng.randrange(size))
            return
        file.seek(rng.randrange(size))
        file.write(rng.randbytes(rng.choice([16, 512, 4096, 20_000])))


def test_a_ledger_of_a_later_version_with_more_columns_is_written(tmp_path: Path) -> None:
    """After a downgrade: the ledger only gains columns."""
    small = Small(tmp_path)
    small.writer.write()
    small.writer.kill()
    with closing(sqlite3.connect(small.directory.ledger, isolation_level=None)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN later TEXT")
    again = Small(tmp_path)
    again.clock.now += 1
    done = order(906, status="filled")
    again.touch("alpha", 906, done)
    for _ in range(3):
        again.clock.now += 900
        again.writer.write()
    assert again.rows("SELECT status FROM final WHERE client_order_id = 'rt-0906'") == [("filled",)]
