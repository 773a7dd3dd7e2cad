"""What is committed survives; executions are in the ledger once, whatever is lost on the way."""

import random
import sqlite3
from pathlib import Path

import pytest

from realtime.history.directory import HistoryDirectory
from realtime.history.exact import epoch_us, instant, unpack_id
from realtime.history.queue import HistoryQueue
from realtime.history.reading import FileReader
from realtime.history.state_at import state_at
from realtime.history.writer import HistoryWriter
from tests.api.documents.made import NOW, order
from tests.history.scene import Recording, Small, play, trade
from tests.seeds import seeds


def ledger_fills(recording: Recording, label: str) -> list[str | None]:
    with recording.reader.open(recording.directory.ledger) as connection:
        rows = connection.execute(
            "SELECT exe FROM fill JOIN account ON account.n = acc WHERE label = ?", (label,)
        ).fetchall()
    return [unpack_id(exe) for (exe,) in rows]


def known_executions(recording: Recording, label: str) -> set[str]:
    state = recording.running.record(label).state
    return {str(e) for executions in state.executions.values() for e in executions}


@pytest.mark.parametrize("seed", seeds(2, 6))
def test_every_execution_is_in_the_ledger_once_after_kills(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)

    async def act(recording: Recording) -> None:
        for _ in range(rng.randint(2, 5)):
            await trade(recording, rng.uniform(1.0, 15.0), rng)
            recording.restart()
        await trade(recording, 5.0, rng)
        recording.writer.write()
        for label in ("alpha", "bravo"):
            fills = ledger_fills(recording, label)
            assert len(fills) == len(set(fills))
            assert known_executions(recording, label) <= set(fills)

    play(tmp_path, act, seed=seed)


def test_a_restart_is_a_gap(tmp_path: Path) -> None:
    async def act(recording: Recording) -> None:
        rng = random.Random(2)
        await trade(recording, 5.0, rng)
        recording.restart()
        await trade(recording, 5.0, rng)
        with recording.reader.open(recording.directory.ledger) as connection:
            gaps = connection.execute("SELECT reason, to_us > from_us FROM gap").fetchall()
        assert gaps == [("stopped", 1)]

    play(tmp_path, act)


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    async def act(recording: Recording) -> None:
        await trade(recording, 2.0, random.Random(1))
        assert recording.directory.path.stat().st_mode & 0o777 == 0o700
        for path in recording.directory.path.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path

    play(tmp_path / "history", act)


def remove_side_file(path: Path) -> None:
    Path(f"{path}-wal").unlink(missing_ok=True)


def test_a_damaged_file_is_set_aside_and_recording_goes_on(tmp_path: Path) -> None:
    async def act(recording: Recording) -> None:
        rng = random.Random(3)
        await trade(recording, 3.0, rng)
        path = recording.directory.day_files()[0].path
        recording.restart()
        path.write_bytes(b"no database" * 1000)
        remove_side_file(path)
        await trade(recording, 3.0, rng)
        assert recording.writer.status.condition == "recording"
        assert (path.name + ".bad") in {p.name for p in recording.directory.path.iterdir()}
        assert [r.event for r in recording.writer.reports if "aside" in r.event]

    play(tmp_path, act)


def test_a_file_of_a_later_version_stays_untouched(tmp_path: Path) -> None:
    async def act(recording: Recording) -> None:
        rng = random.Random(3)
        await trade(recording, 3.0, rng)
        path = recording.directory.day_files()[0].path
        recording.restart()
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
        connection.close()
        await trade(recording, 3.0, rng)
        assert recording.writer.status.condition == "recording"
        assert [file.part for file in recording.directory.day_files()] == [1, 2]

    play(tmp_path, act)


def test_a_day_that_ends_is_sealed_and_the_next_stands_alone(tmp_path: Path) -> None:
    """Also for an account in which nothing has happened since midnight."""
    small = Small(tmp_path)
    small.writer.write()
    small.clock.now += 86_400
    small.touch("alpha", 900)
    small.writer.write()
    first, second = small.directory.day_files()
    assert (first.path.name, second.path.name) == ("2026-10-03.sqlite", "2026-10-04.sqlite")
    assert small.rows("SELECT value FROM meta WHERE key = 'sealed'", first.path) == [(1,)]
    labels = "SELECT DISTINCT label FROM snapshot JOIN account ON account.n = acc ORDER BY label"
    assert small.rows(labels, second.path) == [("alpha",), ("bravo",)]
    midnight_us = second.day * 86_400_000_000
    before = state_at(FileReader(small.directory), "alpha", midnight_us + 1)
    after = state_at(FileReader(small.directory), "alpha", epoch_us(small.clock.now))
    assert len(after.state.orders) == len(before.state.orders) + 1
    assert state_at(FileReader(small.directory), "alpha", midnight_us - 1).is_sealed


