"""`realtime compare`: the table, the sentences about pairs, and the rows that are not ranked."""

import io
from pathlib import Path
from random import Random

from rich.console import Console

from realtime.analytics.compare.comparison import compare, make_document
from realtime.analytics.compare.documents import CompareRequest
from realtime.analytics.compare.row_data import AccountProfile
from realtime.cli.commands.compare import print_comparison
from tests.analytics.ledgers import LedgerScene, after, days, walk


def printed(scene: LedgerScene, *labels: str) -> str:
    dates = days(21)
    request = CompareRequest(
        accounts=[AccountProfile(label=label) for label in labels],
        since=dates[1].isoformat(),
        now_us=after(dates[-1]),
    )
    out = io.StringIO()
    document = make_document(compare(scene.reader(), request))
    print_comparison(document, Console(file=out, width=160, highlight=False))
    return out.getvalue()


def test_rows_pairs_and_reasons(tmp_path: Path) -> None:
    scene = LedgerScene(tmp_path / "history")
    rng = Random(1)
    noise = [rng.gauss(0, 0.001) for _ in range(20)]
    scene.closes("good", walk(100_000, [n + 0.01 for n in noise]))
    scene.closes("flat", walk(100_000, noise[::-1]))
    scene.closes("late", {d: a for d, a in walk(1000, noise).items() if d >= days(21)[5]})
    text = printed(scene, "good", "flat", "late")
    scene.close()
    assert "20 trading days" in text
    assert "Of 3 pairs, 2 can be distinguished at 95%" in text
    assert "good is ahead of flat, cash." in text
    start = days(21)[6].isoformat()
    assert f"late: starts {start}" in text
    assert f"--from {start} (15 trading days) ranks late, too" in text
    assert "Note: paper accounts pay no fees and get no dividends" in text


def test_signs_are_those_of_every_other_table(tmp_path: Path) -> None:
    scene = LedgerScene(tmp_path / "history")
    rng = Random(1)
    scene.closes("bad", walk(100_000, [rng.gauss(-0.01, 0.001) for _ in range(20)]))
    text = printed(scene, "bad")
    scene.close()
    row = next(line for line in text.splitlines() if line.startswith("bad"))
    assert "-" not in row
    assert row.count("−") == 5  # return, both ends of its interval, P/L, drawdown


def test_without_history_it_says_what_is_missing(tmp_path: Path) -> None:
    scene = LedgerScene(tmp_path / "history")
    text = printed(scene, "alpha")
    scene.close()
    assert "alpha: nothing recorded" in text
