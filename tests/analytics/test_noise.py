"""Noise is identified: strategies without skill are distinguished as rarely as promised."""

import time
from datetime import date
from pathlib import Path
from random import Random

import msgspec
import pytest

from realtime.analytics.compare.comparison import (
    Comparison,
    compare,
    control_rows,
    known_row,
    make_document,
)
from realtime.analytics.compare.documents import CompareDocument, CompareRequest
from realtime.analytics.compare.row_data import AccountProfile, RowData, Window
from realtime.analytics.daily import make_series
from realtime.analytics.figure_types import RowInputs
from realtime.core.trading_days import to_number
from tests.analytics.ledgers import LedgerScene, after, days

DAILY_SHARPE_OF_5 = 5 / 252**0.5
NOISE = 0.01


def document(seed: int, count: int, rows: int, skilled: float = 0.0) -> CompareDocument:
    """Random strategies on the same market; the first has this daily Sharpe ratio."""
    rng = Random(seed)
    window = Window([to_number(day) for day in days(count + 1)[1:]], to_number(days(1)[0]))
    data = []
    for number in range(rows):
        value, closes = 10**10, {}
        for day in window.days:
            drift = skilled * NOISE if number == 0 else 0.0
            value = round(value * (1 + drift + rng.gauss(0, NOISE)))
            closes[day] = value
        series = make_series(window.days, 10**10, closes)
        inputs = RowInputs(series=series, base_day=window.base)
        data.append(known_row(RowData(key=str(number), kind="account", labels=[], inputs=inputs)))
    return make_document(
        Comparison(
            request=CompareRequest(now_us=after(days(count + 1)[-1])),
            window=window,
            rows=[*data, *control_rows(window, None)],
        )
    )


@pytest.mark.parametrize(
    ("count", "seeds"),
    [
        (20, 80),
        pytest.param(20, 400, marks=pytest.mark.slow),
        pytest.param(60, 400, marks=pytest.mark.slow),
    ],
)
def test_six_strategies_without_skill_are_distinguished_in_at_most_five_per_cent(
    count: int, seeds: int
) -> None:
    false = sum(
        any(pair.distinguishable for pair in document(seed, count, 6).pairs)
        for seed in range(seeds)
    )
    assert false <= seeds * 0.05, false


@pytest.mark.parametrize("seeds", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_a_true_sharpe_of_five_is_found_within_a_year(seeds: int) -> None:
    found = 0
    for seed in range(seeds):
        rows = document(seed, 250, 6, DAILY_SHARPE_OF_5)
        found += any(pair.distinguishable and "0" in (pair.a, pair.b) for pair in rows.pairs)
    assert found >= seeds * 0.95, found


def test_a_table_of_a_thousand_accounts_is_ready_in_seconds(tmp_path: Path) -> None:
    """Measured: see docs/performance.md. The bound is loose, for a busy machine."""
    scene = LedgerScene(tmp_path / "history")
    rng = Random(1)
    dates = days(251, date(2025, 6, 2))
    for number in range(200):
        value, closes = 100_000.0, {}
        for day in dates:
            value *= 1 + rng.gauss(0, NOISE)
            closes[day] = value
        scene.closes(f"a{number}", closes)
    accounts = [AccountProfile(label=f"a{number}", positions={}) for number in range(200)]
    request = CompareRequest(accounts=accounts, since=dates[1].isoformat(), now_us=after(dates[-1]))
    reader = scene.reader()
    started = time.perf_counter()
    found = make_document(compare(reader, request))
    took_s = time.perf_counter() - started
    scene.close()
    assert found.ranked_rows == 200
    assert found.pairs_omitted is not None
    assert len(msgspec.json.encode(found)) < 2_000_000
    assert took_s < 10