def test_a_clock_that_goes_back_over_midnight_loses_nothing(tmp_path: Path) -> None:
    small = Small(tmp_path)
    small.clock.now += 86_400
    small.writer.write()
    small.clock.now -= 86_400
    small.touch("alpha", 901)
    small.writer.write()
    assert len(small.directory.day_files()) == 2
    small.clock.now += 86_400
    past = state_at(FileReader(small.directory), "alpha", epoch_us(small.clock.now))
    assert order(901).id in past.state.orders


def test_a_full_queue_drops_counts_and_says_so(tmp_path: Path) -> None:
    """Rows that are missing are rows that were counted; the state after it is whole again."""
    small = Small(tmp_path, max_changes=20)
    small.writer.write()
    for number in range(100, 150):
        small.clock.now += 0.1
        small.touch("alpha", number)
    assert small.queue.is_dropping
    assert len(small.queue) + small.queue.lost.total() == 50
    small.writer.write()
    small.writer.write()  # half of the room is free: recording resumes
    small.touch("alpha", 150)
    small.writer.write()
    assert small.rows("SELECT reason, rows FROM gap") == [("overflow", 30)]
    assert small.writer.status.lost == {"event": 30}
    past = state_at(FileReader(small.directory), "alpha", epoch_us(small.clock.now))
    record = small.store.get("alpha")
    assert record is not None
    assert past.state.orders == record.state.orders


def test_a_directory_that_cannot_be_written_is_reported_and_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("a file is in the way")
    small = Small(path)
    small.writer.write_guarded()
    failing = small.writer.status
    assert (failing.condition, failing.failure) == ("failing", "not_writable")
    assert failing.missing_since == NOW
    assert [report.event for report in small.writer.reports] == ["failed"]
    path.unlink()
    small.writer.write_guarded()
    assert small.writer.status.condition == "recording"
    assert [report.event for report in small.writer.reports][-1] == "recovered"
    assert small.rows("SELECT label FROM account ORDER BY label") == [("alpha",), ("bravo",)]


def test_minutes_quarters_and_days(tmp_path: Path) -> None:
    small = Small(tmp_path)
    small.writer.write()
    for _ in range(3):
        small.clock.now += 60
        small.writer.write()
    (day,) = small.directory.day_files()
    assert small.rows("SELECT count(*), min(equity) FROM equity", day.path) == [(6, 1_002_814_000)]
    assert small.rows("SELECT count(*), max(close) FROM equity15") == [(2, 1_002_814_000)]
    assert small.rows("SELECT minutes, drawdown FROM day") == [(3, 0), (3, 0)]


def test_what_is_kept_for_long_is_not_kept_forever(tmp_path: Path) -> None:
    """Also what orders come from, unless an order that is kept comes from it."""
    small = Small(tmp_path)
    old = epoch_us(NOW - 500 * 86_400)

    def closed(number: int, at_us: int, **more: str) -> None:
        done = order(number, status="filled", updated_at=instant(at_us), **more)
        small.touch("alpha", number, done)

    closed(501, old)
    closed(502, old)  # replaced by one that is kept
    replaced = order(502).id
    closed(503, epoch_us(NOW), replaces=replaced)
    small.touch("alpha", 504)  # still open
    small.writer.write()
    before = small.rows("SELECT count(*) FROM origin WHERE client_order_id LIKE 'rt-05%'")
    assert before == [(4,)]
    small.clock.now += 86_400  # a new day: what is too old is forgotten
    small.touch("bravo", 505)
    small.writer.write()
    kept = small.rows("SELECT client_order_id FROM origin WHERE client_order_id LIKE 'rt-05%'")
    assert {name for (name,) in kept} == {"rt-0502", "rt-0503", "rt-0504", "rt-0505"}
    finals = small.rows("SELECT client_order_id FROM final WHERE client_order_id LIKE 'rt-05%'")
    assert finals == [("rt-0503",)]


def test_a_mistake_of_ours_does_not_end_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(tmp_path)
    small.writer.write_guarded()

    def broken(*_: object) -> None:
        raise KeyError("no such thing")

    small.touch("alpha", 902)
    with monkeypatch.context() as context:
        context.setattr("realtime.history.recorder.differences", broken)
        small.writer.write_guarded()
    assert small.writer.status.last_error == "KeyError: 'no such thing'"
    small.touch("alpha", 903)
    small.writer.write_guarded()
    past = state_at(FileReader(small.directory), "alpha", epoch_us(small.clock.now))
    assert {order(902).id, order(903).id} <= past.state.orders.keys()
    assert small.writer.status.lost == {"event": 1}


