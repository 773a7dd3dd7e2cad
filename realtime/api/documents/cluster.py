"""Which daemons this one follows, and which follow it: absent without `[cluster]`."""

from msgspec import Struct

from realtime.telemetry.histogram import Histogram


class OwnerRow(Struct, frozen=True, kw_only=True):
    """A daemon whose accounts are followed."""

    member: str | None
    """Its name; null until the first connection."""
    address: str
    """Where its feed is."""
    url: str | None
    """Its address for clients, as it is configured there."""
    connected: bool
    """Whether its accounts are as it has them; otherwise they are marked stale."""
    since: str
    accounts: int
    error: str | None
    """Why it is not connected."""
    skew_s: float | None
    """Its clock minus ours. Nothing is decided by it."""


class MemberRow(Struct, frozen=True, kw_only=True):
    """A daemon whose lease holds."""

    member: str
    address: str
    version: str
    accounts: int
    """That it owns."""
    draining: bool
    same_accounts: bool
    """Whether its configuration has the same accounts as that of this daemon."""


class EngineDocument(Struct, frozen=True, kw_only=True):
    """What decides which daemon owns which account, and what this one owns."""

    member: str
    reachable: bool
    """Whether it has renewed the lease of this daemon in time."""
    nodes: int
    """Of etcd, as configured."""
    nodes_up: int
    """Of them, those that answered last."""
    lease_s: float
    """For how long this daemon may go on without another renewal; below zero: since when not."""
    accounts: int
    """That this daemon owns."""
    unowned: int
    """Accounts of its configuration that no daemon owns."""
    moving: int
    """Accounts that it is handing over, or should."""
    draining: bool
    alone: bool
    """It goes on without the engine, as a person has decided."""
    cut_off: bool
    """Its streams were released, because the engine did not answer for too long."""
    members: list[MemberRow]


class EngineFigures(Struct, frozen=True, kw_only=True):
    """What `/metrics` counts of it, since the start."""

    latency: Histogram
    failures: int
    leases_lost: int
    taken_over: int
    handed_over: int
    intents_recorded: int
    intents_refused: int


class ClusterDocument(Struct, frozen=True, kw_only=True):
    """This daemon as a member of several."""

    fleet: str
    member: str
    fronts: int
    """Daemons that follow this one now."""
    owners: list[OwnerRow]
    engine: EngineDocument | None = None
    """None: without `[cluster] engine`."""


class FeedFigures(Struct, frozen=True, kw_only=True):
    """What `/metrics` counts, since the start."""

    fronts: int
    sent_frames: int
    sent_bytes: int
    joined: int
    resumed: int
    cut: int
    rejected: int
    """Requests without the fleet's secret."""
    dropped: dict[str, int]
    """Reason → received frames that were not applied."""
