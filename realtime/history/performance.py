"""Results added up: days by account or tier, executions by symbol."""

from collections.abc import Sequence

from msgspec import Struct

from realtime.history.exact import DAY_US, MONEY_SCALE, US, day_number, plain
from realtime.history.queries import identity_starts
from realtime.history.reading import HistoryReader


class Performance(Struct, frozen=True, kw_only=True):
    """Sums of days, by account or tier. Money as decimal strings; null where nothing is known."""

    key: str
    days: int
    begin_equity: str | None
    end_equity: str | None
    realized_pl: str
    trades: int
    wins: int
    losses: int
    win_rate: float | None
    profit_factor: float | None
    """Gross win / gross loss; null without losses."""
    max_drawdown: str
    """Largest within one UTC day."""
    turnover: str
    orders: int
    rejected: int
    stale_s: int
    gaps: int


class SymbolResult(Struct, frozen=True, kw_only=True):
    """Executions of one symbol added up. Money as decimal strings."""

    symbol: str
    accounts: int
    fills: int
    realized_pl: str
    """Of the executions whose result is known."""
    unknown: int
    """Executions whose result is not known, because what was held before them is not."""
    wins: int
    """Executions that realized more than nothing; `losses`: less."""
    losses: int
    win_rate: float | None
    profit_factor: float | None
    """Gross win / gross loss; null without losses."""
    first_at: int
    """Epoch seconds of the first execution; `last_at`: of the last."""
    last_at: int


def performance(
    reader: HistoryReader,
    labels: list[str],
    from_us: int,
    to_us: int,
    *,
    by_tier: bool = False,
) -> list[Performance]:
    """Days between two times added up, by account or by tier, in the order of the labels. Days of
    another account that a label was do not count."""
    if not labels:
        return []
    marks = ",".join("?" * len(labels))
    starts = identity_starts(reader, labels)
    sums: dict[str, _Sum] = {}
    for row in reader.read_ledger(
        "SELECT label, tier, day, open, close, drawdown, realized, trades, wins, losses,"
        " gross_win, gross_loss, turnover, orders, rejected, stale_s FROM day"
        f" JOIN account ON account.n = acc WHERE label IN ({marks}) AND day BETWEEN ? AND ?"
        " ORDER BY label, day",
        (*labels, day_number(from_us), day_number(to_us)),
    ):
        label, tier, *values = row
        if values[0] < starts.get(label, 0) // DAY_US:
            continue
        key = (tier or "none") if by_tier else label
        sums.setdefault(key, _Sum()).add(label, values)
    missing = _count_gaps(reader, day_number(from_us) * DAY_US, (day_number(to_us) + 1) * DAY_US)
    for total in sums.values():
        total.gaps = missing.get(None, 0) + sum(missing.get(label, 0) for label in total.labels)
    order = {label: at for at, label in enumerate(labels)}
    return [sums[key].result(key) for key in sorted(sums, key=lambda key: (order.get(key, 0), key))]


def symbol_results(
    reader: HistoryReader, labels: Sequence[str], from_us: int, to_us: int
) -> list[SymbolResult]:
    """Executions between two times added up by symbol, in the order of the symbols. Busted ones do
    not count, nor those of another account that a label was."""
    if not labels:
        return []
    marks = ",".join("?" * len(labels))
    starts = identity_starts(reader, labels)
    changed = "".join(" AND NOT (label = ? AND fill.at_us < ?)" for _ in starts)
    rows = reader.read_ledger(
        "SELECT symbol.name, count(DISTINCT fill.acc), count(*), sum(coalesce(realized, 0)),"
        " sum(CASE WHEN realized IS NULL THEN 1 ELSE 0 END),"
        " sum(CASE WHEN realized > 0 THEN 1 ELSE 0 END),"
        " sum(CASE WHEN realized < 0 THEN 1 ELSE 0 END),"
        " sum(CASE WHEN realized > 0 THEN realized ELSE 0 END),"
        " sum(CASE WHEN realized < 0 THEN -realized ELSE 0 END),"
        " min(fill.at_us), max(fill.at_us)"
        " FROM fill JOIN account ON account.n = fill.acc JOIN symbol ON symbol.n = fill.sym"
        f" WHERE label IN ({marks}) AND fill.at_us >= ? AND fill.at_us < ?"
        f" AND removed_us IS NULL{changed} GROUP BY symbol.name ORDER BY symbol.name",
        (*labels, from_us, to_us, *(value for pair in starts.items() for value in pair)),
    )
    return [_symbol_result(str(name), [int(value) for value in values]) for name, *values in rows]


def _symbol_result(symbol: str, values: Sequence[int]) -> SymbolResult:
    accounts, fills, realized, unknown, wins, losses, won, lost, first_us, last_us = values
    return SymbolResult(
        symbol=symbol,
        accounts=accounts,
        fills=fills,
        realized_pl=plain(realized, MONEY_SCALE) or "0",
        unknown=unknown,
        wins=wins,
        losses=losses,
        win_rate=round(wins / (wins + losses), 4) if wins + losses else None,
        profit_factor=round(won / lost, 4) if lost else None,
        first_at=first_us // US,
        last_at=last_us // US,
    )


def _count_gaps(reader: HistoryReader, from_us: int, to_us: int) -> dict[str | None, int]:
    """label → gaps between two times; None: those of every account."""
    return dict(
        reader.read_ledger(
            "SELECT label, count(*) FROM gap LEFT JOIN account ON account.n = gap.acc"
            " WHERE from_us < ? AND coalesce(to_us, ?) > ? GROUP BY label",
            (to_us, to_us, from_us),
        )
    )


class _Sum:
    """Days of one key."""

    def __init__(self) -> None:
        self.labels: set[str] = set()
        self.gaps = 0
        self._days: set[int] = set()
        self._begin: dict[str, int] = {}
        self._end: dict[str, int] = {}
        self._drawdown = 0
        self._sums = [0] * 10

    def add(self, label: str, values: Sequence[int | None]) -> None:
        day, begin, end, drawdown, *rest = values
        self.labels.add(label)
        self._days.add(day or 0)
        if begin is not None:
            self._begin.setdefault(label, begin)
        if end is not None:
            self._end[label] = end
        self._drawdown = max(self._drawdown, drawdown or 0)
        self._sums = [total + (value or 0) for total, value in zip(self._sums, rest, strict=True)]

    def result(self, key: str) -> Performance:
        realized, trades, wins, losses, won, lost, turnover, orders, rejected, stale = self._sums
        return Performance(
            key=key,
            days=len(self._days),
            begin_equity=plain(sum(self._begin.values()), MONEY_SCALE) if self._begin else None,
            end_equity=plain(sum(self._end.values()), MONEY_SCALE) if self._end else None,
            realized_pl=plain(realized, MONEY_SCALE) or "0",
            trades=trades,
            wins=wins,
            losses=losses,
            win_rate=round(wins / trades, 4) if trades else None,
            profit_factor=round(won / lost, 4) if lost else None,
            max_drawdown=plain(self._drawdown, MONEY_SCALE) or "0",
            turnover=plain(turnover, MONEY_SCALE) or "0",
            orders=orders,
            rejected=rejected,
            stale_s=stale,
            gaps=self.gaps,
        )
