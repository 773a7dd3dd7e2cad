"""Stores events for all webhooks, and sends them.

The store's writer only appends its events to a queue. One task encodes them, in short slices, and
commits them to the outbox, in a thread; a task for each webhook sends what is committed. Every
queue is bounded: what finds no room is counted, and reported to the receiver as a `gap`.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from msgspec import structs

from realtime.analytics.tier_bounds import Alert
from realtime.api.documents.notify import WebhookRow
from realtime.api.events.event_types import Kind
from realtime.config.settings import WebhookSettings
from realtime.core.model import AccountLabel
from realtime.errors import RealtimeError
from realtime.notify.address_guard import MakeConnector
from realtime.notify.event_queue import EventQueue, QueuedEvent, encode_all
from realtime.notify.outbox import Loss, Outbox, OutboxContent, Writes
from realtime.notify.webhook import MAX_MESSAGES, Webhook, restore
from realtime.notify.webhook_client import WebhookClient
from realtime.notify.webhook_delivery import PendingResults, WebhookDelivery
from realtime.notify.webhook_plan import WebhookPlan
from realtime.store.records import Change
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()
T = TypeVar("T")

BATCH_S = 0.02
"""How long events are collected for one commit; a message leaves at most this much later."""

BATCH_EVENTS = 500
"""Events of one commit: planned and written in some milliseconds, for deliveries wait meanwhile."""

MAX_SLICE_S = 0.002
"""The longest time that the event loop is blocked at once."""

RETRY_S = 5.0
"""After a failure to write."""

STOP_S = 3.0
"""Limit for storing what waits when the daemon stops."""


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
        self.error: str | None = None
        """Why nothing can be stored; None while it can."""
        self._store = store
        self._make_connector = make_connector
        self._clock = clock
        self._rng = rng
        self._max_messages = max_messages
        self._outbox = Outbox(directory)
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._lock = asyncio.Lock()
        """Held while messages are chosen, stored or removed."""
        self._webhooks: dict[str, Webhook] = {}
        self._events = EventQueue()
        self._has_work = asyncio.Event()
        self._results = PendingResults(self._has_work)
        self._delivery = WebhookDelivery(
            self._outbox, self._results, in_thread=self._in_thread, lock=self._lock
        )
        self._stopped_at = 0.0
        """The newest event that the run before has stored."""
        self._to_report: dict[AccountLabel, frozenset[str]] = {}
        """Account → webhooks that missed what happened while the daemon did not run."""
        self._is_open = False
        self._group: asyncio.TaskGroup | None = None

    # -- what others use ---------------------------------------------------------------------------

    def add(self, change: Change) -> None:
        """Add the events of a change: the subscriber of the store. Returns at once."""
        self._events.add(change, self._count_lost)
        self._has_work.set()

    def add_alert(self, alert: Alert) -> None:
        """Add an alert of a tier's bound. Returns at once."""
        self._events.add_alert(alert, self._count_lost)
        self._has_work.set()

    def make_rows(self) -> list[WebhookRow]:
        """How each webhook goes."""
        now = asyncio.get_running_loop().time()
        return [webhook.make_row(now) for webhook in self._webhooks.values()]

    @property
    def names(self) -> list[str]:
        """Names of the webhooks."""
        return list(self._webhooks)

    async def resend(self, names: Iterable[str]) -> int:
        """Send parked messages again, and everything else at once; returns how many were parked."""
        count = 0
        async with self._lock:
            for name in names:
                webhook = self._webhooks[name]
                count += webhook.queue.unpark()
                self._results.add_unparked(name)
                webhook.wake.set()
        return count

    async def apply(self, settings: Iterable[WebhookSettings]) -> None:
        """Use these settings from now on: new webhooks begin with what happens next, those that
        are gone end with what they have stored, all others keep it."""
        wanted = {webhook.name: webhook for webhook in settings}
        async with self._lock:
            for name in [name for name in self._webhooks if name not in wanted]:
                await self._remove(name)
            for name, changed in wanted.items():
                webhook = self._webhooks.get(name)
                if webhook is None:
                    self._start(self._create(changed))
                elif webhook.settings != changed:
                    await webhook.replace(changed, self._make_client(changed))
                    webhook.wake.set()
            if self._is_open:
                with suppress(sqlite3.Error, OSError):
                    await self._in_thread(lambda: self._outbox.read(wanted))
            self._select_kinds()
        self._has_work.set()

    # -- life --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Store and send until cancelled; then call `stop`."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for webhook in self._webhooks.values():
                    self._start(webhook)
                await self._store_events()
        finally:
            self._group = None

    async def stop(self) -> None:
        """Store what waits, within a limit, and close everything."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while self._is_open and (len(self._events) or not self._results.is_empty):
                    if not await self._store_batch():
                        break
        left = len(self._events)
        if left:
            log.warning("webhook.stop_incomplete", waiting=left)
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

    def _select_kinds(self) -> None:
        kinds = frozenset[Kind]()
        self._events.kinds = kinds.union(*(w.kinds for w in self._webhooks.values()))

    async def _remove(self, name: str) -> None:
        webhook = self._webhooks.pop(name)
        if webhook.task is not None:
            webhook.task.cancel()
        await webhook.client.close()
        if webhook.queue.total:
            log.warning("webhook.removed", webhook=name, discarded=webhook.queue.total)

    def _make_client(self, settings: WebhookSettings) -> WebhookClient:
        return WebhookClient(settings, self._make_connector, self._clock)

    # -- storing -----------------------------------------------------------------------------------

    async def _store_events(self) -> None:
        while True:
            await self._encode(self._events.peek(BATCH_EVENTS))
            batch = asyncio.ensure_future(self._store_batch())
            try:
                is_stored = await asyncio.shield(batch)
            except asyncio.CancelledError:
                # Stored twice, the same events would have two ids.
                await asyncio.wait([batch], timeout=STOP_S)
                raise
            if not is_stored:
                await asyncio.sleep(RETRY_S)
            elif not len(self._events):
                self._has_work.clear()
                if self._results.is_empty:
                    await self._has_work.wait()
                await asyncio.sleep(BATCH_S)

    async def _encode(self, events: list[QueuedEvent]) -> None:
        """Encode what any webhook has room for; after `MAX_SLICE_S` others have their turn."""
        loop = asyncio.get_running_loop()
        kinds = frozenset[Kind]().union(
            *(w.kinds for w in self._webhooks.values() if not w.is_full)
        )
        started_at = loop.time()
        try:
            for _ in encode_all((e for e in events if e.kind in kinds), self._store):
                if loop.time() - started_at >= MAX_SLICE_S:
                    await asyncio.sleep(loop.time() - started_at)
                    started_at = loop.time()
        except Exception:  # noqa: BLE001 - a mistake of ours: the batch reports it
            return

    async def _store_batch(self) -> bool:
        """Store the oldest events and all results; False: it failed and must be tried again."""
        async with self._lock:
            events = self._events.peek(BATCH_EVENTS)
            results = self._results.take()
            try:
                await self._open()
                plans = self._plan(events)
                writes = _make_writes(plans, results, events)
                numbers = await self._in_thread(lambda: self._outbox.write(writes))
            except (sqlite3.Error, OSError, RealtimeError) as error:
                self._results.put_back(results)
                self._report_error(error)
                return False
            except Exception:  # a mistake of ours in one event must not end all
                self._results.put_back(results)
                log.exception("webhook.failed", webhook=None)
                for event in events:
                    self._count_lost(event)
                self._events.remove(len(events))
                return False
            self._events.remove(len(events))
            remaining = iter(numbers)
            for plan in plans:
                plan.apply(remaining)
                for label in plan.reported_stops:
                    self._to_report.pop(label, None)
            if self.error is not None:
                self.error = None
                log.info("webhook.store_recovered")
            return True

    async def _open(self) -> None:
        """Open the file the first time, and continue where the run before ended."""
        if self._is_open:
            return
        names = list(self._webhooks)
        content = await self._in_thread(lambda: self._read_outbox(names))
        self._is_open = True
        if self._outbox.set_aside is not None:
            log.error("webhook.file_set_aside", as_file=self._outbox.set_aside.name)
        for name, webhook in self._webhooks.items():
            mine = [message for message in content.messages if message.webhook == name]
            restore(webhook, mine, content.parked.get(name))
            webhook.wake.set()
        for name, account, loss in content.losses:
            if name in self._webhooks:
                self._webhooks[name].add_loss(AccountLabel(account), loss)
                self._webhooks[name].is_full = True
        missed = content.known & self._webhooks.keys()
        if content.stored_at is not None and missed:
            self._stopped_at = content.stored_at
            self._to_report = {record.profile.label: missed for record in self._store}

    def _read_outbox(self, names: list[str]) -> OutboxContent:
        self._outbox.open()
        return self._outbox.read(names)

    def _plan(self, events: list[QueuedEvent]) -> list[WebhookPlan]:
        """What is to be stored for each webhook; nothing has changed yet."""
        plans = []
        for webhook in self._webhooks.values():
            is_full = webhook.is_full and not webhook.can_resume()
            plan = WebhookPlan(webhook, self._store, is_full=is_full)
            plan.report_losses()
            for event in events:
                is_missed = webhook.name in self._to_report.get(event.label, ())
                plan.add(event, self._stopped_at if is_missed else None)
            plan.finish()
            plans.append(plan)
        return plans

    def _count_lost(self, event: QueuedEvent) -> None:
        for webhook in self._webhooks.values():
            if event.kind in webhook.kinds and webhook.selects(event.label, event.tier):
                webhook.add_loss(event.label, Loss(event.at, event.at, 1))
                webhook.is_full = True  # until a gap reports it

    def _report_error(self, error: Exception) -> None:
        if self.error is None:
            self.error = f"{type(error).__name__}: {error}"
            log.error("webhook.store_failed", reason=self.error, waiting=len(self._events))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _make_writes(plans: list[WebhookPlan], results: Writes, events: list[QueuedEvent]) -> Writes:
    return structs.replace(
        results,
        messages=[message for plan in plans for message in plan.messages],
        losses=[
            (plan.webhook.name, label, loss)
            for plan in plans
            for label, loss in plan.losses_to_write()
        ],
        stored_at=max((event.at for event in events), default=None),
    )
