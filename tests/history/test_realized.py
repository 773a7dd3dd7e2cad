"""What executions realize, whether they were seen, or missed and read later."""

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from realtime.core.model import AccountLabel, ExecutionId, OrderId, Position, Symbol
from realtime.core.state import AccountState, Execution
from realtime.history.exact import US, epoch_us, instant
from realtime.history.fills import realize_missed
from realtime.history.performance import symbol_results
from realtime.history.queue import RecoveredHistory
from realtime.history.reading import FileReader
from realtime.history.realized import FLAT, Holding, realize
from tests.api.documents.made import NOW
from tests.history.scene import Small

ONE = 10**9
AAPL = Symbol("AAPL")


def execution(number: int, side: str, qty: str, price: str, symbol: str = "AAPL") -> Execution:
    return Execution(
        execution_id=ExecutionId(f"x-{number}"),
        order_id=OrderId(f"o-{number}"),
        symbol=symbol,
        side="buy" if side == "buy" else "sell",
        qty=qty,
        price=price,
        at=instant(epoch_us(NOW + number / 100)),
    )


def run(trades: Sequence[tuple[str, str, str]]) -> list[Execution]:
    return [execution(number, *trade) for number, trade in enumerate(trades)]


def position(qty: str, entry: str) -> Position:
    return Position(
        asset_id="a", symbol=AAPL, asset_class="us_equity", qty=qty, avg_entry_price=entry
    )


CASES: list[tuple[Holding, list[tuple[str, str, str]], list[int | None]]] = [
    # from nothing, and back
    (FLAT, [("buy", "10", "100"), ("sell", "10", "110")], [0, 1_000_000]),
    # the average of two
    (FLAT, [("buy", "10", "100"), ("buy", "10", "120"), ("sell", "5", "115")], [0, 0, 250_000]),
    # short
    (FLAT, [("sell", "10", "100"), ("buy", "4", "90")], [0, 400_000]),
    # through zero: the rest has the price of its execution
    (FLAT, [("buy", "5", "100"), ("sell", "8", "90"), ("buy", "3", "80")], [0, -500_000, 300_000]),
    # an entry that is not known, until nothing is held
    (
        Holding(10 * ONE, None),
        [("buy", "1", "9"), ("sell", "11", "10"), ("buy", "1", "5"), ("sell", "1", "6")],
        [0, None, 0, 10_000],
    ),
    (Holding(10 * ONE, 100 * ONE), [("sell", "10", "99.5")], [-50_000]),
]


@pytest.mark.parametrize(("held", "trades", "expected"), CASES)
def test_executions_are_applied_one_after_another_at_average_cost(
    held: Holding, trades: list[tuple[str, str, str]], expected: list[int | None]
) -> None:
    results = realize(run(trades), {AAPL: held})
    assert [result.gain for result in results] == expected


def test_an_option_is_about_a_hundred_shares() -> None:
    symbol = "XLF261218C00048000"
    trades = [execution(1, "buy", "2", "1.40", symbol), execution(2, "sell", "2", "1.50", symbol)]
    assert [result.gain for result in realize(trades, {})] == [0, 200_000]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_realized_and_what_is_held_add_up_to_the_cash(seed: int) -> None:
    """Cash in and out = realized − cost of what is held, in whole numbers of cents."""
    rng = random.Random(seed)
    trades = [
        (rng.choice(["buy", "sell"]), str(rng.randint(1, 9)), str(rng.randint(90, 110)))
        for _ in range(40)
    ]
    results = realize(run(trades), {})
    cash = sum(
        (-1 if side == "buy" else 1) * Decimal(qty) * Decimal(price) for side, qty, price in trades
    )
    last = results[-1].after
    cost = Decimal(last.qty) * Decimal(last.entry or 0) / Decimal(ONE) ** 2
    gains = Decimal(sum(result.gain or 0 for result in results)) / 10_000
    assert abs(cash - (gains - cost)) < Decimal("0.01")


