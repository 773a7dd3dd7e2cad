"""How the fleet stands, as a running daemon tells it: its documents, read and joined."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from realtime.cli.client import DaemonClient

Instant = Annotated[datetime, Meta(tz=True)]


ON_THE_WAY = frozenset({"starting", "connecting", "authorizing", "syncing"})


class Health(Struct, frozen=True):
    """What is used of `/health`."""

    status: str
    uptime_s: float


class Row(Struct, frozen=True):
    """What is used of an account's row in the status."""

    connected: bool
    state: str
    since: Instant
    stale: bool = False
    reconnect_attempts: int = 0
    last_error: str | None = None
    last_error_message: str | None = None
    remedy: str | None = None
    next_attempt_in_s: float | None = None
    positions: int | None = None
    open_orders: int | None = None
    paper: bool = True

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to tell. A disabled account is as it is meant to be, and one
        on its first way up is only counted: a thousand of them would hide the others."""
        if self.state == "synced":
            return not self.stale
        return self.state == "disabled" or (self.state in ON_THE_WAY and self.last_error is None)


class RecentLatencies(Struct, frozen=True):
    """What is used of how something went in the last minute."""

    per_s: float
    p99_ms: float | None = None
    p95_ms: float | None = None
    p50_ms: float | None = None


class Status(Struct, frozen=True):
    """What is used of `/websocket/status`."""

    total_accounts: int
    connected_accounts: int
    accounts: dict[str, Row]
    as_of: Instant
    by_state: dict[str, int]
    requests: RecentLatencies | None = None
    updates: RecentLatencies | None = None


class Figures(Struct, frozen=True):
    """What is used of an account's row in the table of figures."""

    account_id: str
    equity: str | None = None


class Accounts(Struct, frozen=True):
    """What is used of `/realtime/accounts`."""

    accounts: list[Figures]


class FleetStatus(Struct, frozen=True):
    """All of it."""

    health: Health
    status: Status
    equity: dict[str, str | None]
    """label → the broker's decimal string; without those that nobody asked for"""


def read_standing(daemon: DaemonClient) -> FleetStatus:
    """Read it. Raises `LinkError` where no daemon answers."""
    health = daemon.ask("/health", Health)
    status = daemon.ask("/websocket/status", Status)
    figures = daemon.ask("/realtime/accounts", Accounts)
    return FleetStatus(health, status, {row.account_id: row.equity for row in figures.accounts})
