"""The state of one account's connection to the broker, as a value that clients see."""

from typing import Literal

from msgspec import Struct

LinkState = Literal[
    "starting",
    "connecting",
    "authorizing",
    "syncing",
    "synced",
    "deaf",
    "waiting",
    "refused",
    "disabled",
]


class Link(Struct, frozen=True, kw_only=True):
    """One account's link. All times are epoch seconds by our own clock."""

    state: LinkState = "starting"
    since: float = 0.0
    """When `state` was entered."""
    reconnect_attempts: int = 0
    """Attempts since the link was last synced; 0 while it is."""
    last_error_at: float | None = None
    last_error_message: str | None = None
    remedy: str | None = None
    """What a person can do about the last error, when there is something."""
    next_attempt_at: float | None = None
    """When the next attempt is due, in state `waiting`."""
    polled_at: float | None = None
    """When the state was last read by REST because the link is down; `None` while it is not."""
    stale_since: float | None = None
    """Since when the state may be behind the broker; `None` while it is current."""
    stale_reason: str | None = "no snapshot yet"
    """Why it may be behind; `None` while it is current."""

    @property
    def is_synced(self) -> bool:
        """Whether events flow and the snapshot is in: the state is current."""
        return self.state == "synced"

    @property
    def is_stale(self) -> bool:
        """Whether the state may be behind the broker."""
        return self.stale_reason is not None
