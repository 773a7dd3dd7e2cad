"""The day's digest, after the close: accounts, profit and loss, best and worst, outages.

Profit of the day is equity minus the equity of the last close, without deposits and withdrawals
where they are known; accounts that are out of sync are named, for their figures may be old.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from realtime.api.documents.accounts import AccountRow, make_account_row
from realtime.core.decimals import number
from realtime.core.model import AccountLabel
from realtime.store.records import Record

MAX_NAMED = 3
MIN_OUTAGE_S = 60.0
"""Shorter outages are not listed."""


class DayResult(Struct, frozen=True):
    """One account's day."""

    label: str
    profit: Decimal
    last_equity: Decimal


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
        total = sum((result.profit for result in results), Decimal())
        base = sum((result.last_equity for result in results), Decimal())
        equity = sum((number(row.equity) for row in rows if row.equity), Decimal())
        lines.append(f"equity {_money(equity)}, day {_signed(total)}{_percent(total, base)}")
        lines += _extremes(results)
    if len(results) < len(rows):
        lines.append(f"{len(rows) - len(results)} accounts without figures")
    lines += _outage_lines(selected, outages)
    return "\n".join(lines)


def _make_result(row: AccountRow) -> DayResult | None:
    if row.day_pl is None or row.last_equity is None:
        return None
    profit = number(row.day_pl) - number(row.flows_today or "0")
    return DayResult(row.account_id, profit, number(row.last_equity))


def _extremes(results: list[DayResult]) -> list[str]:
    ordered = sorted(results, key=lambda result: result.profit, reverse=True)
    best = [result for result in ordered[:MAX_NAMED] if result.profit > 0]
    worst = [result for result in ordered[::-1][:MAX_NAMED] if result.profit < 0]
    named = (("best", best), ("worst", worst))
    return [f"{word} {', '.join(map(_describe, found))}" for word, found in named if found]


def _describe(result: DayResult) -> str:
    return f"{result.label} {_signed(result.profit)}{_percent(result.profit, result.last_equity)}"


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


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _signed(amount: Decimal) -> str:
    return f"{amount:+,.2f}".replace("-", "−")


def _percent(part: Decimal, whole: Decimal) -> str:
    return f" ({part / whole * 100:+.2f} %)".replace("-", "−") if whole else ""
