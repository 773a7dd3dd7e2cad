"""A log file that is moved away, removed, or on a full disk."""

import os
from pathlib import Path

import pytest

from realtime.errors import ConfigError
from realtime.telemetry import log as logs
from realtime.telemetry.log_file import LOOKUP_INTERVAL_S, LogFile


class Now:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.log"


def test_lines_arrive_at_once_behind_those_of_before(path: Path) -> None:
    path.write_text("before\n")
    LogFile(path).write("one → two")
    assert path.read_text() == "before\none → two\n"


def test_it_is_nobody_elses_to_read(path: Path) -> None:
    LogFile(path).write("one")
    assert path.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_a_rotated_file_is_opened_anew(path: Path, how: str) -> None:
    now = Now()
    log = LogFile(path, now)
    log.write("one")
    old = path.rename(path.with_suffix(".1")) if how == "moved" else None
    if old is None:
        path.unlink()
    log.write("two")
    assert not path.exists(), "the name is not looked up at every line"
    now.s += LOOKUP_INTERVAL_S
    log.write("three")
    assert path.read_text() == "three\n"
    if old is not None:
        assert old.read_text() == "one\ntwo\n"
    assert log.lost == 0


def test_it_is_opened_anew_when_told(path: Path) -> None:
    log = LogFile(path, Now())
    path.rename(path.with_suffix(".1"))
    log.reopen_if_moved()
    log.write("one")
    assert path.read_text() == "one\n"


def test_a_directory_that_is_gone_costs_nothing_but_a_name(path: Path) -> None:
    now = Now()
    directory = path.parent / "logs"
    directory.mkdir()
    log = LogFile(directory / "run.log", now)
    (directory / "run.log").unlink()
    directory.rmdir()
    now.s += LOOKUP_INTERVAL_S
    log.write("into the old file")
    assert log.lost == 0
    directory.mkdir()
    now.s += LOOKUP_INTERVAL_S
    log.write("two")
    assert (directory / "run.log").read_text() == "two\n"


def test_a_full_disk_is_counted(path: Path) -> None:
    path.symlink_to("/dev/full")
    log = LogFile(path, now := Now())
    log.write("one")
    log.write("two")
    assert log.lost == 2
    path.unlink()
    now.s += LOOKUP_INTERVAL_S
    log.write("three")
    assert (log.lost, path.read_text()) == (0, "three\n")


def test_a_pipe_that_nobody_empties_stops_nobody(path: Path) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = LogFile(path, Now())
    for _ in range(100):
        log.write("x" * 4000)
    assert log.lost > 0
    os.close(reader)


def test_no_descriptor_is_left_over(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    log = LogFile(path, Now())
    for _ in range(20):
        path.unlink()
        log.reopen_if_moved()
    assert len(os.listdir("/proc/self/fd")) == before + 1
    log.close()
    log.write("one")
    assert log.lost == 1


def test_the_log_goes_there_and_counts_what_it_lost(path: Path) -> None:
    logs.configure(file=path)
    log = logs.get_logger()
    log.info("a.b")
    assert path.read_text().startswith('{"timestamp":"')
    path.rename(path.with_suffix(".1"))
    logs.reopen_log_file()
    log.info("a.b")
    assert len(path.read_text().splitlines()) == 1
    lost = logs.get_lost_lines()
    path.unlink()
    path.symlink_to("/dev/full")
    logs.reopen_log_file()
    log.info("a.b")
    log.info("a.b")
    assert logs.get_lost_lines() == lost + 2


def test_a_file_that_cannot_be_opened_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened: is a directory") as told:
        logs.configure_from({"REALTIME_LOG_FILE": str(tmp_path)})
    assert "--log-file" in told.value.remedy
