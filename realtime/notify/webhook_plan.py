"""What one transaction stores for one webhook, decided before it and applied after it.

Nothing outside the plan changes until `apply`, so a transaction that fails is planned again.
"""

from collections.abc import Iterator
from itertools import count

from realtime.api.events.event_types import STATE_KINDS
from realtime.core.model import AccountLabel
from realtime.notify.encoding import EncodedChange
from realtime.notify.messages import Message, make_loss_message, make_state_messages
from realtime.notify.outbox import Loss, NewMessage, StoredMessage
from realtime.notify.webhook import Webhook, merge_losses
from realtime.store.store import Store


class WebhookPlan:
    """The plan; `is_full`: events are counted and not stored."""

    def __init__(self, webhook: Webhook, *, is_full: bool) -> None:
        self.webhook = webhook
        self.is_full = is_full
        self.reported_stops: list[AccountLabel] = []
        self._planned: dict[object, NewMessage] = {}
        self._size = 0
        self._numbers = count()
        self._reported: dict[AccountLabel, Loss] = {}
        self._lost: dict[AccountLabel, Loss] = {}

    @property
    def messages(self) -> list[NewMessage]:
        """What to store, in its order."""
        return list(self._planned.values())

    def report_losses(self, store: Store) -> None:
        """Where there is room again: a gap for each account, and then its present state."""
        if self.is_full:
            return
        webhook = self.webhook
        self._reported = dict(webhook.losses)
        for label, loss in self._reported.items():
            record = store.get(label)
            self._put(
                make_loss_message(label, record, since=loss.since, until=loss.until, lost=loss.lost)
            )
            if record is not None and record.has_data:
                for message in make_state_messages(record, webhook.kinds):
                    self._put(message)

    def add_changes(self, encoded: list[EncodedChange], missed: frozenset[AccountLabel]) -> None:
        """Events of changes that the webhook selects. `missed`: accounts whose first read is
        reported as a gap."""
        webhook = self.webhook
        for change in encoded:
            label = change.record.profile.label
            if not webhook.selects(change.record):
                continue
            if change.stop is not None and label in missed:
                self._put(change.stop)
                self.reported_stops.append(label)
            for kind, message in change.messages:
                if kind not in webhook.kinds:
                    continue
                if message is None or self.is_full or not self._has_room(message):
                    self.is_full = True
                    lost = Loss(change.at, change.at, 1)
                    self._lost[label] = merge_losses(self._lost.get(label), lost)
                else:
                    self._put(message)

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
        for message in self._planned.values():
            n, size = next(numbers), len(message.body)
            is_state = message.kind in STATE_KINDS
            known = queue.find_state(message.account, message.kind) if is_state else None
            if message.replaces is not None and known is not None:
                queue.resize(known, size)
            else:
                stored = StoredMessage(n, message.webhook, message.account, message.kind, size)
                queue.add(stored, is_state=is_state)
        for label, lost in self._lost.items():
            webhook.add_loss(label, lost)
        webhook.is_full = self.is_full or bool(webhook.losses)

    def _has_room(self, message: Message) -> bool:
        return self.webhook.has_room(self._size + len(message.body), len(self._planned) + 1)

    def _put(self, message: Message) -> None:
        webhook, is_state = self.webhook, message.kind in STATE_KINDS
        known = webhook.queue.find_state(message.account, message.kind) if is_state else None
        key: object = (message.account, message.kind) if is_state else next(self._numbers)
        self._planned.pop(key, None)  # of the states of one transaction only the newest is stored
        self._planned[key] = NewMessage(
            webhook.name,
            message.account,
            message.kind,
            message.body,
            None if known is None else known.n,
        )
        self._size += len(message.body)
