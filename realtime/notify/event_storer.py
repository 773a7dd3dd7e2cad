"""Stores events for all webhooks: encoded in short slices, planned, and committed in a thread.

Nothing outside the file changes before a commit, so what fails is planned again. What finds no room
is counted, and reported to the receiver as a `gap`.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

from msgspec import structs

from realtime.api.events.event_types import Kind
from realtime.core.model import AccountLabel
from realtime.errors import RealtimeError
from realtime.notify.event_queue import EventQueue, QueuedEvent, encode_all
from realtime.notify.outbox import Loss, Outbox, OutboxContent, Writes
from realtime.notify.webhook import Webhook, restore
from realtime.notify.webhook_delivery import PendingResults
from realtime.notify.webhook_plan import WebhookPlan
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


class EventStorer:
    """The way from the queue of events to the outbox. `webhooks` is changed by its owner; `clock`
    gives epoch seconds."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        webhooks: Mapping[str, Webhook],
        executor: Executor,
        clock: Callable[[], float],
    ) -> None:
        self.error: str | None = None
        """Why nothing can be stored; None while it can."""
        self.is_open = False
        self.events = EventQueue()
        self.lock = asyncio.Lock()
        """Held while messages are chosen, stored or removed."""
        self.has_work = asyncio.Event()
        self.results = PendingResults(self.has_work)
        self._store = store
        self._outbox = outbox
        self._webhooks = webhooks
        self._executor = executor
        self._clock = clock
        self._stopped_at = 0.0
        """The newest event that the run before has stored."""
        self._to_report: dict[AccountLabel, frozenset[str]] = {}
        """Account → webhooks that missed what happened while the daemon did not run."""

    def select_kinds(self) -> None:
        """Collect events of the kinds that any webhook selects."""
        kinds = frozenset[Kind]()
        self.events.kinds = kinds.union(*(w.kinds for w in self._webhooks.values()))

    def count_lost(self, event: QueuedEvent) -> None:
        """Count an event that finds no room, for all that select it."""
        for webhook in self._webhooks.values():
            if event.kind in webhook.kinds and webhook.settings.selects(event.label, event.tier):
                webhook.add_loss(event.label, Loss(event.at, event.at, 1))
                webhook.is_full = True  # until a gap reports it

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run work on the outbox in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def run(self) -> None:
        """Store events until cancelled."""
        while True:
            await self._encode(self.events.peek(BATCH_EVENTS))
            batch = asyncio.ensure_future(self._store_batch())
            try:
                is_stored = await asyncio.shield(batch)
            except asyncio.CancelledError:
                # Stored twice, the same events would have two ids.
                await asyncio.wait([batch], timeout=STOP_S)
                raise
            if not is_stored:
                await asyncio.sleep(RETRY_S)
            elif not len(self.events):
                self.has_work.clear()
                if self.results.is_empty:
                    await self.has_work.wait()
                await asyncio.sleep(BATCH_S)

    async def finish(self) -> None:
        """Store what waits, within a limit."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while self.is_open and (len(self.events) or not self.results.is_empty):
                    if not await self._store_batch():
                        break
        if left := len(self.events):
            log.warning("webhook.stop_incomplete", waiting=left)

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
        async with self.lock:
            events = self.events.peek(BATCH_EVENTS)
            results = self.results.take()
            try:
                await self._open()
                plans = self._plan(events)
                writes = _make_writes(plans, results, events)
                numbers = await self.in_thread(lambda: self._outbox.write(writes))
            except (sqlite3.Error, OSError, RealtimeError) as error:
                self.results.put_back(results)
                self._report_error(error)
                return False
            except Exception:  # a mistake of ours in one event must not end all
                self.results.put_back(results)
                log.exception("webhook.failed", webhook=None)
                for event in events:
                    self.count_lost(event)
                self.events.remove(len(events))
                return False
            self.events.remove(len(events))
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
        if self.is_open:
            return
        names = list(self._webhooks)
        content = await self.in_thread(lambda: self._read_outbox(names))
        self.is_open = True
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
        self._outbox.open(self._clock())
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

    def _report_error(self, error: Exception) -> None:
        if self.error is None:
            self.error = f"{type(error).__name__}: {error}"
            log.error("webhook.store_failed", reason=self.error, waiting=len(self.events))


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
