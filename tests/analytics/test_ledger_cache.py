"""What is kept of the ledger between comparisons: exactly what did not change."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from bench.compare import measure as measure_compare
from realtime.analytics.compare.comparison import Memory, compare, make_document
from realtime.analytics.compare.curves import encode_series, make_series_document
from realtime.analytics.compare.documents import CompareRequest
from realtime.analytics.compare.row_data import AccountProfile
from realtime.core.trading_days import close_at, to_number
from realtime.history.directory import HistoryDirectory
from realtime.history.exact import US
from realtime.history.reading import FileReader
from tests.analytics.ledgers import LedgerScene, after, days, walk

pytestmark = pytest.mark.slow

DAYS = days(30)
LABELS = ("alpha", "bravo", "charlie")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerScene]:
    scene = LedgerScene(tmp_path / "history")
    for number, label in enumerate(LABELS):
        rng = Random(number)
        scene.closes(label, walk(100_000, [rng.gauss(0, 0.01) for _ in range(20)]))
    yield scene
    scene.close()


def request(now_us: int, **more: Any) -> CompareRequest:
    accounts = [
        AccountProfile(label=label, tier="tiny" if label == "alpha" else "large", positions={})
        for label in LABELS
    ]
    return CompareRequest(
        accounts=accounts, since=DAYS[1].isoformat(), now_us=now_us, **{"by": "account", **more}
    )


def answer(reader: FileReader, wanted: CompareRequest, memory: Memory | None) -> bytes:
    comparison = compare(reader, wanted, memory)
    table = msgspec.json.encode(make_document(comparison, memory))
    return table + msgspec.json.encode(make_series_document(comparison))


class CountingReader(FileReader):
    """Remembers what was read of trading days that are over."""

    def __init__(self, directory: HistoryDirectory) -> None:
        super().__init__(directory)
        self.read: list[str] = []

    def read_ledger(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        if sql.startswith("SELECT acc, day, at_us, equity"):
            self.read.append(sql)
        return super().read_ledger(sql, parameters)


def test_a7_what_did_not_change_is_not_read_again(ledger: LedgerScene) -> None:
    ledger.reader()
    reader, memory = CountingReader(ledger.directory), Memory()
    wanted = request(after(DAYS[20]))
    first = answer(reader, wanted, memory)
    assert len(reader.read) == 1
    assert answer(reader, wanted, memory) == first
    assert len(reader.read) == 1
    # A fill of today changes nothing of the days that are over.
    ledger.fill("alpha", DAYS[21], "buy", "10", "190")
    ledger.reader()
    answer(reader, request(after(DAYS[20], hours=23.5)), memory)
    assert len(reader.read) == 1
    # A late deposit does, of its account alone.
    ledger.activity("bravo", DAYS[5], "CSD", 5_000)
    ledger.reader()
    answer(reader, wanted, memory)
    assert len(reader.read) == 2
    assert f"acc IN ({ledger.account('bravo')})" in reader.read[-1]


def test_a_ledger_that_was_replaced_is_read_again(ledger: LedgerScene, tmp_path: Path) -> None:
    memory, wanted = Memory(), request(after(DAYS[20]))
    answer(ledger.reader(), wanted, memory)
    other = LedgerScene(tmp_path / "other")
    other.closes("alpha", walk(50_000, [0.001] * 20))
    assert answer(other.reader(), wanted, memory) == answer(other.reader(), wanted, None)
    other.close()


def test_curves_row_by_row_are_the_document(ledger: LedgerScene) -> None:
    comparison = compare(ledger.reader(), request(after(DAYS[20])))
    document = msgspec.json.encode(make_series_document(comparison))
    assert encode_series(comparison, msgspec.json.encode) == document


@pytest.mark.parametrize("seed", range(6))
def test_with_and_without_memory_the_answer_is_the_same(ledger: LedgerScene, seed: int) -> None:
    """After any change of the ledger, of any day."""
    rng, memory = Random(seed), Memory()
    last = 20

    def change() -> None:
        nonlocal last
        label, day = rng.choice(LABELS), DAYS[rng.randrange(0, last + 1)]
        match rng.randrange(9):
            case 0:
                ledger.closes(label, {day: rng.uniform(50_000, 150_000)})
            case 1:
                ledger.activity(label, day, rng.choice(["CSD", "DIV", "XYZ", "FEE"]), 100.0)
            case 2:
                ledger.fill(label, day, rng.choice(["buy", "sell"]), "5", "100")
            case 3:
                ledger.fill(label, DAYS[last + 1], "buy", "2", "101")
            case 4:
                begin = close_at(day) * US - rng.randrange(10**11)
                ledger.gap(label, begin, begin + rng.randrange(10**11))
            case 5:
                ledger.identity(label, day, f"id-{rng.randrange(100)}")
            case 6:
                ledger.remove_fill(label)
            case 7:
                ledger.prune((close_at(DAYS[rng.randrange(3)]) - 3600) * US)
            case _ if last < 27:
                last += 1
                ledger.closes(label, {DAYS[last]: rng.uniform(90_000, 110_000)})

    for _ in range(40):
        change()
        by = rng.choice(["account", "label", "tier", "fleet", "strategy"])
        wanted = request(after(DAYS[last], hours=rng.choice([0.1, 2, 20])), by=by)
        if rng.random() < 0.3:
            wanted = msgspec.structs.replace(wanted, since=DAYS[rng.randrange(1, 10)].isoformat())
        reader = ledger.reader()
        assert answer(reader, wanted, memory) == answer(reader, wanted, None)


def test_days_of_the_ledger_are_numbered_by_trading_day(ledger: LedgerScene) -> None:
    ledger.activity("alpha", DAYS[3], "CSD", 1.0)
    changed = ledger.reader().read_ledger("SELECT day FROM changed ORDER BY n DESC LIMIT 1")
    assert changed == [(to_number(DAYS[3]),)]


@pytest.mark.slow
def test_a7_a_thousand_accounts_over_a_year_are_light_from_memory() -> None:
    """The target is 50 ms of processor time and 100 MB; the bound allows for a slower machine."""
    costs = measure_compare(1000)
    assert costs.same_s < 0.15, costs
    assert costs.table_mb < 100, costs
