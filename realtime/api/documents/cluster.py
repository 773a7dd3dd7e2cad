"""Which daemons this one follows, and which follow it: absent without `[cluster]`."""

from msgspec import Struct


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


class ClusterDocument(Struct, frozen=True, kw_only=True):
    """This daemon as a member of several."""

    fleet: str
    member: str
    fronts: int
    """Daemons that follow this one now."""
    owners: list[OwnerRow]


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
