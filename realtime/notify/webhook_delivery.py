"""Sends what the outbox holds, one task for each webhook; results are written with the next commit.

Messages are chosen while the lock is held, for a state that was chosen must not be replaced.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from realtime.notify.delivery_queue import Failure
from realtime.notify.outbox import Outbox, StoredMessage, Writes
from realtime.notify.webhook import Webhook
from realtime.telemetry.log import get_logger

log = get_logger()
T = TypeVar("T")

RETRY_S = 5.0
"""After a failure to read, or a mistake of ours."""

MAX_IN_FLIGHT = 8
"""Messages under way to one receiver, each of another account."""

SEND_INTERVAL_S = 0.004
"""Between two messages to one receiver: 250 a second, so that the event loop serves others."""


class InThread(Protocol):
    """Runs work in the outbox's thread."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]: ...


class PendingResults:
    """Results of attempts that are not in the outbox yet."""

    def __init__(self, has_work: asyncio.Event) -> None:
        self._writes = Writes()
        self._has_work = has_work

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        writes = self._writes
        return not (writes.delivered or writes.failed or writes.unparked or writes.parked_webhooks)

    def add_delivered(self, n: int) -> None:
        """A message was confirmed."""
        self._writes.delivered.append(n)
        self._has_work.set()

    def add_failed(self, n: int, attempts: int, *, is_parked: bool) -> None:
        """An attempt was not confirmed."""
        self._writes.failed.append((n, attempts, is_parked))
        self._has_work.set()

    def add_parked(self, webhook: str, reason: str) -> None:
        """A webhook was parked as a whole."""
        self._writes.parked_webhooks[webhook] = reason
        self._has_work.set()

    def add_unparked(self, webhook: str) -> None:
        """Everything of a webhook is sent again."""
        self._writes.unparked.append(webhook)
        self._writes.parked_webhooks[webhook] = None
        self._has_work.set()

    def take(self) -> Writes:
        """Everything so far, for one transaction."""
        writes, self._writes = self._writes, Writes()
        return writes

    def put_back(self, writes: Writes) -> None:
        """The transaction failed."""
        later = self._writes
        self._writes = Writes(
            delivered=writes.delivered + later.delivered,
            failed=writes.failed + later.failed,
            parked_webhooks=writes.parked_webhooks | later.parked_webhooks,
            unparked=writes.unparked + later.unparked,
        )


class WebhookDelivery:
    """Sends the messages of all webhooks."""

    def __init__(
        self,
        outbox: Outbox,
        results: PendingResults,
        *,
        in_thread: InThread,
        lock: asyncio.Lock,
    ) -> None:
        self._outbox = outbox
        self._results = results
        self._in_thread = in_thread
        self._lock = lock

    async def keep_delivering(self, webhook: Webhook) -> None:
        """Send one webhook's messages until cancelled; whatever fails concerns this one only."""
        while True:
            try:
                await self._deliver(webhook)
            except Exception:  # a mistake of ours
                log.exception("webhook.failed", webhook=webhook.name)
                await asyncio.sleep(RETRY_S)

    async def _deliver(self, webhook: Webhook) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as attempts:
            while True:
                webhook.wake.clear()
                async with self._lock:
                    room = MAX_IN_FLIGHT - webhook.queue.in_flight
                    taken = webhook.queue.take(loop.time(), room)
                    bodies = await self._load(webhook, taken)
                for message in taken:
                    if message.n in bodies:
                        attempts.create_task(self._attempt(webhook, message, bodies[message.n]))
                        await asyncio.sleep(SEND_INTERVAL_S)
                if not taken:
                    await self._wait(webhook, webhook.queue.next_time())

    async def _load(self, webhook: Webhook, taken: list[StoredMessage]) -> dict[int, bytes]:
        if not taken:
            return {}
        try:
            numbers = [message.n for message in taken]
            bodies = await self._in_thread(lambda: self._outbox.load(numbers))
        except sqlite3.Error:  # the next transaction reports it
            bodies = {}
        for message in taken:
            if message.n not in bodies:
                webhook.queue.put_back(message)
                webhook.queue.paused_until = asyncio.get_running_loop().time() + RETRY_S
        return bodies

    async def _wait(self, webhook: Webhook, until: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await webhook.wake.wait()

    async def _attempt(self, webhook: Webhook, message: StoredMessage, body: bytes) -> None:
        try:
            failure = await webhook.client.send(self._outbox.message_id(message.n), body)
        except BaseException:
            webhook.queue.put_back(message)
            raise
        if failure is None:
            webhook.queue.succeed(message)
            webhook.count_delivered()
            self._results.add_delivered(message.n)
        else:
            self._note_failure(webhook, message, failure)
        webhook.wake.set()

    def _note_failure(self, webhook: Webhook, message: StoredMessage, failure: Failure) -> None:
        queue, was_parked = webhook.queue, webhook.queue.parked_reason is not None
        now = asyncio.get_running_loop().time()
        is_parked = queue.fail(message, failure, now)
        attempts = queue.max_attempts if is_parked else queue.attempts_of(message)
        self._results.add_failed(message.n, attempts, is_parked=is_parked)
        if webhook.count_failed(failure):
            log.warning("webhook.attempt_failed", webhook=webhook.name, reason=failure.reason)
        if is_parked:
            log.error(
                "webhook.message_parked",
                webhook=webhook.name,
                account=message.account,
                message_id=self._outbox.message_id(message.n),
                reason=failure.reason,
                attempts=attempts,
            )
        if queue.parked_reason is not None and not was_parked:
            self._results.add_parked(webhook.name, queue.parked_reason)
            log.error(
                "webhook.parked",
                webhook=webhook.name,
                reason=queue.parked_reason,
                waiting=queue.waiting,
            )
