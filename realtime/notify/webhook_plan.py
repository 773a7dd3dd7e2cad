"""What one transaction stores for one webhook, decided before it and applied after it.

Nothing outside the plan changes until `apply`, so a transaction that fails is planned again.
"""

from collections.abc import Iterator
from itertools import count

from realtime.api.events.event_types import STATE_KINDS
from realtime.core.model import AccountLabel
from realtime.notify.event_queue import QueuedEvent
from realtime.notify.messages import (
    Message,
    make_loss_message,
    make_state_messages,
    make_stop_message,
)
from realtime.notify.outbox import Loss, NewMessage, StoredMessage
from realtime.notify.webhook import Webhook, merge_losses
from realtime.store.store import Store


class WebhookPlan:
    """The plan; `is_full`: events are counted and not stored."""

    def __init__(self, webhook: Webhook, store: Store, *, is_full: bool) -> None:
        self.webhook = webhook
        self.is_full = is_full
        self.messages: list[NewMessage] = []
        """What to store, in its order; after `finish`."""
        self.reported_stops: list[AccountLabel] = []
        self._store = store
        self._planned: dict[object, QueuedEvent | Message] = {}
        """States by account and kind, so that the newest replaces the others."""
        self._size = 0
        self._numbers = count()
        self._reported: dict[AccountLabel, Loss] = {}
        self._lost: dict[AccountLabel, Loss] = {}

    def report_losses(self) -> None:
        """Where there is room again: a gap for each account, and then its present state."""
        if self.is_full:
            return
        webhook = self.webhook
        self._reported = dict(webhook.losses)
        for label, loss in self._reported.items():
            record = self._store.get(label)
            self._put_message(
                make_loss_message(label, record, since=loss.since, until=loss.until, lost=loss.lost)
            )
            if record is not None and record.has_data:
                for message in make_state_messages(record, webhook.kinds):
                    self._put_message(message)

    def add(self, event: QueuedEvent, stopped_at: float | None) -> None:
        """Add an event. `stopped_at`: when the run before stored its last one, with the first read
        of an account."""
        webhook = self.webhook
        if not webhook.settings.selects(event.label, event.tier):
            return
        if event.kind is None:
            record = self._store.get(event.label)
            if stopped_at is not None and record is not None:
                self._put_message(make_stop_message(record, stopped_at))
                self.reported_stops.append(event.label)
        elif event.kind in webhook.kinds:
            if self.is_full or not self._has_room(event):
                self.is_full = True
                lost = Loss(event.at, event.at, 1)
                self._lost[event.label] = merge_losses(self._lost.get(event.label), lost)
                return
            key: object = (event.label, event.kind) if event.is_state else next(self._numbers)
            self._planned.pop(key, None)
            self._planned[key] = event
            self._size += event.size

    def finish(self) -> None:
        """Encode what is planned. Between this and `apply` nothing may be taken from the queue."""
        for planned in self._planned.values():
            if isinstance(planned, QueuedEvent):
                message = planned.encode(self._store.get(planned.label))
            else:
                message = planned
            if message is not None:
                known = self._find_state(message.account, message.kind)
                self.messages.append(
                    NewMessage(
                        self.webhook.name,
                        message.account,
                        message.kind,
                        message.body,
                        None if known is None else known.n,
                    )
                )

    def losses_to_write(self) -> Iterator[tuple[AccountLabel, Loss | None]]:
        """Account → its events without room, as they are after this; None: they are reported."""
        left = {} if self._reported else self.webhook.losses
        for label in self._reported.keys() - self._lost.keys():
            yield label, None
        for label, lost in self._lost.items():
            yield label, merge_losses(left.get(label), lost)

    def apply(self, numbers: Iterator[int]) -> None:
        """Add what was stored to the queue; `numbers` has the number of each message."""
        webhook, queue = self.webhook, self.webhook.queue
        webhook.remove_losses(self._reported)
        for message in self.messages:
            n, size = next(numbers), len(message.body)
            known = self._find_state(message.account, message.kind)
            if message.replaces is not None and known is not None:
                queue.resize(known, size)
            else:
                stored = StoredMessage(n, message.webhook, message.account, message.kind, size)
                queue.add(stored, is_state=message.kind in STATE_KINDS)
        for label, lost in self._lost.items():
            webhook.add_loss(label, lost)
        webhook.is_full = self.is_full or bool(webhook.losses)
        if self.messages:
            webhook.wake.set()

    def _find_state(self, account: str, kind: str) -> StoredMessage | None:
        return self.webhook.queue.find_state(account, kind) if kind in STATE_KINDS else None

    def _has_room(self, event: QueuedEvent) -> bool:
        return self.webhook.has_room(self._size + event.size, len(self._planned) + 1)

    def _put_message(self, message: Message) -> None:
        is_state = message.kind in STATE_KINDS
        key: object = (message.account, message.kind) if is_state else next(self._numbers)
        self._planned.pop(key, None)
        self._planned[key] = message
        self._size += len(message.body)
