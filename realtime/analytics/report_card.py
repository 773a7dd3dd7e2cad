"""The broker's report card: quality of the connection by account and UTC day.

Seconds out of sync are counted once an account was synced for the first time. A read that finds an
execution which no event had delivered counts as an event that was missed and recovered.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct, field

from realtime.core.trading_days import to_date
from realtime.history.exact import US, day_number, instant
from realtime.history.reading import HistoryReader
from realtime.telemetry.histogram import quantile, to_ms

LATENCY_BOUNDS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
MAX_CAUSES = 20
"""Causes of a day that are counted separately; further ones count as `other`."""

MAX_OUTAGES = 200
NOT_SYNCED = "out of sync now: the next read shows what was missed"


class Latency(Struct, frozen=True, kw_only=True):
    """Percentiles of a delay in ms, and of how many; null where there were none."""

    n: int
    p50_ms: float | None
    p99_ms: float | None


class ReportDay(Struct, kw_only=True, omit_defaults=True):
    """One account's counts of one day, as they are kept. Counts by the bounds above."""

    outages: int = 0
    silent: int = 0
    """Of them: the socket was open and delivered nothing."""
    not_synced_s: float = 0.0
    silent_s: float = 0.0
    longest_s: float = 0.0
    recovered: int = 0
    causes: dict[str, int] = {}
    rate_limited: dict[str, int] = {}
    """Lane of the request → 429s."""
    http_errors: dict[str, int] = {}
    """`4xx` and `5xx` → responses, without 404."""
    error_hours: dict[int, int] = {}
    """Hour of the day → the same, together."""
    push: list[int] = []
    rest: list[int] = []


class AccountReport(Struct, frozen=True, kw_only=True):
    """One account over the time, or one of its days."""

    account_id: str
    day: str | None
    """Null: all days."""
    outages: int
    longest_s: float
    not_synced_s: float
    silent: int
    silent_s: float
    events_missed: int | None
    """Null with a reason: only the next read shows it."""
    events_missed_reason: str | None
    events_recovered: int
    causes: dict[str, int]
    rate_limited: dict[str, int]
    http_errors: dict[str, int]
    push: Latency
    rest: Latency


class Outage(Struct, frozen=True, kw_only=True):
    """A time in which an account was not synced, or all of them."""

    account_id: str | None
    """Null: every account of the report at once."""
    since: str = field(name="from")
    until: str | None = field(name="to")
    seconds: float
    reason: str


class ReportDocument(Struct, frozen=True, kw_only=True):
    """The report card, UTC days. Accounts that were out of sync longest come first."""

    since: str = field(name="from")
    until: str = field(name="to")
    as_of: str
    days: int
    total: AccountReport
    accounts: list[AccountReport]
    by_day: list[AccountReport]
    """Each account's days, oldest first."""
    outages: list[Outage]
    """The newest, of accounts and of all at once."""
    fleet_outages: list[Outage]
    notes: list[str]


def add_days(into: ReportDay, day: ReportDay) -> None:
    """Add a day's counts."""
    into.outages += day.outages
    into.silent += day.silent
    into.not_synced_s += day.not_synced_s
    into.silent_s += day.silent_s
    into.longest_s = max(into.longest_s, day.longest_s)
    into.recovered += day.recovered
    into.causes = dict(Counter(into.causes) + Counter(day.causes))
    into.http_errors = dict(Counter(into.http_errors) + Counter(day.http_errors))
    into.rate_limited = dict(Counter(into.rate_limited) + Counter(day.rate_limited))
    into.push = add_counts(into.push, day.push)
    into.rest = add_counts(into.rest, day.rest)


