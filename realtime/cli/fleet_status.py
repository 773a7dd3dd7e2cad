"""The status of a daemon's accounts: which have a problem, and why."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from realtime.api.documents.accounts import AccountsDocument
from realtime.api.documents.health import HealthDocument
from realtime.api.documents.status import StatusDocument, StatusRow
from realtime.cli.client import DaemonClient
from realtime.errors import ConfigError, RealtimeError
from realtime.nearest import nearest

CONNECTING_STATES = frozenset({"starting", "connecting", "authorizing", "syncing"})

SEVERITY = ("refused", "waiting", "deaf", *sorted(CONNECTING_STATES), "synced", "disabled")
"""States, the worst first: refused needs a person, waiting reconnects, the rest is behind."""


class MarketFeeds(Struct, frozen=True):
    """The part of `/market/status` that is shown. Its own types would import the websockets."""

    feed: str | None = None
    option_feed: str | None = None


class MarketSummary(Struct, frozen=True):
    """Whose key reads market data, and from which feeds."""

    account: str
    rest: MarketFeeds


class FleetStatus(Struct, frozen=True):
    """Documents of one moment."""

    health: HealthDocument
    status: StatusDocument
    equity: Mapping[str, str | None]
    """Label → the broker's decimal string."""
    market: MarketSummary | None = None
    """None: there is no market data, or the token may not see it."""


class Problem(Struct, frozen=True):
    """One cause, and the accounts that have it."""

    state: str
    message: str
    remedy: str | None
    accounts: list[str]
    since: datetime
    """The earliest time at which one of them was last in sync."""


def read_fleet_status(daemon: DaemonClient) -> FleetStatus:
    """Read the documents. Raises `LinkError` if no daemon responds."""
    health = daemon.get("/health", HealthDocument)
    status = daemon.get("/websocket/status", StatusDocument)
    accounts = daemon.get("/realtime/accounts", AccountsDocument)
    equity: dict[str, str | None] = {row.account_id: row.equity for row in accounts.accounts}
    return FleetStatus(health, status, equity, _read_market(daemon))


def _read_market(daemon: DaemonClient) -> MarketSummary | None:
    try:
        return daemon.get("/market/status", MarketSummary)
    except RealtimeError:
        return None


def select_accounts(fleet: FleetStatus, labels: Sequence[str]) -> dict[str, StatusRow]:
    """Return the rows of these accounts; without labels, all. Raises `ConfigError`."""
    rows: dict[str, StatusRow] = dict(fleet.status.accounts.items())
    unknown = [label for label in labels if label not in rows]
    if unknown:
        meant = nearest(unknown[0], rows)
        remedy = f"did you mean {meant}?" if meant else "`realtime status --all` lists them"
        raise ConfigError(f"the daemon has no account '{unknown[0][:64]}'", remedy=remedy)
    return {label: rows[label] for label in labels} if labels else rows


def is_well(row: StatusRow) -> bool:
    """Whether an account has no problem. A disabled one is as configured; one that connects for the
    first time is only counted: a thousand of them would hide the others."""
    if row.state == "synced":
        return not row.stale
    is_first_attempt = row.state in CONNECTING_STATES and row.last_error is None
    return row.state == "disabled" or is_first_attempt


def by_severity(rows: Mapping[str, StatusRow]) -> dict[str, StatusRow]:
    """Return the rows with the worst first, else in their order."""
    ordered = sorted(rows.items(), key=lambda entry: _severity(entry[1]))
    return dict(ordered)


def _severity(row: StatusRow) -> int:
    return SEVERITY.index(row.state) if row.state in SEVERITY else len(SEVERITY)


def in_sync_until(row: StatusRow) -> datetime | None:
    """When the account was last in sync; None: it is now, or it never was."""
    if row.stale_since is None or not row.has_data:
        return None
    return parse_time(row.stale_since)


def group_by_cause(rows: Mapping[str, StatusRow]) -> list[Problem]:
    """Return one problem for each state, message and remedy, the worst first."""
    groups: dict[tuple[str, str, str | None], list[str]] = {}
    for label, row in by_severity(rows).items():
        groups.setdefault((row.state, _cause(row), row.remedy), []).append(label)
    return [
        Problem(state, message, remedy, labels, _earliest(rows[label] for label in labels))
        for (state, message, remedy), labels in groups.items()
    ]


def _cause(row: StatusRow) -> str:
    return row.last_error_message or row.stale_reason or "reason unknown"


def _earliest(rows: Iterable[StatusRow]) -> datetime:
    return min(in_sync_until(row) or parse_time(row.since) for row in rows)


def parse_time(text: str) -> datetime:
    """Parse one of the daemon's times."""
    return msgspec.convert(text, datetime)


def status_json(fleet: FleetStatus, rows: Mapping[str, StatusRow]) -> str:
    """Return the status document with these accounts, and with `status`, `uptime_s`, `equity`."""
    document = msgspec.to_builtins(fleet.status)
    document["accounts"] = {
        label: {**msgspec.to_builtins(row), "equity": fleet.equity.get(label)}
        for label, row in rows.items()
    }
    head = {"status": fleet.health.status, "uptime_s": fleet.health.uptime_s}
    if fleet.market is not None:
        document["market"] = msgspec.to_builtins(fleet.market)
    return msgspec.json.encode({**head, **document}).decode()
