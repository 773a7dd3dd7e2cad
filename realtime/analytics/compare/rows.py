"""The rows of a comparison: accounts, labels, tiers, fleet; and why one is not ranked."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from realtime.analytics.account_history import result_sums, unclassified
from realtime.analytics.closes import Closes, Exposure
from realtime.analytics.compare.corporate_actions import doubtful_days
from realtime.analytics.compare.members import Member
from realtime.analytics.compare.row_data import (
    CountsNow,
    Flag,
    Row,
    RowData,
    Window,
    sum_known,
)
from realtime.analytics.daily import DailySeries, make_series
from realtime.analytics.figure_types import RowInputs
from realtime.analytics.round_trips import Fill, RoundTrip
from realtime.core.trading_days import close_at, next_trading_day, to_date, to_number
from realtime.history.exact import US, money

GroupKind = Literal["account", "group"]


def account_row(member: Member, window: Window) -> Row:
    """The row of one account or label."""
    return _row(member.key, "account", [member], window)


def group_rows(
    members: Sequence[Member], window: Window, key_of: Callable[[Member], str]
) -> list[Row]:
    """Rows of groups: the money of their members added up, never the mean of percentages."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(key_of(member), []).append(member)
    return [_row(key, "group", group, window) for key, group in groups.items()]


def _row(key: str, kind: GroupKind, members: Sequence[Member], window: Window) -> Row:
    counts = [member.now for member in members]
    return Row(
        key,
        kind,
        partial(_make_data, key, kind, members, window),
        identity=(
            key,
            kind,
            window.base,
            window.last,
            len(window.days),
            *(member.identity(window) for member in members),
        ),
        now=CountsNow(
            sum(count.rejected for count in counts),
            sum(count.errors for count in counts),
            sum(count.open_trips for count in counts),
        ),
    )


def _make_data(key: str, kind: GroupKind, members: Sequence[Member], window: Window) -> RowData:
    flags: list[Flag] = []
    parts = [member.closes(window) for member in members]
    starts = [part.first for part in parts]
    known = [start for start in starts if start is not None]
    if not known:
        row = RowData(
            key=key,
            kind=kind,
            labels=[member.profile.label for member in members],
            inputs=RowInputs(series=make_series(window.days, None, {}), base_day=window.base),
            reason="nothing recorded in the window",
        )
        return _with_profile(row, members)
    # A row that begins later is computed from its own start, and not ranked.
    base = max(window.base, *known)
    last = min(window.last, *(part.last for part in parts if part.last is not None))
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
    days = _days_between(window, base, last)
    closes = _sum_closes(parts)
    resets = sorted({day for member in members for day in member.resets if base < day <= last})
    flows = [flow for member in members for flow in member.flows if base < flow.day <= last]
    doubtful = doubtful_days(members, closes, flows, base, last)
    for day in doubtful:
        del closes[day]
    if len(members) > 1:
        # The equity before a flow is of one member: in a sum it would be wrong.
        flows = [type(flow)(day=flow.day, amount=flow.amount, share=flow.share) for flow in flows]
    series = make_series(days, closes.get(base), closes, flows, resets=resets)
    row = RowData(
        key=key,
        kind=kind,
        labels=[member.profile.label for member in members],
        inputs=_inputs(members, series, base, _sum_exposure(parts, base)),
        reason=reason,
        flags=flags,
        own_from=days[0] if base > window.base and days else None,
        open_day=_open_day(members, window, series),
    )
    _add_corporate_actions(row, doubtful)
    _add_flags(row, members, parts, base, last)
    return _with_profile(row, members)


def _with_profile(row: RowData, members: Sequence[Member]) -> RowData:
    if row.kind == "account":
        profile = members[0].profile
        row.tier, row.paper, row.name = profile.tier, profile.paper, profile.name
    return row


def _days_between(window: Window, base: int, last: int) -> Sequence[int]:
    if base == window.base and last == window.last:
        return window.days
    return window.days[bisect_right(window.days, base) : bisect_right(window.days, last)]


def _sum_closes(parts: Sequence[Closes]) -> dict[int, int]:
    """Day → equity of all members, only where all are known."""
    closes = dict(parts[0])
    for part in parts[1:]:
        own = dict(part)
        closes = {day: equity + own[day] for day, equity in closes.items() if day in own}
    return closes


