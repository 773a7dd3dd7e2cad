"""The day's digest, after the close: accounts, profit and loss, best and worst, outages.

Profit and return are those of the comparison, for one day: since the last close, without
deposits and withdrawals where they are known. Accounts that are out of sync are named, for their
figures may be old.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from msgspec import Struct

from realtime.analytics.daily import DailySeries, Flow, make_series
from realtime.api.documents.accounts import AccountRow, make_account_row
from realtime.core.model import AccountLabel
from realtime.history.exact import MONEY_SCALE, money
from realtime.store.records import Record

MAX_NAMED = 3
MIN_OUTAGE_S = 60.0
"""Shorter outages are not listed."""


class DayResult(Struct, frozen=True):
    """One account's day, or that of all. Money of 10⁻⁴."""

    label: str
    base: int
    close: int
    flows: int

    @property
    def series(self) -> DailySeries:
        """The day as the comparison computes it: when a deposit came in is not known."""
        flows = [Flow(day=0, amount=self.flows)] if self.flows else []
        return make_series([0], self.base, {0: self.close}, flows)

    @property
    def profit(self) -> int:
        """What was earned."""
        return self.series.pl[0] or 0


def make_digest(
    records: Iterable[Record],
    outages: Mapping[AccountLabel, float],
    day: date,
    *,
    is_calendar_known: bool,
) -> str:
    """The text of a target's accounts. `outages`: account → seconds out of sync today."""
    selected = [r for r in records if r.link.state != "disabled"]
    rows = [make_account_row(record) for record in selected]
    results = [result for row in rows if (result := _make_result(row)) is not None]
    title = f"{day:%a %d %b}" + ("" if is_calendar_known else " (calendar unknown)")
    synced = sum(1 for row in rows if row.connected and not row.stale)
    lines = [f"{title}: {len(rows)} accounts, {synced} in sync"]
    if results:
        total = DayResult(
            "",
            sum(result.base for result in results),
            sum(result.close for result in results),
            sum(result.flows for result in results),
        )
        equity = sum(money(row.equity) or 0 for row in rows)
        lines.append(f"equity {_money(equity)}, day {_describe(total)}")
        lines += _extremes(results)
    if len(results) < len(rows):
        lines.append(f"{len(rows) - len(results)} accounts without figures")
    lines += _outage_lines(selected, outages)
    return "\n".join(lines)


def _make_result(row: AccountRow) -> DayResult | None:
    base, close = money(row.last_equity), money(row.equity)
    if base is None or close is None:
        return None
    return DayResult(row.account_id, base, close, money(row.flows_today) or 0)


def _extremes(results: list[DayResult]) -> list[str]:
    ordered = sorted(results, key=lambda result: result.profit, reverse=True)
    best = [result for result in ordered[:MAX_NAMED] if result.profit > 0]
    worst = [result for result in ordered[::-1][:MAX_NAMED] if result.profit < 0]
    named = (("best", best), ("worst", worst))
    return [
        f"{word} {', '.join(f'{result.label} {_describe(result)}' for result in found)}"
        for word, found in named
        if found
    ]


def _describe(result: DayResult) -> str:
    """Profit and return: `+120.00 (+1.20 %)`."""
    profit = f"{result.profit / MONEY_SCALE:+,.2f}"
    day_return = result.series.returns[0]
    percent = "" if day_return is None else f" ({day_return * 100:+.2f} %)"
    return (profit + percent).replace("-", "−")


def _outage_lines(records: Iterable[Record], outages: Mapping[AccountLabel, float]) -> list[str]:
    labels = {record.profile.label for record in records}
    spent = {
        label: seconds
        for label, seconds in outages.items()
        if seconds >= MIN_OUTAGE_S and label in labels
    }
    if not spent:
        return ["no account was out of sync for a minute or more"]
    longest = sorted(spent, key=lambda label: -spent[label])
    named = [f"{label} {spent[label] / 60:.0f} min" for label in longest[:MAX_NAMED]]
    others = len(longest) - len(named)
    more = f", {others} more" if others else ""
    return [f"out of sync: {', '.join(named)}{more}"]


def _money(amount: int) -> str:
    return f"{amount / MONEY_SCALE:,.2f}"
