"""Comparisons over ledgers: windows, ranking, flows, resets, pairs, control rows."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from realtime.analytics.compare.comparison import compare, make_document
from realtime.analytics.compare.curves import make_returns, make_series_document
from realtime.analytics.compare.documents import (
    BenchmarkPrices,
    CompareDocument,
    CompareRequest,
    CompareRow,
)
from realtime.analytics.compare.row_data import AccountProfile
from realtime.analytics.estimates import Estimate
from realtime.analytics.figure_types import Figures, Money
from realtime.analytics.report_card import ReportDay
from tests.analytics.ledgers import LedgerScene, after, days, walk

DAYS = days(21)
CALM = [0.001, -0.002, 0.003, 0.0, 0.004] * 4


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerScene]:
    scene = LedgerScene(tmp_path / "history")
    yield scene
    scene.close()


def request(*labels: str, **more: object) -> CompareRequest:
    accounts = [
        AccountProfile(label=label, initial_balance="100000", later_flows="0", positions={})
        for label in labels
    ]
    settings: dict[str, object] = {
        "accounts": accounts,
        "since": DAYS[1].isoformat(),
        "now_us": after(DAYS[-1]),
        **more,
    }
    return CompareRequest(**settings)  # type: ignore[arg-type]


def document(ledger: LedgerScene, *labels: str, **more: object) -> CompareDocument:
    return make_document(compare(ledger.reader(), request(*labels, **more)))


def row(found: CompareDocument, key: str) -> CompareRow:
    return next(row for row in found.rows if row.key == key)


def test_the_return_is_the_product_of_days_and_the_profit_is_money(ledger: LedgerScene) -> None:
    equity = walk(100_000, CALM)
    ledger.closes("alpha", equity)
    alpha = row(document(ledger, "alpha"), "alpha")
    end = equity[DAYS[-1]]
    figures = alpha.figures
    assert figures.return_pct.value == pytest.approx((end / 100_000 - 1) * 100, rel=1e-9)
    assert (figures.return_pct.n, figures.return_pct.since) == (20, DAYS[1].isoformat())
    assert figures.pl.amount is not None
    assert float(figures.pl.amount) == pytest.approx(end - 100_000, abs=1e-3)
    assert alpha.ranked
    assert figures.sharpe_annual.value is None
    assert figures.sharpe_annual.reason == "from 60 days, 40 to go"
    assert figures.profit_factor.reason == "no closed trade in the window"


def test_a_deposit_of_everything_changes_no_figure_of_returns(ledger: LedgerScene) -> None:
    equity = walk(100_000, CALM)
    ledger.closes("alpha", equity)
    doubled = {day: amount * (2 if day >= DAYS[10] else 1) for day, amount in equity.items()}
    ledger.closes("bravo", doubled)
    ledger.activity("bravo", DAYS[10], "CSD", equity[DAYS[9]])
    found = document(ledger, "alpha", "bravo")
    alpha, bravo = row(found, "alpha").figures, row(found, "bravo").figures
    assert bravo.return_pct.value == pytest.approx(alpha.return_pct.value, rel=1e-7)
    assert bravo.max_drawdown.depth_pct == pytest.approx(alpha.max_drawdown.depth_pct, rel=1e-7)
    assert bravo.sharpe_daily.value == pytest.approx(alpha.sharpe_daily.value, rel=1e-6)
    assert bravo.net_flows.amount == f"{equity[DAYS[9]]:.4f}".rstrip("0").rstrip(".")


def test_a_dividend_is_a_result_and_no_flow(ledger: LedgerScene) -> None:
    ledger.closes("alpha", walk(100_000, CALM))
    ledger.activity("alpha", DAYS[3], "DIV", 55.5)
    ledger.activity("alpha", DAYS[4], "FEE", -1.25)
    figures = row(document(ledger, "alpha"), "alpha").figures
    assert (figures.dividends.amount, figures.fees.amount) == ("55.5", "-1.25")
    assert figures.net_flows.amount == "0"


def test_rows_that_do_not_cover_the_window_are_listed_with_the_reason(ledger: LedgerScene) -> None:
    equity = walk(100_000, CALM)
    ledger.closes("whole", equity)
    ledger.closes("late", {day: amount for day, amount in equity.items() if day >= DAYS[5]})
    ledger.closes("ended", {day: amount for day, amount in equity.items() if day <= DAYS[8]})
    ledger.closes("holes", {d: a for d, a in equity.items() if d not in (DAYS[4], DAYS[7])})
    ledger.closes("idle", dict.fromkeys(equity, 100_000.0), exposure=0.0)
    ledger.closes("odd", equity)
    ledger.activity("odd", DAYS[6], "XYZ", 5)
    found = document(ledger, "whole", "late", "ended", "holes", "idle", "odd", "never")
    assert [row.key for row in found.rows if row.ranked] == ["whole"]
    assert row(found, "late").reason == f"starts {DAYS[6].isoformat()}"
    assert row(found, "late").own_from == DAYS[6].isoformat()
    assert row(found, "ended").reason == f"ends {DAYS[8].isoformat()}"
    assert row(found, "holes").reason == "2 days not recorded"
    assert row(found, "holes").figures.sharpe_daily.reason == "2 of 20 days not recorded"
    assert row(found, "holes").figures.return_pct.low is None
    assert row(found, "idle").reason == "no trade in the window"
    assert row(found, "odd").reason == "activities of unknown effect: XYZ"
    assert row(found, "never").reason == "nothing recorded"
    assert found.windows[0].since == DAYS[6].isoformat()
    assert "late" in found.windows[0].adds


def test_a_book_whose_accounts_begin_later_names_the_window_that_ranks_it(
    ledger: LedgerScene,
) -> None:
    later = {day: amount for day, amount in walk(100_000, CALM).items() if day >= DAYS[5]}
    ledger.closes("alpha", later)
    ledger.fill("alpha", DAYS[7], "buy", "1", "100")
    ledger.price("AAPL", dict.fromkeys(DAYS, 100.0))
    found = document(ledger, "alpha", by="strategy")
    start = DAYS[6].isoformat()
    assert (row(found, "other").reason, row(found, "other").own_from) == (f"starts {start}", start)
    assert [(window.since, window.adds) for window in found.windows] == [(start, ["other"])]
    again = document(ledger, "alpha", by="strategy", since=start)
    assert row(again, "other").ranked


def test_a_window_in_which_no_day_is_over_is_replaced_and_says_so(ledger: LedgerScene) -> None:
    ledger.closes("alpha", walk(100_000, CALM))
    found = document(ledger, "alpha", since="2099-01-01")
    assert (found.since, found.trading_days) == (DAYS[-1].isoformat(), 1)
    assert any(note.startswith("no trading day since 2099-01-01") for note in found.notes)
    assert not any(note.startswith("no trading day") for note in document(ledger, "alpha").notes)


def test_a_label_that_became_another_account_is_two_rows(ledger: LedgerScene) -> None:
    before, new = walk(40_000, CALM[:10]), walk(100_000, CALM[:9], DAYS[11])
    ledger.closes("alpha", {**before, **new})
    ledger.identity("alpha", DAYS[0], "first")
    ledger.identity("alpha", DAYS[11], "second")
    found = document(ledger, "alpha")
    assert {r.key for r in found.rows if r.kind == "account"} == {
        "alpha",
        "alpha@PA0EXAMPLE-first",
    }
    chained = row(document(ledger, "alpha", by="label"), "alpha")
    assert chained.reason == f"another account since {DAYS[11].isoformat()}"
    assert chained.figures.return_pct.value is None


def test_a_group_is_its_money_and_not_the_mean_of_percentages(ledger: LedgerScene) -> None:
    ledger.closes("small", walk(1_000, [0.10] + [0.0] * 19))
    ledger.closes("large", walk(99_000, [0.0] * 20))
    all_rows = row(document(ledger, "small", "large", by="fleet"), "all")
    assert all_rows.figures.return_pct.value == pytest.approx(0.1, rel=1e-9)
    assert all_rows.accounts == ["small", "large"]


def test_copies_cannot_be_distinguished_and_a_clear_difference_can(ledger: LedgerScene) -> None:
    rng = Random(3)
    noise = [rng.gauss(0, 0.002) for _ in range(20)]
    ledger.closes("copy", walk(100_000, noise))
    ledger.closes("master", walk(100_000, noise))
    ledger.closes("good", walk(100_000, [n + 0.01 for n in noise[::-1]]))
    found = document(ledger, "copy", "master", "good")
    pairs = {frozenset((pair.a, pair.b)): pair for pair in found.pairs}
    same, apart = pairs[frozenset(("copy", "master"))], pairs[frozenset(("good", "copy"))]
    assert (same.distinguishable, same.ahead, same.days_needed) == (False, None, None)
    assert (apart.distinguishable, apart.ahead, apart.days_needed) == (True, "good", 0)
    assert found.pairs_compared == len(found.pairs) == 6  # three, and each with cash


def test_the_benchmark_says_what_it_is_or_why_it_is_missing(ledger: LedgerScene) -> None:
    ledger.closes("alpha", walk(100_000, CALM))
    missing = BenchmarkPrices(symbol="SPY", reason="no market data is configured")
    found = document(ledger, "alpha", benchmark=missing)
    assert row(found, "SPY").reason == "no market data is configured"
    closes = {day.isoformat(): 500.0 + number for number, day in enumerate(DAYS)}
    prices = BenchmarkPrices(
        symbol="SPY", feed="iex", adjustment="split", source="a test", closes=closes
    )
    found = document(ledger, "alpha", benchmark=prices)
    assert row(found, "SPY").figures.return_pct.value == pytest.approx(4.0, rel=1e-9)
    assert found.benchmark is not None
    assert (found.benchmark.feed, found.benchmark.return_kind) == ("iex", "price")
    assert "SPY without dividends" in found.notes


def test_curves_share_their_days_and_a_gap_is_null(ledger: LedgerScene) -> None:
    equity = walk(100_000, CALM)
    ledger.closes("alpha", equity)
    ledger.closes("holes", {d: a for d, a in equity.items() if d != DAYS[4]})
    found = make_series_document(compare(ledger.reader(), request("alpha", "holes")))
    assert found.days == [day.isoformat() for day in DAYS]
    alpha, holes = (next(r for r in found.rows if r.key == key) for key in ("alpha", "holes"))
    assert (alpha.return_pct[0], alpha.pl and alpha.pl[0]) == (0.0, "0")
    assert holes.return_pct[4] is None
    assert holes.return_pct[5] == pytest.approx(alpha.return_pct[5])
    returns = make_returns(compare(ledger.reader(), request("alpha", rows=["alpha"])))
    assert list(returns[0]) == ["date", "alpha"]
    assert float(str(returns[0]["alpha"])) == pytest.approx(CALM[0], abs=1e-9)


def test_without_a_beginning_the_window_starts_where_history_does(ledger: LedgerScene) -> None:
    ledger.closes("alpha", {d: a for d, a in walk(100_000, CALM).items() if d >= DAYS[15]})
    found = document(ledger, "alpha", since=None)
    assert (found.base, found.trading_days) == (DAYS[15].isoformat(), 5)
    assert row(found, "alpha").ranked


def test_a_row_that_is_called_like_a_control_row_keeps_its_name(ledger: LedgerScene) -> None:
    ledger.closes("cash", walk(100_000, CALM))
    found = document(ledger, "cash")
    assert [(r.key, r.kind) for r in found.rows] == [
        ("cash", "account"),
        ("cash (control)", "control"),
    ]


def test_fees_that_are_kept_in_coins_are_no_position_from_before(ledger: LedgerScene) -> None:
    ledger.closes("alpha", walk(100_000, CALM))
    ledger.fill("alpha", DAYS[2], "buy", "0.5", "50000", symbol="BTCUSD")
    held = AccountProfile(label="alpha", positions={"BTCUSD": "0.49875"})
    flags = row(document(ledger, "alpha", accounts=[held]), "alpha").flags
    assert "unknown_entry" not in {flag.flag for flag in flags}
    ledger.fill("alpha", DAYS[3], "sell", "0.49875", "51000", symbol="BTCUSD")
    sold = AccountProfile(label="alpha", positions={})
    figures = row(document(ledger, "alpha", accounts=[sold]), "alpha").figures
    # 25,436.25 for what cost 25,000: the coins of the fee were paid for, too.
    assert figures.realized_pl.amount == "436.25"
    assert (figures.round_trips, figures.open_trips) == (1, 0)


@pytest.mark.parametrize("action_on", [9, 10, 11])
def test_a_split_is_no_loss_and_no_gain(ledger: LedgerScene, action_on: int) -> None:
    """The quantity changed a day before the price, or the broker dated the split a day late."""
    equity = walk(100_000, CALM)
    wrong = {**equity, DAYS[10]: equity[DAYS[10]] * 0.25}
    ledger.closes("alpha", wrong)
    ledger.activity("alpha", DAYS[action_on], "SPLIT", None, symbol="NVDA", qty=30 * 10**9)
    alpha = row(document(ledger, "alpha"), "alpha")
    end = (equity[DAYS[-1]] / 100_000 - 1) * 100
    assert alpha.figures.return_pct.value == pytest.approx(end, rel=1e-6)
    assert alpha.figures.max_drawdown.depth_pct is None
    assert not alpha.ranked
    assert f"equity of {DAYS[10]} is not used: SPLIT of NVDA" in str(alpha.reason)
    curve = make_series_document(compare(ledger.reader(), request("alpha"))).rows[0].return_pct
    assert curve[10] is None
    assert min(value for value in curve if value is not None) > -1


def test_a_large_loss_without_a_corporate_action_is_a_loss(ledger: LedgerScene) -> None:
    ledger.closes("alpha", walk(100_000, [*CALM[:9], -0.4, *CALM[10:]]))
    ledger.activity("alpha", DAYS[15], "SPLIT", None, symbol="NVDA", qty=30 * 10**9)
    alpha = row(document(ledger, "alpha"), "alpha")
    assert alpha.ranked
    assert (alpha.figures.max_drawdown.depth_pct or 0) < -39


def test_days_without_money_make_a_return_unknown(ledger: LedgerScene) -> None:
    equity = walk(100_000, CALM)
    ledger.closes("alpha", {**equity, DAYS[8]: 0.0})
    ledger.closes("bravo", {**equity, DAYS[8]: -500.0})
    ledger.closes("charlie", dict.fromkeys(equity, 0.0))
    found = document(ledger, "alpha", "bravo", "charlie")
    for key in ("alpha", "bravo", "charlie"):
        figures = row(found, key).figures
        assert not row(found, key).ranked
        assert figures.return_pct.value is None
        assert "no money on" in str(figures.return_pct.reason)
        assert figures.sharpe_daily.value is None
        assert figures.max_drawdown.depth_pct is None
        assert figures.pl.amount is not None


def test_a_deposit_into_an_empty_account_is_its_start(ledger: LedgerScene) -> None:
    equity = walk(100_000, CALM)
    ledger.closes("alpha", {**equity, DAYS[0]: 0.0})
    ledger.activity("alpha", DAYS[1], "CSD", 100_000)
    alpha = row(document(ledger, "alpha"), "alpha")
    end = (equity[DAYS[-1]] / 100_000 - 1) * 100
    assert alpha.figures.return_pct.value == pytest.approx(end, rel=1e-6)


@pytest.mark.parametrize("on", [1, 2, 20])
def test_a2_a_deposit_on_the_first_or_the_last_day_changes_no_figure(
    ledger: LedgerScene, on: int
) -> None:
    plain = walk(100_000, CALM)
    ledger.closes("alpha", plain)
    deposit = plain[DAYS[on - 1]]
    ledger.closes("bravo", {day: e * (2 if day >= DAYS[on] else 1) for day, e in plain.items()})
    ledger.activity("bravo", DAYS[on], "CSD", deposit)
    found = document(ledger, "alpha", "bravo")
    alpha, bravo = row(found, "alpha").figures, row(found, "bravo").figures
    for name in ("return_pct", "volatility_daily_pct", "sharpe_daily"):
        assert getattr(bravo, name).value == pytest.approx(getattr(alpha, name).value, rel=1e-6)
    assert bravo.max_drawdown.depth_pct == pytest.approx(alpha.max_drawdown.depth_pct, rel=1e-6)


@pytest.mark.parametrize(
    "more",
    [
        {"accounts": []},
        {"since": "2026-06-30", "until": "2026-06-02"},
        {"since": "2031-01-01", "until": "2031-02-01"},
        {"since": "2001-01-01", "until": "2001-02-01"},
        {"since": "2026-06-06", "until": "2026-06-07"},
        {"benchmark": BenchmarkPrices(symbol="SPY", reason="no market data")},
        {"by": "tier", "accounts": []},
        {"by": "strategy", "books": {"a": "a-"}},
        {"by": "fleet"},
    ],
)
def test_what_is_not_known_is_null_with_a_reason(
    ledger: LedgerScene, more: dict[str, object]
) -> None:
    """No account, no day, a window of the past or the future, from after to, no benchmark."""
    ledger.closes("alpha", dict.fromkeys(DAYS, 100000000000000.0))
    ledger.closes("bravo", walk(100_000, [0.001] * 20))
    ledger.closes("charlie", {DAYS[0]: 5.0, DAYS[1]: 5.0})
    found = document(ledger, "alpha", "bravo", "charlie", "delta", **more)
    encoded = msgspec.json.encode(found)
    assert b"Infinity" not in encoded
    for compared in found.rows:
        for name in Figures.__struct_fields__:
            value = getattr(compared.figures, name)
            if isinstance(value, Estimate) and value.value is None:
                assert value.reason, (compared.key, name)
            if isinstance(value, Money) and value.amount is None:
                assert value.reason, (compared.key, name)
    make_series_document(compare(ledger.reader(), request("alpha", "bravo", **more)))


def test_fees_in_coins_end_round_trips_again_and_again(ledger: LedgerScene) -> None:
    ledger.closes("alpha", walk(100_000, CALM))
    for at in range(1, 6):
        ledger.fill("alpha", DAYS[at], "buy", "1", "100", symbol="BTCUSD")
        ledger.fill("alpha", DAYS[at], "sell", "0.9975", "110", symbol="BTCUSD", second=1)
    for positions in ({}, {"BTCUSD": "0"}):
        sold = AccountProfile(label="alpha", positions=dict(positions))
        figures = row(document(ledger, "alpha", accounts=[sold]), "alpha").figures
        assert (figures.round_trips, figures.open_trips) == (5, 0)
        assert figures.realized_pl.amount == "48.625"
        assert figures.win_rate_pct.value == 100


def test_errors_of_a_day_are_rejections_lost_connections_and_http_errors(
    ledger: LedgerScene,
) -> None:
    """Of the last 24 hours, by whole hours: 4xx and 5xx are counted by UTC day."""
    ledger.closes("alpha", walk(100_000, CALM))
    now_us = after(DAYS[-1])
    today, hour = divmod(now_us // (3600 * 10**6), 24)
    for day, hours in ((today, {hour: 2, 0: 1}), (today - 1, {hour: 50, hour + 1: 4, 0: 70})):
        card = ReportDay(error_hours=hours, http_errors={"4xx": sum(hours.values())})
        ledger.put_report("alpha", day, msgspec.json.encode(card).decode())
    ledger.gap("alpha", now_us - 10**9, now_us - 10**8)
    assert row(document(ledger, "alpha"), "alpha").figures.errors_24h == 2 + 1 + 4 + 1


@pytest.mark.parametrize("by", ["account", "label", "tier", "fleet", "strategy"])
def test_every_grouping_states_what_paper_lacks(ledger: LedgerScene, by: str) -> None:
    ledger.closes("alpha", walk(100_000, CALM))
    ledger.fill("alpha", DAYS[2], "buy", "1", "100")
    ledger.price("AAPL", dict.fromkeys(DAYS, 100.0))
    assert (
        "paper accounts pay no fees and get no dividends" in document(ledger, "alpha", by=by).notes
    )


@pytest.mark.parametrize("seed", range(12))
def test_a1_a5_activities_of_every_kind_are_counted_once_or_named(
    ledger: LedgerScene, seed: int
) -> None:
    """An oracle of sums: what is a flow, a result, both voided, or of unknown effect."""
    rng = Random(seed)
    equity = walk(100_000, [rng.gauss(0, 0.01) for _ in range(20)])
    ledger.closes("alpha", equity)
    kinds = {
        "flow": ("CSD", "CSW", "JNLC", "JNL", "ACATC", "TRANS"),
        "fees": ("FEE", "CFEE", "PTC", "DIVFEE", "ACATF"),
        "dividends": ("DIV", "DIVCGL", "DIVNRA", "CGD"),
        "interest": ("INT", "INTNRA", "SWP"),
        "unknown": ("XYZ", "ACATS", "JNLS"),
    }
    sums = dict.fromkeys(kinds, 0)
    unknown = set()
    for _ in range(rng.randrange(1, 15)):
        kind = rng.choice(list(kinds)[: 5 if seed % 2 else 4])
        type_, day = rng.choice(kinds[kind]), rng.randrange(0, 21)
        cents = rng.randrange(-50_000, 50_000)
        status = rng.choice(["executed", "executed", "canceled"])
        ledger.activity("alpha", DAYS[day], type_, cents / 100, status=status)
        # What counts for the base is before the window.
        if status == "executed" and day > 0:
            sums[kind] += cents
            unknown |= {type_} if kind == "unknown" else set()
    alpha = row(document(ledger, "alpha"), "alpha")
    figures = alpha.figures

    def cents_of(amount: str | None) -> int:
        return round(float(amount or "nan") * 100)

    change = round((equity[DAYS[-1]] - equity[DAYS[0]]) * 100)
    assert cents_of(figures.pl.amount) == pytest.approx(change - sums["flow"], abs=1)
    assert cents_of(figures.net_flows.amount) == sums["flow"]
    for name in ("fees", "dividends", "interest"):
        assert cents_of(getattr(figures, name).amount) == sums[name]
    assert alpha.ranked == (not unknown)
    for type_ in unknown:
        assert type_ in str(alpha.reason)