MISSED: dict[str, tuple[dict[Symbol, Holding] | None, dict[Symbol, int], str, list[int | None]]] = {
    # before, traded since, held now → results of: sell 4 @ 110, buy 1 @ 90
    "the books agree": ({AAPL: Holding(10 * ONE, 100 * ONE)}, {}, "7", [400_000, 0]),
    "also with what was traded since": (
        {AAPL: Holding(10 * ONE, 100 * ONE)},
        {AAPL: 2 * ONE},
        "9",
        [400_000, 0],
    ),
    "a split meanwhile": ({AAPL: Holding(10 * ONE, 100 * ONE)}, {}, "70", [None, None]),
    "nothing recorded, and held before": (None, {}, "7", [None, 0]),
    "nothing recorded, flat before": (None, {}, "-3", [0, 800_000 // 4]),
}


@pytest.mark.parametrize("name", MISSED)
def test_missed_executions_have_a_result_where_the_books_agree(name: str) -> None:
    before, traded, now, expected = MISSED[name]
    results = realize_missed(
        run([("sell", "4", "110"), ("buy", "1", "90")]),
        before=before,
        now={AAPL: position(now, "100")},
        traded=traded,
        has_other_changes=lambda symbol: False,
    )
    assert [result.gain for result in results] == expected


@pytest.mark.parametrize(
    ("before", "now", "is_known"),
    [
        ({}, "0.9975", True),
        ({}, "1", True),
        ({}, "0.99", False),
        ({}, "1.0025", False),
        ({Symbol("BTCUSD"): Holding(ONE, 90 * ONE)}, "1.9975", True),
        ({Symbol("BTCUSD"): Holding(ONE, 90 * ONE)}, "1.9", False),
        (None, "0.9975", True),
        (None, "0.9", False),
    ],
)
def test_a_fee_in_coins_is_no_reason_not_to_know(
    before: dict[Symbol, Holding] | None, now: str, is_known: bool
) -> None:
    """Bought 2 and sold 1 of a coin; the broker took 0.25 % of what was bought."""
    trades = [
        execution(1, "buy", "2", "100", "BTC/USD"),
        execution(2, "sell", "1", "110", "BTC/USD"),
    ]
    held = structs.replace(position(now, "100"), symbol=Symbol("BTCUSD"))
    results = realize_missed(
        trades,
        before=before,
        now={Symbol("BTCUSD"): held},
        traded={},
        has_other_changes=lambda symbol: False,
    )
    assert (results[1].gain is not None) == is_known


def test_without_a_recorded_state_a_split_makes_results_unknown() -> None:
    results = realize_missed(
        run([("buy", "1", "90"), ("sell", "1", "95")]),
        before=None,
        now={},
        traded={},
        has_other_changes=lambda symbol: symbol == "AAPL",
    )
    assert [result.gain for result in results] == [None, None]


def change(small: Small, executions: list[Execution], held: Position | None) -> None:
    """Executions and the position after them, in one change."""
    record = small.store.get("alpha")
    assert record is not None
    orders = dict(record.state.orders)
    by_order = {e.order_id: {e.execution_id: e} for e in executions}
    positions = {s: p for s, p in record.state.positions.items() if s != AAPL}
    if held is not None:
        positions[AAPL] = held
    state: AccountState = structs.replace(
        record.state,
        orders=orders,
        executions={**record.state.executions, **by_order},
        positions=positions,
    )
    small.clock.now += 1
    small.store.update(AccountLabel("alpha"), now=small.clock.now, state=state)


def realized(small: Small) -> dict[object, object]:
    return dict(small.rows("SELECT exe, realized FROM fill"))  # type: ignore[arg-type]


def test_executions_of_one_change_follow_each_other(tmp_path: Path) -> None:
    """A read after a gap may find a whole round trip at once."""
    small = Small(tmp_path)
    change(small, [], None)
    small.writer.write()
    change(small, run([("buy", "10", "100"), ("sell", "10", "110")]), None)
    small.writer.write()
    assert realized(small) == {"x-0": 0, "x-1": 1_000_000}
    small.clock.now += 60
    small.writer.write()
    assert small.rows(
        "SELECT realized, trades, wins FROM day JOIN account ON n = acc WHERE label = 'alpha'"
    ) == [(1_000_000, 1, 1)]


def test_missed_executions_count_in_the_sums_of_their_day_once(tmp_path: Path) -> None:
    small = Small(tmp_path)
    change(small, [], position("10", "100"))
    small.clock.now += 60
    small.writer.write()
    small.clock.now += 60
    small.writer.write()
    small.writer.kill()
    again = Small(tmp_path)
    again.clock.now = small.clock.now + 600
    change(again, [], position("7", "100"))
    at = instant(epoch_us(again.clock.now - 300))
    missed = [structs.replace(e, at=at) for e in run([("sell", "4", "110"), ("buy", "1", "90")])]
    for _ in range(2):  # read again, it counts once
        again.queue.add_recovered(
            RecoveredHistory(
                label="alpha", executions=tuple(missed), held={AAPL: Holding(10 * ONE, 100 * ONE)}
            )
        )
        again.writer.write()
    assert realized(again) == {"x-0": 400_000, "x-1": 0}
    (row,) = again.rows(
        "SELECT realized, turnover FROM day JOIN account ON n = acc WHERE label = 'alpha'"
    )
    assert row == (400_000, 5_300_000)


def test_results_by_symbol_are_the_sums_of_the_executions(tmp_path: Path) -> None:
    small = Small(tmp_path)
    change(small, [], None)
    trades = run([("buy", "10", "100"), ("sell", "4", "110"), ("sell", "6", "95")])
    option = execution(5, "buy", "1", "2", "XLF261218C00048000")
    change(small, [*trades, option], None)
    missed = structs.replace(execution(7, "sell", "1", "50"), symbol="KO")
    small.queue.add_recovered(RecoveredHistory(label="alpha", executions=(missed,), held={}))
    small.writer.write()
    now_us = epoch_us(small.clock.now)
    reader = FileReader(small.directory)
    rows = symbol_results(reader, ["alpha", "bravo"], now_us - 86_400 * US, now_us)
    assert [(r.symbol, r.fills, r.realized_pl, r.wins, r.losses, r.unknown) for r in rows] == [
        ("AAPL", 3, "10", 1, 1, 0),
        ("KO", 1, "0", 0, 0, 1),
        ("XLF261218C00048000", 1, "0", 0, 0, 0),
    ]
    assert rows[0].profit_factor == pytest.approx(40 / 30, abs=1e-4)
    assert symbol_results(reader, ["bravo"], now_us - 86_400 * US, now_us) == []
    assert symbol_results(reader, [], 0, now_us) == []
