"""The state of every account's link, and the counts of the whole fleet."""

from collections import Counter
from collections.abc import Iterable
from typing import get_args

from msgspec import UNSET, Raw, Struct, UnsetType, structs

from realtime.api.documents.cluster import ClusterDocument
from realtime.api.documents.filters import MAX_ACCOUNTS, FleetLimit, Offset, States
from realtime.api.documents.timestamps import format_millis, format_seconds
from realtime.core.link import Link, LinkState
from realtime.core.model import AccountLabel
from realtime.store.records import Record
from realtime.telemetry.histogram import RecentPercentiles

STATES: tuple[LinkState, ...] = get_args(LinkState)


class StatusQuery(Struct, frozen=True, kw_only=True):
    """Parameters of the status. The counts are of the whole fleet in any case."""

    state: States = ()
    limit: FleetLimit = MAX_ACCOUNTS
    offset: Offset = 0


class LinkRow(Struct, frozen=True, kw_only=True):
    """The link of one version of a record. Nothing in it changes with the clock."""

    connected: bool
    reconnect_attempts: int
    last_error: str | None
    has_data: bool
    last_error_message: str | None
    remedy: str | None
    state: LinkState
    since: str
    """When the account was last in sync; while it is in sync: since when. Of an account that never
    was, the start."""
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
    owner: str | UnsetType = UNSET
    """The daemon that keeps the account in sync, where that is another one."""


class StatusRow(LinkRow, frozen=True, kw_only=True):
    """The same with the values that change between versions."""

    last_message_at: str | None
    confirmed_at: str | None
    next_attempt_in_s: float | None
    out_of_sync_s: float | None
    """For how long it has been out of sync; None while it is in sync, and of a disabled account."""


class StatusDocument(Struct, frozen=True, kw_only=True):
    """The links of the whole fleet."""

    total_accounts: int
    connected_accounts: int
    accounts: dict[AccountLabel, StatusRow]
    as_of: str
    by_state: dict[LinkState, int]
    requests: RecentPercentiles | None
    """Clients' requests of the last minute; null in the first seconds, and for a token that may not
    see every account."""
    updates: RecentPercentiles | None
    """The delay of executions: from the broker's time of each until clients see it."""
    cluster: ClusterDocument | UnsetType = UNSET
    """Which daemons this one follows, and how many follow it; absent without `[cluster]`."""


class StatusJson(Struct, frozen=True, kw_only=True):
    """The same with encoded rows."""

    total_accounts: int
    connected_accounts: int
    accounts: dict[AccountLabel, Raw]
    as_of: str
    by_state: dict[LinkState, int]
    requests: RecentPercentiles | None
    updates: RecentPercentiles | None
    cluster: ClusterDocument | UnsetType = UNSET


def get_last_synced(link: Link) -> float:
    """When an account was last in sync, epoch seconds."""
    return link.since if link.stale_since is None else link.stale_since


def make_link_row(record: Record) -> LinkRow:
    """The row of one version. An account's numbers are unknown until the first read."""
    link, state, has_data = record.link, record.state, record.has_data
    return LinkRow(
        connected=link.is_synced,
        reconnect_attempts=link.reconnect_attempts,
        last_error=None if link.last_error_at is None else format_seconds(link.last_error_at),
        has_data=has_data,
        last_error_message=link.last_error_message,
        remedy=link.remedy,
        state=link.state,
        since=format_millis(get_last_synced(link)),
        next_attempt_at=None
        if link.next_attempt_at is None
        else format_millis(link.next_attempt_at),
        positions=len(state.positions) if has_data else None,
        open_orders=state.open_orders if has_data else None,
        stale=link.is_stale,
        stale_since=None if link.stale_since is None else format_millis(link.stale_since),
        stale_reason=link.stale_reason,
        polled_at=None if link.polled_at is None else format_millis(link.polled_at),
        tier=record.profile.tier,
        paper=record.profile.paper,
        owner=UNSET if record.owner is None else record.owner,
    )


def make_status_row(record: Record) -> StatusRow:
    """The row of one version, without the values that change between versions."""
    row = structs.asdict(make_link_row(record))
    return StatusRow(
        **row, last_message_at=None, confirmed_at=None, next_attempt_in_s=None, out_of_sync_s=None
    )


def with_message_times(row: StatusRow, record: Record) -> StatusRow:
    """The row with the times of the last message and of the last confirmation of the money."""
    message_at, confirmed_at = record.last_message_at, record.confirmed_at
    if message_at is None and confirmed_at is None:
        return row
    return structs.replace(
        row,
        last_message_at=None if message_at is None else format_millis(message_at),
        confirmed_at=None if confirmed_at is None else format_millis(confirmed_at),
    )


def with_countdown(row: StatusRow, record: Record, now: float) -> StatusRow:
    """The row as of `now`, epoch seconds."""
    attempt_at, stale_since = record.link.next_attempt_at, record.link.stale_since
    if not changes_with_time(record.link):
        return row
    return structs.replace(
        row,
        next_attempt_in_s=None if attempt_at is None else round(max(0.0, attempt_at - now), 1),
        out_of_sync_s=None if stale_since is None else round(max(0.0, now - stale_since), 1),
    )


def changes_with_time(link: Link) -> bool:
    """Whether `with_countdown` changes the row of a link."""
    return link.state != "disabled" and link.stale_since is not None


def count_states(records: Iterable[Record]) -> dict[LinkState, int]:
    """How many links are in each state, with every state."""
    counts = Counter(record.link.state for record in records)
    return {state: counts[state] for state in STATES}
