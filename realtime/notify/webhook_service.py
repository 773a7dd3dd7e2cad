"""All webhooks: started, changed and stopped by the settings.

The store's writer only appends its events to a queue. One task commits them to the outbox
(`event_storer.py`); a task for each webhook sends what is committed (`webhook_delivery.py`).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from realtime.analytics.tier_bounds import Alert
from realtime.api.documents.notify import WebhookRow
from realtime.config.settings import WebhookSettings
from realtime.notify.address_guard import MakeConnector
from realtime.notify.event_storer import EventStorer
from realtime.notify.outbox import Outbox
from realtime.notify.webhook import MAX_MESSAGES, Webhook
from realtime.notify.webhook_client import WebhookClient
from realtime.notify.webhook_delivery import WebhookDelivery
from realtime.store.records import Change
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()
T = TypeVar("T")


class WebhookService:
    """All webhooks. `clock` gives epoch seconds; `rng` draws from [0, 1)."""

    def __init__(
        self,
        store: Store,
        directory: Path,
        *,
        make_connector: MakeConnector,
        clock: Callable[[], float],
        rng: Callable[[], float],
        max_messages: int = MAX_MESSAGES,
        executor: Executor | None = None,
    ) -> None:
        self._store = store
        self._make_connector = make_connector
        self._clock = clock
        self._rng = rng
        self._max_messages = max_messages
        self._outbox = Outbox(directory)
        self._webhooks: dict[str, Webhook] = {}
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._storer = EventStorer(store, self._outbox, self._webhooks, self._executor, clock)
        self._delivery = WebhookDelivery(
            self._outbox,
            self._storer.results,
            in_thread=self._storer.in_thread,
            lock=self._storer.lock,
        )
        self._group: asyncio.TaskGroup | None = None

    # -- what others use ---------------------------------------------------------------------------

    def add(self, change: Change) -> None:
        """Add the events of a change: the subscriber of the store. Returns at once."""
        self._storer.events.add(change, self._storer.count_lost)
        self._storer.has_work.set()

    def add_alert(self, alert: Alert) -> None:
        """Add an alert of a tier's bound. Returns at once."""
        self._storer.events.add_alert(alert, self._storer.count_lost)
        self._storer.has_work.set()

    def make_rows(self) -> list[WebhookRow]:
        """How each webhook goes."""
        now = asyncio.get_running_loop().time()
        return [webhook.make_row(now) for webhook in self._webhooks.values()]

    @property
    def error(self) -> str | None:
        """Why nothing can be stored; None while it can."""
        return self._storer.error

    @property
    def names(self) -> list[str]:
        """Names of the webhooks."""
        return list(self._webhooks)

    async def resend(self, names: Iterable[str]) -> int:
        """Send parked messages again, and everything else at once; returns how many were parked."""
        count = 0
        async with self._storer.lock:
            for name in names:
                webhook = self._webhooks[name]
                count += webhook.queue.unpark()
                self._storer.results.add_unparked(name)
                webhook.wake.set()
        return count

    async def apply(self, settings: Iterable[WebhookSettings]) -> None:
        """Use these settings from now on: new webhooks begin with what happens next, those that
        are gone end with what they have stored, all others keep it."""
        wanted = {webhook.name: webhook for webhook in settings}
        async with self._storer.lock:
            for name in [name for name in self._webhooks if name not in wanted]:
                await self._remove(name)
            for name, changed in wanted.items():
                webhook = self._webhooks.get(name)
                if webhook is None:
                    self._start(self._create(changed))
                elif webhook.settings != changed:
                    await webhook.replace(changed, self._make_client(changed))
                    webhook.wake.set()
            if self._storer.is_open:
                with suppress(sqlite3.Error, OSError):
                    await self._storer.in_thread(lambda: self._outbox.set_webhooks(wanted))
            self._storer.select_kinds()
        self._storer.has_work.set()

    # -- life --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Store and send until cancelled; then call `stop`."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for webhook in self._webhooks.values():
                    self._start(webhook)
                await self._storer.run()
        finally:
            self._group = None

    async def stop(self) -> None:
        """Store what waits, within a limit, and close everything."""
        await self._storer.finish()
        for webhook in self._webhooks.values():
            await webhook.client.close()
        self._executor.submit(self._outbox.close)
        self._executor.shutdown(wait=False)

    def _create(self, settings: WebhookSettings) -> Webhook:
        webhook = self._webhooks[settings.name] = Webhook(
            settings,
            self._make_client(settings),
            rng=self._rng,
            clock=self._clock,
            max_messages=self._max_messages,
        )
        return webhook

    def _start(self, webhook: Webhook) -> None:
        if self._group is not None:
            webhook.task = self._group.create_task(
                self._delivery.keep_delivering(webhook), name=f"webhook:{webhook.name}"
            )

    async def _remove(self, name: str) -> None:
        webhook = self._webhooks.pop(name)
        if webhook.task is not None:
            webhook.task.cancel()
        await webhook.client.close()
        if webhook.queue.total:
            log.warning("webhook.removed", webhook=name, discarded=webhook.queue.total)

    def _make_client(self, settings: WebhookSettings) -> WebhookClient:
        return WebhookClient(settings, self._make_connector, self._clock)
