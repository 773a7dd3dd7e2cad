"""The health of the whole fleet, from its records alone."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from realtime.api.documents.timestamps import format_millis
from realtime.history.status import Condition as HistoryCondition
from realtime.history.status import FailureReason, HistoryStatus
from realtime.store.records import Record

Condition = Literal["ok", "degraded", "starting"]


class HealthQuery(Struct, frozen=True, kw_only=True):
    """Parameters of the health."""

    strict: Annotated[bool, Meta(description="503 unless the status is `ok`.")] = False


class FleetCounts(Struct, frozen=True, kw_only=True):
    """The fleet counted. Disabled accounts are in `total` and `disabled` only."""

    total: int
    disabled: int
    connected: int
    stale: int
    untried: int
    """Enabled accounts that have neither been read nor failed once since the start."""
    unread: int
    """Enabled accounts without data that may still get some: all but those that are refused."""
    with_data: int

    @property
    def enabled(self) -> int:
        """Accounts that the configuration does not disable."""
        return self.total - self.disabled

    @property
    def has_all_data(self) -> bool:
        """Whether every enabled account that can be read was read, and at least one was."""
        return not self.unread and (self.with_data > 0 or not self.enabled)


class DatabaseHealth(Struct, frozen=True, kw_only=True):
    """How history is copied to the database. While it fails, the files keep what it lacks."""

    status: Literal["copying", "failing"]
    lag_s: float


class HistoryHealth(Struct, frozen=True, kw_only=True):
    """How history is recorded. It does not change the fleet's status: the state is right without
    it."""

    status: HistoryCondition
    reason: FailureReason | None
    """Why nothing is written while the status is `failing`; details are in the log."""
    waiting: int
    """Changes that are not written yet."""
    lost: int
    """Changes that were dropped since the start; each time is a gap."""
    gaps: int
    """Gaps that were recorded since the start, the one of the restart included."""
    committed_at: str | None
    bytes: int
    database: DatabaseHealth | None
    """null: `[history] url` is not set."""


class HealthDocument(Struct, frozen=True, kw_only=True):
    """The fleet's health as of one moment."""

    status: Condition
    version: str
    uptime_s: float
    total_accounts: int
    connected_accounts: int
    stale_accounts: int
    disabled_accounts: int
    as_of: str
    history: HistoryHealth | None = None
    """null: history is not recorded."""


def is_tried(record: Record) -> bool:
    """Whether the first attempt has ended: with data, or with an error."""
    link = record.link
    return (
        record.has_data
        or link.state in ("synced", "waiting", "refused")
        or link.reconnect_attempts > 0
        or link.last_error_at is not None
    )


def count_fleet(records: Iterable[Record]) -> FleetCounts:
    """Count the fleet."""
    total = disabled = connected = stale = untried = unread = with_data = 0
    for record in records:
        total += 1
        if record.link.state == "disabled":
            disabled += 1
            continue
        connected += record.link.is_synced
        stale += record.link.is_stale
        untried += not is_tried(record)
        with_data += record.has_data
        unread += not record.has_data and record.link.state != "refused"
    return FleetCounts(
        total=total,
        disabled=disabled,
        connected=connected,
        stale=stale,
        untried=untried,
        unread=unread,
        with_data=with_data,
    )


def get_condition(counts: FleetCounts, *, is_started: bool) -> Condition:
    """The health in one word. A new account in a running fleet is not `starting` again."""
    if not counts.total:
        return "degraded"  # no account is visible: nothing is known to be well
    if counts.untried and not is_started:
        return "starting"
    return "ok" if counts.connected == counts.enabled and not counts.stale else "degraded"


def make_health(
    counts: FleetCounts,
    *,
    is_started: bool,
    version: str,
    started_at: float,
    now: float,
    history: HistoryStatus | None = None,
) -> HealthDocument:
    """The document as of `now`; times are epoch seconds."""
    return HealthDocument(
        status=get_condition(counts, is_started=is_started),
        version=version,
        uptime_s=round(max(0.0, now - started_at), 1),
        total_accounts=counts.total,
        connected_accounts=counts.connected,
        stale_accounts=counts.stale,
        disabled_accounts=counts.disabled,
        history=None if history is None else _history_health(history),
        as_of=format_millis(now),
    )


def _history_health(status: HistoryStatus) -> HistoryHealth:
    at, copy = status.committed_at, status.database
    return HistoryHealth(
        status=status.condition,
        reason=status.failure,
        waiting=status.waiting,
        lost=sum(status.lost.values()),
        gaps=sum(status.gaps.values()),
        committed_at=None if at is None else format_millis(at),
        bytes=status.bytes,
        database=None
        if copy is None
        else DatabaseHealth(
            status="failing" if copy.is_failing else "copying", lag_s=round(copy.lag_s, 1)
        ),
    )