def test_two_daemons_do_not_write_one_directory(tmp_path: Path) -> None:
    """The second records nothing, says so, and begins when the first has ended."""
    first, second = Small(tmp_path), Small(tmp_path)
    first.writer.write_guarded()
    second.writer.write_guarded()
    assert first.writer.status.condition == "recording"
    assert "another daemon writes" in str(second.writer.status.last_error)
    first.writer.kill()
    second.writer.write_guarded()
    assert second.writer.status.condition == "recording"


def test_a_directory_that_another_daemon_writes_is_reported_with_its_remedy(
    tmp_path: Path,
) -> None:
    directory = HistoryDirectory(tmp_path)
    directory.lock()
    writer = HistoryWriter(HistoryDirectory(tmp_path), HistoryQueue(), clock=lambda: NOW)
    writer.write_guarded()
    (report,) = writer.reports
    assert report.event == "failed"
    assert report.facts["reason"] == f"history: another daemon writes {tmp_path}"
    assert report.facts["remedy"] == "stop it, or set [history] path to another directory"
    directory.unlock()


def test_what_waits_at_midnight_is_in_the_file_of_its_day(tmp_path: Path) -> None:
    """The state just before midnight is final once the day is sealed."""
    small = Small(tmp_path, max_changes=10_000)
    small.writer.write()
    midnight = (int(NOW) // 86_400 + 1) * 86_400
    small.clock.now = midnight - 0.1
    for number in range(2_000, 4_000):  # more than one transaction takes
        small.touch("alpha", number)
    small.clock.now = midnight + 0.1
    small.touch("alpha", 4_000)
    small.writer.write()
    first, second = small.directory.day_files()
    assert small.rows("SELECT max(at_us) FROM event", first.path) == [(epoch_us(midnight - 0.1),)]
    reader = FileReader(small.directory)
    before = state_at(reader, "alpha", epoch_us(midnight - 0.05))
    after = state_at(reader, "alpha", epoch_us(midnight + 0.1))
    assert before.is_sealed
    assert order(3_999).id in before.state.orders
    assert order(4_000).id not in before.state.orders
    assert order(4_000).id in after.state.orders
    assert small.rows("SELECT min(at_us) FROM snapshot", second.path) == [(midnight * 10**6,)]


def test_a_day_that_ended_while_no_daemon_ran_is_sealed_by_the_next(tmp_path: Path) -> None:
    small = Small(tmp_path)
    small.writer.write()
    small.writer.kill()
    later = Small(tmp_path)
    later.clock.now = NOW + 3 * 86_400
    later.touch("alpha", 905)
    later.writer.write()
    first, _ = later.directory.day_files()
    assert later.rows("SELECT value FROM meta WHERE key = 'sealed'", first.path) == [(1,)]
    assert later.writer.status.gaps == {"stopped": 1}


def test_a_clock_that_was_set_back_between_two_runs_is_a_gap(tmp_path: Path) -> None:
    small = Small(tmp_path)
    small.clock.now += 500
    small.writer.write()
    small.writer.kill()
    later = Small(tmp_path)
    later.writer.write()
    assert later.rows("SELECT reason, from_us, to_us FROM gap") == [
        ("clock", epoch_us(NOW), epoch_us(NOW + 500))
    ]


@pytest.mark.parametrize("seed", seeds(3, 20))
def test_what_is_counted_as_lost_is_what_is_missing(tmp_path: Path, seed: int) -> None:
    """Each change adds one order, so the orders at the moment of each change show which were lost:
    at those moments the state is older, and a gap says so."""
    rng = random.Random(seed)
    small = Small(tmp_path, max_changes=rng.randint(4, 40))
    small.writer.write()
    moments: list[tuple[int, int]] = []
    for number in range(1_000, 1_000 + rng.randint(50, 200)):
        small.clock.now += 0.01
        small.touch("alpha", number)
        moments.append((epoch_us(small.clock.now), number))
        if rng.random() < 0.03:
            small.writer.write()
    small.writer.write()
    small.clock.now += 1
    small.writer.write()
    reader = FileReader(small.directory)
    missing = 0
    for at_us, number in moments:
        past = state_at(reader, "alpha", at_us)
        if order(number).id not in past.state.orders:
            missing += 1
            assert past.gap == "overflow"
    ((rows,),) = small.rows("SELECT coalesce(sum(rows), 0) FROM gap")
    assert missing == sum(small.writer.status.lost.values()) == rows