def _sum_exposure(parts: Sequence[Closes], base: int) -> Exposure:
    """Exposure of the days after the base on which that of all members is known."""
    if len(parts) == 1:
        return parts[0].exposure(base + 1)
    sums: dict[int, tuple[int, int, int]] | None = None
    for part in parts:
        own = part.exposure_by_day(base + 1)
        if sums is None:
            sums = own
            continue
        sums = {
            day: (gross + own[day][0], net + own[day][1], equity + own[day][2])
            for day, (gross, net, equity) in sums.items()
            if day in own
        }
    found = list((sums or {}).values())
    return Exposure([day[0] for day in found], [day[1] for day in found], [day[2] for day in found])


def _inputs(
    members: Sequence[Member], series: DailySeries, base: int, exposure: Exposure
) -> RowInputs:
    first, last = (series.days[0], series.days[-1]) if series.days else (base + 1, base)
    fills: list[Fill] = []
    trips: list[RoundTrip] = []
    realized: int | None = 0
    sums = {"fees": 0, "dividends": 0, "interest": 0}
    for member in members:
        fills += [
            fill for fill in member.past_fills if first <= fill.day <= last and not fill.is_split
        ]
        trips += [trip for trip in member.trading.trips if first <= trip.day <= last]
        for day, gain in member.trading.realized.items():
            if first <= day <= last:
                realized = None if realized is None or gain is None else realized + gain
        if member.history.activities:
            for name, amount in result_sums(member.history, first, last).items():
                sums[name] += amount
    counts = [member.now for member in members]
    return RowInputs(
        series=series,
        base_day=base,
        fills=fills,
        trips=trips,
        realized=realized,
        open_trips=sum(count.open_trips for count in counts),
        exposure=exposure,
        initial_balance=sum_known([money(m.profile.initial_balance) for m in members]),
        later_flows=sum_known([money(m.profile.later_flows) for m in members]),
        orders=sum(
            orders
            for member in members
            for day, orders in member.history.orders.items()
            if first <= day <= last and member.is_of(day)
        ),
        rejected=sum(count.rejected for count in counts),
        errors=sum(count.errors for count in counts),
        is_paper=all(member.profile.paper for member in members),
        fees=sums["fees"],
        dividends=sums["dividends"],
        interest=sums["interest"],
    )


def _open_day(
    members: Sequence[Member], window: Window, series: DailySeries
) -> tuple[int, int, int] | None:
    """Today so far, where the window ends with the last trading day that is over."""
    found = [member.history.now.open_close for member in members]
    if any(value is None for value in found) or not series.equity or series.equity[-1] is None:
        return None
    values = [value for value in found if value is not None]
    day, equity = values[0][0], sum(value[1] for value in values)
    if to_number(next_trading_day(to_date(window.last))) != day:
        return None
    flows = sum(member.history.now.flows for member in members)
    return day, equity, equity - series.equity[-1] - flows


def _add_corporate_actions(row: RowData, doubtful: Mapping[int, str]) -> None:
    for day, what in sorted(doubtful.items()):
        detail = f"equity of {to_date(day).isoformat()} is not used: {what}"
        row.flags.append(Flag(flag="corporate_action", detail=detail))
        row.reason = row.reason or detail


def _add_flags(
    row: RowData, members: Sequence[Member], parts: Sequence[Closes], base: int, last: int
) -> None:
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
    if series.broke:
        detail = f"no money on {to_date(series.broke[0]).isoformat()}"
        row.flags.append(Flag(flag="no_money", detail=detail))
        row.reason = row.reason or detail
    unknown = sorted({t for m in members for t in unclassified(m.history, base + 1, last)})
    if unknown:
        detail = f"activities of unknown effect: {', '.join(unknown[:5])}"
        row.flags.append(Flag(flag="unclassified", detail=detail))
        row.reason = row.reason or detail
    count, seconds = _gaps(members, base, last)
    if count:
        row.flags.append(Flag(flag="gap", detail=f"{count} gaps, {seconds} s together"))
    from_broker = {day for part in parts for day in part.broker_days() if base <= day <= last}
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
    has_traded = row.inputs.fills or any(row.inputs.exposure.gross)
    if not has_traded and series.days:
        row.flags.append(Flag(flag="no_trade", detail="no trade in the window"))
        row.reason = row.reason or "no trade in the window"


def _gaps(members: Sequence[Member], base: int, last: int) -> tuple[int, int]:
    """Times in the days after the base in which an account was out of sync: how many, seconds."""
    from_us, until_us = close_at(to_date(base)) * US, close_at(to_date(last)) * US
    parts = [
        min(end, until_us) - max(begin, from_us)
        for member in members
        for begin, end, _ in (*member.history.gaps, *member.history.now.gaps)
        if begin < until_us and end > from_us
    ]
    return len(parts), sum(parts) // US
