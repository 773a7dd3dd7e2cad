"""The rows of a comparison: accounts, labels, tiers, fleet, books; and why one is not ranked."""

from collections.abc import Callable, Sequence
from typing import Literal

from realtime.analytics.compare.members import Member
from realtime.analytics.compare.row_data import Flag, RowData, Window, sum_known
from realtime.analytics.daily import DailySeries, Flow, make_series
from realtime.analytics.figure_types import RowInputs
from realtime.analytics.ledger_inputs import (
    result_sums,
    unclassified,
)
from realtime.analytics.round_trips import Fill, RoundTrip
from realtime.core.trading_days import (
    next_trading_day,
    to_date,
    to_number,
)
from realtime.history.exact import US, money


def account_row(member: Member, window: Window) -> RowData:
    """The row of one account or label."""
    row = _group_row(member.key, "account", [member], window)
    profile = member.profile
    row.tier, row.paper, row.name = profile.tier, profile.paper, profile.name
    return row


def group_rows(
    members: Sequence[Member], window: Window, key_of: Callable[[Member], str]
) -> list[RowData]:
    """Rows of groups: the money of their members added up, never the mean of percentages."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(key_of(member), []).append(member)
    return [_group_row(key, "group", found, window) for key, found in groups.items()]


def _group_row(
    key: str, kind: Literal["account", "group"], members: Sequence[Member], window: Window
) -> RowData:
    flags: list[Flag] = []
    starts = [member.first_close() for member in members]
    known = [start for start in starts if start is not None]
    if not known:
        return RowData(
            key=key,
            kind=kind,
            labels=[member.profile.label for member in members],
            inputs=RowInputs(series=make_series(window.days, None, {}), base_day=window.base),
            reason="nothing recorded in the window",
        )
    ends = [max(member.closes) for member in members if member.closes]
    # A row that begins later is computed from its own start, and not ranked.
    base = max(window.base, *(start for start in known))
    last = min(window.last, min(ends))
    reason: str | None = None
    if len(known) < len(members):
        absent = [m.key for m, start in zip(members, starts, strict=True) if start is None]
        reason = f"nothing recorded of {', '.join(absent[:3])}"
    if base > window.base:
        start = to_number(next_trading_day(to_date(base)))
        reason = reason or f"starts {to_date(start).isoformat()}"
        flags.append(Flag(flag="own_start", detail=f"starts {to_date(start).isoformat()}"))
    if last < window.last:
        detail = f"ends {to_date(last).isoformat()}"
        reason = reason or detail
        flags.append(Flag(flag="ended", detail=detail))
    days = [day for day in window.days if base < day <= last]
    closes, exposure = _sum_closes(members, [base, *days])
    resets = sorted({day for member in members for day in member.resets if base < day <= last})
    flows = [flow for member in members for flow in member.flows if base < flow.day <= last]
    if len(members) > 1:
        # The equity before a flow is of one member: in a sum it would be wrong.
        flows = [Flow(day=flow.day, amount=flow.amount, share=flow.share) for flow in flows]
    series = make_series(days, closes.get(base), closes, flows, resets=resets)
    row = RowData(
        key=key,
        kind=kind,
        labels=[member.profile.label for member in members],
        inputs=_inputs(members, series, base, exposure),
        reason=reason,
        flags=flags,
        own_from=days[0] if base > window.base and days else None,
        open_day=_open_day(members, window, series),
    )
    _add_flags(row, members, base, last)
    return row


def _sum_closes(
    members: Sequence[Member], days: Sequence[int]
) -> tuple[dict[int, int], list[tuple[int, int, int]]]:
    """Day → equity of all members, only where all are known; and their exposure."""
    closes: dict[int, int] = {}
    exposure: list[tuple[int, int, int]] = []
    if len(members) == 1:
        own = members[0].closes
        closes = {day: own[day].equity for day in days if day in own}
        exposure = [
            (close.gross, close.net or 0, close.equity)
            for day in days[1:]
            if (close := own.get(day)) is not None and close.gross is not None
        ]
        return closes, exposure
    for number, day in enumerate(days):
        found = [member.closes.get(day) for member in members]
        if any(close is None for close in found):
            continue
        known = [close for close in found if close is not None]
        closes[day] = equity = sum(close.equity for close in known)
        if number and all(close.gross is not None for close in known):
            gross = sum(close.gross or 0 for close in known)
            exposure.append((gross, sum(close.net or 0 for close in known), equity))
    return closes, exposure


def _inputs(
    members: Sequence[Member],
    series: DailySeries,
    base: int,
    exposure: list[tuple[int, int, int]],
) -> RowInputs:
    first, last = (series.days[0], series.days[-1]) if series.days else (base + 1, base)
    fills: list[Fill] = []
    trips: list[RoundTrip] = []
    realized: int | None = 0
    sums = {"fees": 0, "dividends": 0, "interest": 0}
    for member in members:
        fills += [fill for fill in member.fills if first <= fill.day <= last]
        trips += [trip for trip in member.trading.trips if first <= trip.day <= last]
        for day, gain in member.trading.realized.items():
            if first <= day <= last:
                realized = None if realized is None or gain is None else realized + gain
        for name, amount in result_sums(member.history, first, last).items():
            sums[name] += amount
    balances = [money(member.profile.initial_balance) for member in members]
    later = [money(member.profile.later_flows) for member in members]
    current = [member for member in members if member.is_current]
    return RowInputs(
        series=series,
        base_day=base,
        fills=fills,
        trips=trips,
        realized=realized,
        open_trips=sum(member.trading.open_trips for member in members),
        gross=exposure,
        initial_balance=sum_known(balances),
        later_flows=sum_known(later),
        orders=sum(first <= day <= last for member in members for day, _ in member.history.orders),
        rejected=sum(member.history.rejected for member in current),
        errors=sum(member.history.rejected + member.history.disconnects for member in current),
        is_paper=all(member.profile.paper for member in members),
        fees=sums["fees"],
        dividends=sums["dividends"],
        interest=sums["interest"],
    )


def _open_day(
    members: Sequence[Member], window: Window, series: DailySeries
) -> tuple[int, int, int] | None:
    """Today so far, where the window ends with the last trading day that is over."""
    found = [member.history.open_close for member in members]
    if any(value is None for value in found) or not series.equity or series.equity[-1] is None:
        return None
    values = [value for value in found if value is not None]
    day, equity = values[0][0], sum(value[1] for value in values)
    if to_number(next_trading_day(to_date(window.last))) != day:
        return None
    flows = sum(
        activity.amount or 0
        for member in members
        for activity in member.history.activities
        if activity.day == day and activity.type in _FLOW_TYPES
    )
    return day, equity, equity - series.equity[-1] - flows


def _add_flags(row: RowData, members: Sequence[Member], base: int, last: int) -> None:
    series = row.inputs.series
    if series.missing:
        detail = f"{len(series.missing)} of {len(series.days)} days not recorded: " + ", ".join(
            to_date(day).isoformat() for day in series.missing[:3]
        )
        row.flags.append(Flag(flag="missing_days", detail=detail))
        row.reason = row.reason or f"{len(series.missing)} days not recorded"
    if series.resets:
        detail = f"another account since {to_date(series.resets[-1]).isoformat()}"
        row.flags.append(Flag(flag="reset", detail=detail))
        row.reason = row.reason or detail
    unknown = sorted({t for m in members for t in unclassified(m.history, base + 1, last)})
    if unknown:
        detail = f"activities of unknown effect: {', '.join(unknown[:5])}"
        row.flags.append(Flag(flag="unclassified", detail=detail))
        row.reason = row.reason or detail
    gaps = [gap for member in members for gap in member.history.gaps]
    if gaps:
        seconds = sum(end - begin for begin, end, _ in gaps) // US
        row.flags.append(Flag(flag="gap", detail=f"{len(gaps)} gaps, {seconds} s together"))
    from_broker = {
        day
        for member in members
        for day, close in member.closes.items()
        if close.source == "broker" and base <= day <= last
    }
    if from_broker:
        detail = f"{len(from_broker)} days from the broker's portfolio history"
        row.flags.append(Flag(flag="broker_equity", detail=detail))
    gains = (
        gain
        for member in members
        for day, gain in member.trading.realized.items()
        if base < day <= last
    )
    if any(gain is None for gain in gains):
        row.flags.append(Flag(flag="unknown_entry", detail="an entry price is not known"))
    has_traded = row.inputs.fills or any(gross for gross, _, _ in row.inputs.gross)
    if not has_traded and series.days:
        row.flags.append(Flag(flag="no_trade", detail="no trade in the window"))
        row.reason = row.reason or "no trade in the window"


_FLOW_TYPES = frozenset({"CSD", "CSW", "JNLC", "ACATC", "TRANS", "JNL"})
