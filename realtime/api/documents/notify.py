"""Documents about webhooks and notifications: how they go. Never an address or a secret."""

from typing import Literal

from msgspec import Struct

WebhookState = Literal["ok", "failing", "parked", "full"]


class WebhookRow(Struct, frozen=True, kw_only=True):
    """One receiver of events."""

    name: str
    host: str
    """Scheme, host and port of its address; the rest may be secret."""
    state: WebhookState
    """`parked`: nothing is sent until `realtime notify resend`. `full`: events find no room."""
    types: list[str]
    waiting: int
    """Messages that are stored and not confirmed."""
    parked: int
    """Messages that the receiver rejected too often."""
    delivered: int
    """Since the start, as the others below."""
    failed_attempts: int
    lost: int
    """Events that found no room; a `gap` reports them to the receiver."""
    failures_in_a_row: int
    last_delivered_at: str | None
    next_attempt_at: str | None
    last_error: str | None
    last_error_at: str | None


class TargetRow(Struct, frozen=True, kw_only=True):
    """One target of notifications."""

    name: str
    service: str
    """The scheme of its address, such as `slack`."""
    state: Literal["ok", "failing", "quiet"]
    types: list[str]
    waiting: int
    """Notifications that are collected for the next message."""
    sent: int
    """Messages since the start."""
    failed: int
    """Attempts that failed."""
    lost: int
    """Notifications that were given up."""
    last_sent_at: str | None
    last_error: str | None
    last_error_at: str | None


class NotifyDocument(Struct, frozen=True, kw_only=True):
    """All of them."""

    as_of: str
    outbox_error: str | None
    """Why events cannot be stored, and so not sent; None while they can."""
    webhooks: list[WebhookRow]
    notify: list[TargetRow]


class ResentDocument(Struct, frozen=True, kw_only=True):
    """The effect of `resend`."""

    webhooks: list[str]
    """Those that are sent to again."""
    messages: int
    """Messages that were parked."""