def add_counts(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """The sum of two readings; one without values counts as zeros."""
    if not left or not right:
        return list(left or right)
    return [a + b for a, b in zip(left, right, strict=True)]


def count_cause(day: ReportDay, cause: str) -> None:
    """Count a cause of an outage; causes beyond the bound are `other`."""
    if cause not in day.causes and len(day.causes) >= MAX_CAUSES:
        cause = "other"
    day.causes = {**day.causes, cause: day.causes.get(cause, 0) + 1}


def make_report(
    reader: HistoryReader, labels: Sequence[str], from_us: int, to_us: int, now_us: int
) -> ReportDocument:
    """The report card of some accounts between two times, by whole UTC days."""
    first, last = day_number(from_us), day_number(max(to_us - 1, from_us))
    wanted = set(labels)
    days: dict[str, dict[int, ReportDay]] = {label: {} for label in labels}
    for label, day, body in reader.read_ledger(
        "SELECT label, day, body FROM report JOIN account ON account.n = acc"
        " WHERE day BETWEEN ? AND ? ORDER BY label, day",
        (first, last),
    ):
        if label in wanted:
            days[label][day] = _decode(body)
    total = ReportDay()
    gaps = _gaps(reader, wanted, from_us, to_us, now_us)
    # A read lists every execution: what was missed is what it found, unless it is still to come.
    waiting = _out_of_sync(reader, wanted) if to_us >= now_us else set[str]()
    accounts, by_day = [], []
    for label, found in days.items():
        merged = ReportDay()
        for day, counts in found.items():
            add_days(merged, counts)
            is_today = day == day_number(now_us)
            unknown = NOT_SYNCED if label in waiting and is_today else None
            by_day.append(_report(label, day, counts, unknown))
        add_days(total, merged)
        accounts.append(_report(label, None, merged, NOT_SYNCED if label in waiting else None))
    accounts.sort(key=lambda account: -account.not_synced_s)
    return ReportDocument(
        since=to_date(first).isoformat(),
        until=to_date(last).isoformat(),
        as_of=instant(now_us),
        days=last - first + 1,
        total=_report("all", None, total, NOT_SYNCED if waiting else None),
        accounts=accounts,
        by_day=by_day,
        outages=[_outage(*gap) for gap in gaps[-MAX_OUTAGES:]][::-1],
        fleet_outages=_fleet_outages(gaps, len(wanted))[::-1],
        notes=[
            "latencies compare the broker's clock with ours: they include the clocks' difference",
            "missed events are executions that no event delivered and a read found: a read lists"
            " every execution",
            "seconds of silence count from when it was noticed",
        ],
    )


_decode = msgspec.json.Decoder(ReportDay).decode

Gap = tuple[str | None, int, int, str]
"""Label (None: all), from, to (µs), reason."""


def _report(
    label: str, day: int | None, counts: ReportDay, unknown: str | None = None
) -> AccountReport:
    """`unknown`: why missed events are not known."""
    return AccountReport(
        account_id=label,
        day=None if day is None else to_date(day).isoformat(),
        outages=counts.outages,
        longest_s=round(counts.longest_s, 1),
        not_synced_s=round(counts.not_synced_s, 1),
        silent=counts.silent,
        silent_s=round(counts.silent_s, 1),
        events_missed=counts.recovered if unknown is None else None,
        events_missed_reason=unknown,
        events_recovered=counts.recovered,
        causes=counts.causes,
        rate_limited=counts.rate_limited,
        http_errors=counts.http_errors,
        push=_latency(counts.push),
        rest=_latency(counts.rest),
    )


def _latency(counts: Sequence[int]) -> Latency:
    middle, high = (quantile(LATENCY_BOUNDS_S, counts, share) for share in (0.5, 0.99))
    return Latency(n=sum(counts), p50_ms=to_ms(middle), p99_ms=to_ms(high))


def _gaps(
    reader: HistoryReader, wanted: set[str], from_us: int, to_us: int, now_us: int
) -> list[Gap]:
    rows = reader.read_ledger(
        "SELECT label, from_us, coalesce(to_us, ?), reason FROM gap"
        " LEFT JOIN account ON account.n = acc"
        " WHERE from_us < ? AND coalesce(to_us, ?) > ? ORDER BY from_us",
        (now_us, to_us, now_us, from_us),
    )
    return [row for row in rows if row[0] is None or row[0] in wanted]


def _out_of_sync(reader: HistoryReader, wanted: set[str]) -> set[str]:
    """Accounts that are out of sync now."""
    rows = reader.read_ledger(
        "SELECT label FROM gap JOIN account ON account.n = acc WHERE to_us IS NULL"
    )
    return {label for (label,) in rows if label in wanted}


def _outage(label: str | None, begin: int, end: int, reason: str) -> Outage:
    return Outage(
        account_id=label,
        since=instant(begin),
        until=instant(end),
        seconds=round((end - begin) / US, 1),
        reason=reason,
    )


def _fleet_outages(gaps: Sequence[Gap], accounts: int) -> list[Outage]:
    """Times in which every account was out of sync at once: the broker's fault, or ours."""
    edges: list[tuple[int, int]] = []
    found = [_outage(*gap) for gap in gaps if gap[0] is None]
    for label, begin, end, _ in gaps:
        if label is not None:
            edges += [(begin, 1), (end, -1)]
    down, since = 0, 0
    for at, change in sorted(edges):
        before, down = down, down + change
        if accounts > 1 and before < accounts <= down:
            since = at
        elif accounts > 1 and down < accounts <= before and at > since:
            found.append(_outage(None, since, at, "all accounts out of sync"))
    return sorted(found, key=lambda outage: outage.since)


def first_days(rows: Mapping[str, str]) -> dict[str, ReportDay]:
    """Label → what is kept of a day, decoded."""
    return {label: _decode(body) for label, body in rows.items()}
