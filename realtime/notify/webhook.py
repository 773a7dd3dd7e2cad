"""One receiver as it runs: what it selects, its queue, its connection and its figures."""

import asyncio
from collections.abc import Callable, Mapping

from realtime.api.documents.notify import WebhookRow, WebhookState
from realtime.api.documents.timestamps import format_millis
from realtime.config.settings import WebhookSettings
from realtime.core.model import AccountLabel
from realtime.notify.delivery_queue import DeliveryQueue, Failure
from realtime.notify.messages import select_kinds
from realtime.notify.outbox import Loss, StoredMessage
from realtime.notify.webhook_client import WebhookClient

MAX_MESSAGES = 50_000
"""Stored for one receiver: 10 s of the largest load. Then events are counted and not stored."""

MAX_BYTES = 64 * 1024 * 1024
"""Of their bodies, on disk. In memory a message takes some 200 bytes: 10 MB."""

LOG_INTERVAL_S = 60.0


class Webhook:
    """One receiver. `clock` gives epoch seconds."""

    def __init__(
        self,
        settings: WebhookSettings,
        client: WebhookClient,
        *,
        rng: Callable[[], float],
        clock: Callable[[], float],
        max_messages: int = MAX_MESSAGES,
    ) -> None:
        self.settings = settings
        self.client = client
        self.kinds = select_kinds(settings.types)
        self.queue = DeliveryQueue(settings.max_attempts, rng)
        self.wake = asyncio.Event()
        """Set when there may be something to send."""
        self.task: asyncio.Task[None] | None = None
        self.is_full = False
        self.losses: dict[AccountLabel, Loss] = {}
        """Account → events that found no room and that no message reports yet."""
        self._clock = clock
        self._max_messages = max_messages
        self._delivered = self._failed = self._lost = 0
        self._delivered_at: float | None = None
        self._error: tuple[str, float] | None = None
        self._logged_at = 0.0

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    async def replace(self, settings: WebhookSettings, client: WebhookClient) -> None:
        """Use other settings from now on; what is stored stays."""
        old, self.client = self.client, client
        self.settings, self.kinds = settings, select_kinds(settings.types)
        self.queue.max_attempts = settings.max_attempts
        await old.close()

    def has_room(self, size: int, messages: int) -> bool:
        """Whether this many more messages, with bodies of `size` bytes, can be stored."""
        queue = self.queue
        return queue.total + messages <= self._max_messages and queue.bytes + size <= MAX_BYTES

    def can_resume(self) -> bool:
        """Whether half of the room is free again."""
        queue = self.queue
        return queue.total <= self._max_messages // 2 and queue.bytes <= MAX_BYTES // 2

    def add_loss(self, label: AccountLabel, loss: Loss) -> None:
        """Count events that found no room, until a gap reports them."""
        self._lost += loss.lost
        self.losses[label] = merge_losses(self.losses.get(label), loss)

    def remove_losses(self, reported: Mapping[AccountLabel, Loss]) -> None:
        """Forget what a gap reports; what was counted since then stays."""
        for label, loss in reported.items():
            left = self.losses[label].lost - loss.lost
            if left:
                self.losses[label] = Loss(loss.until, self.losses[label].until, left)
            else:
                del self.losses[label]

    def count_delivered(self) -> None:
        """Count a confirmed message."""
        self._delivered += 1
        self._delivered_at = self._clock()
        if self._error is not None and not self.queue.failures:
            self._error = None

    def count_failed(self, failure: Failure) -> bool:
        """Count an attempt that failed; returns whether it is worth a line in the log: the first
        after a success, and a new reason once a minute."""
        now = self._clock()
        is_first, is_new = self._error is None, self._error and self._error[0] != failure.reason
        self._failed += 1
        self._error = (failure.reason, now)
        if is_first or (is_new and now - self._logged_at >= LOG_INTERVAL_S):
            self._logged_at = now
            return True
        return False

    def make_row(self, loop_time: float) -> WebhookRow:
        """How it goes. `loop_time` is the event loop's."""
        queue, now = self.queue, self._clock()
        next_time = queue.next_time()
        is_waiting = next_time is not None and next_time > loop_time
        error = self._error
        return WebhookRow(
            name=self.name,
            host=self.settings.host,
            state=self._get_state(),
            types=list(self.settings.types),
            waiting=queue.waiting,
            parked=queue.parked,
            delivered=self._delivered,
            failed_attempts=self._failed,
            lost=self._lost,
            failures_in_a_row=queue.failures,
            last_delivered_at=_format(self._delivered_at),
            next_attempt_at=_format(now + (next_time or 0.0) - loop_time) if is_waiting else None,
            last_error=queue.parked_reason or (None if error is None else error[0]),
            last_error_at=None if error is None else format_millis(error[1]),
        )

    def _get_state(self) -> WebhookState:
        if self.queue.parked_reason is not None:
            return "parked"
        if self.is_full:
            return "full"
        return "failing" if self._error is not None else "ok"


def merge_losses(first: Loss | None, second: Loss) -> Loss:
    """Both together."""
    if first is None:
        return second
    return Loss(
        min(first.since, second.since),
        max(first.until, second.until),
        first.lost + second.lost,
    )


def _format(at: float | None) -> str | None:
    return None if at is None else format_millis(at)


def restore(webhook: Webhook, messages: list[StoredMessage], parked: str | None) -> None:
    """Fill a queue with what the file has of it."""
    for message in messages:
        webhook.queue.add(message)
    webhook.queue.parked_reason = parked
