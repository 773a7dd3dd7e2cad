"""How the links stand: one row an account, and the counts of the whole fleet."""

from collections import Counter
from collections.abc import Iterable
from typing import get_args

from msgspec import Raw, Struct, structs

from realtime.api.documents.filters import WHOLE_FLEET, FleetLimit, Offset, States
from realtime.api.documents.timestamps import instant, second
from realtime.core.link import LinkState
from realtime.core.model import AccountLabel
from realtime.store.store import Record
from realtime.telemetry.histogram import RecentPercentiles

STATES: tuple[LinkState, ...] = get_args(LinkState)


class StatusQuery(Struct, frozen=True, kw_only=True):
    """What a reader may ask of the status. The counts are of the whole fleet in any case."""

    state: States = ()
    limit: FleetLimit = WHOLE_FLEET
    offset: Offset = 0


class LinkRow(Struct, frozen=True, kw_only=True):
    """What one version of a record says of its link. Nothing here moves with the clock."""

    connected: bool
    reconnect_attempts: int
    last_error: str | None
    has_data: bool
    last_error_message: str | None
    remedy: str | None
    state: LinkState
    since: str
    next_attempt_at: str | None
    positions: int | None
    open_orders: int | None
    stale: bool
    stale_since: str | None
    stale_reason: str | None
    polled_at: str | None
    tier: str | None
    paper: bool
    """False: real money."""


class StatusRow(LinkRow, frozen=True, kw_only=True):
    """The same with what moves between versions."""

    last_message_at: str | None
    confirmed_at: str | None
    next_attempt_in_s: float | None


class StatusDocument(Struct, frozen=True, kw_only=True):
    """The whole fleet's links."""

    total_accounts: int
    connected_accounts: int
    accounts: dict[AccountLabel, StatusRow]
    as_of: str
    by_state: dict[LinkState, int]
    requests: RecentPercentiles | None
    """How readers' requests went in the last minute; null in the first seconds, and for a token
    that may not know of every account."""
    updates: RecentPercentiles | None
    """The same of executions: from the broker's time of each to where readers see it."""


class StatusJson(Struct, frozen=True, kw_only=True):
    """The same, its rows encoded already."""

    total_accounts: int
    connected_accounts: int
    accounts: dict[AccountLabel, Raw]
    as_of: str
    by_state: dict[LinkState, int]
    requests: RecentPercentiles | None
    updates: RecentPercentiles | None


def link_row(record: Record) -> LinkRow:
    """The row of one version: an account's numbers are unknown while nothing has been read."""
    link, state, known = record.link, record.state, record.has_data
    return LinkRow(
        connected=link.is_synced,
        reconnect_attempts=link.reconnect_attempts,
        last_error=None if link.last_error_at is None else second(link.last_error_at),
        has_data=known,
        last_error_message=link.last_error_message,
        remedy=link.remedy,
        state=link.state,
        since=instant(link.since),
        next_attempt_at=None if link.next_attempt_at is None else instant(link.next_attempt_at),
        positions=len(state.positions) if known else None,
        open_orders=state.open_orders if known else None,
        stale=link.is_stale,
        stale_since=None if link.stale_since is None else instant(link.stale_since),
        stale_reason=link.stale_reason,
        polled_at=None if link.polled_at is None else instant(link.polled_at),
        tier=record.profile.tier,
        paper=record.profile.paper,
    )


def status_row(record: Record) -> StatusRow:
    """The row of one version, still without what moves."""
    row = structs.asdict(link_row(record))
    return StatusRow(**row, last_message_at=None, confirmed_at=None, next_attempt_in_s=None)


def with_moments(row: StatusRow, record: Record) -> StatusRow:
    """The row with when the broker was last heard, and when it last confirmed the money."""
    heard, confirmed = record.last_message_at, record.confirmed_at
    if heard is None and confirmed is None:
        return row
    return structs.replace(
        row,
        last_message_at=None if heard is None else instant(heard),
        confirmed_at=None if confirmed is None else instant(confirmed),
    )


def counting_down(row: StatusRow, record: Record, now: float) -> StatusRow:
    """The row as of `now`, epoch seconds."""
    due = record.link.next_attempt_at
    if due is None:
        return row
    return structs.replace(row, next_attempt_in_s=round(max(0.0, due - now), 1))


def count_states(records: Iterable[Record]) -> dict[LinkState, int]:
    """How many links stand in each state, every state named."""
    counts = Counter(record.link.state for record in records)
    return {state: counts[state] for state in STATES}
