"""Webhooks and notifications while the daemon runs: started, changed and stopped by the settings.

Without their sections nothing of `notify` is imported, so it costs nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING

from realtime.analytics.tier_bounds import Alert
from realtime.api.documents.notify import NotifyDocument
from realtime.api.documents.timestamps import format_millis
from realtime.broker.rest_client import RestClient
from realtime.config.settings import Settings
from realtime.core.trading_day import TradingDay
from realtime.errors import LinkError
from realtime.runtime.environment import Environment
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

if TYPE_CHECKING:
    from realtime.notify.notifier import Notifier
    from realtime.notify.webhook_service import WebhookService

log = get_logger()

CALENDAR_TIMEOUT_S = 20.0

RestClients = Callable[[], Mapping[str, RestClient]]
"""Returns label → client of each account that runs."""


class NotifyHost:
    """What runs of both, by the settings in force."""

    def __init__(
        self,
        store: Store,
        environment: Environment,
        group: asyncio.TaskGroup,
        clients: RestClients,
    ) -> None:
        self._store = store
        self._environment = environment
        self._group = group
        self._clients = clients
        self._wall_clock = environment.wall_clock or environment.clock
        self._webhooks: WebhookService | None = None
        self._webhook_task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._notifier: Notifier | None = None
        self._notifier_task: asyncio.Task[None] | None = None

    async def apply(self, settings: Settings) -> None:
        """Use these settings from now on."""
        await self._apply_webhooks(settings)
        await self._apply_notify(settings)

    def get_status(self) -> NotifyDocument | None:
        """How they go; None: none are configured."""
        webhooks, notifier = self._webhooks, self._notifier
        if webhooks is None and notifier is None:
            return None
        return NotifyDocument(
            as_of=format_millis(self._environment.clock()),
            outbox_error=None if webhooks is None else webhooks.error,
            webhooks=[] if webhooks is None else webhooks.make_rows(),
            notify=[] if notifier is None else notifier.rows,
        )

    def add_alert(self, alert: Alert) -> None:
        """Add an alert that has begun or ended to the webhooks; notifications follow the log."""
        if self._webhooks is not None:
            self._webhooks.add_alert(alert)

    async def resend(self, names: list[str]) -> int:
        """Send parked messages of webhooks again; returns how many were parked."""
        return 0 if self._webhooks is None else await self._webhooks.resend(names)

    async def stop(self) -> None:
        """Store what waits, and stop."""
        await self._stop_notifier()
        await self._stop_webhooks()

    async def _apply_webhooks(self, settings: Settings) -> None:
        if settings.webhooks and settings.history is not None:
            if self._webhooks is None:
                self._webhooks = await self._start_webhooks(settings)
            else:
                await self._webhooks.apply(settings.webhooks)
        elif self._webhooks is not None:
            await self._webhooks.apply(())
            await self._stop_webhooks()

    async def _apply_notify(self, settings: Settings) -> None:
        if settings.notify:
            if self._notifier is None:
                self._notifier = self._start_notifier(settings)
            else:
                self._notifier.apply(settings.notify)
        else:
            await self._stop_notifier()

    async def _start_webhooks(self, settings: Settings) -> "WebhookService":
        # Only where they are configured: see above.
        from realtime.notify.address_guard import make_connector  # noqa: PLC0415
        from realtime.notify.webhook_service import WebhookService  # noqa: PLC0415

        assert settings.history is not None, "checked with the configuration"
        service = WebhookService(
            self._store,
            settings.history.path,
            make_connector=self._environment.make_webhook_connector or make_connector,
            clock=self._wall_clock,
            rng=self._environment.rng.random,
        )
        await service.apply(settings.webhooks)
        self._unsubscribe = self._store.subscribe(service.add)
        self._webhook_task = self._group.create_task(_guard(service.run()), name="webhooks")
        return service

    async def _stop_webhooks(self) -> None:
        task, self._webhook_task = self._webhook_task, None
        service, self._webhooks = self._webhooks, None
        self._unsubscribe()
        self._unsubscribe = lambda: None
        await _cancel(task)
        if service is not None:
            await service.stop()

    def _start_notifier(self, settings: Settings) -> "Notifier":
        # Only where it is configured: see above.
        from realtime.notify.notifier import Notifier  # noqa: PLC0415

        notifier = Notifier(
            self._store,
            clock=self._environment.clock,
            wall_clock=self._wall_clock,
            read_calendar=self._read_calendar,
        )
        notifier.apply(settings.notify)
        self._notifier_task = self._group.create_task(_guard(notifier.run()), name="notify")
        return notifier

    async def _stop_notifier(self) -> None:
        task, self._notifier_task, self._notifier = self._notifier_task, None, None
        await _cancel(task)

    async def _read_calendar(self, first: date, last: date) -> Sequence[TradingDay]:
        """Read the calendar with the keys of any account that is synced. Raises `RealtimeError`."""
        for label, client in self._clients().items():
            record = self._store.get(label)
            if record is not None and record.link.is_synced:
                try:
                    async with asyncio.timeout(CALENDAR_TIMEOUT_S):
                        rows = await client.fetch_calendar(
                            start=first.isoformat(), end=last.isoformat()
                        )
                    return [TradingDay(row.date, row.open, row.close) for row in rows]
                except TimeoutError:
                    raise LinkError("no response of the calendar in time") from None
        raise LinkError("no account is synced")


async def _guard(run: Coroutine[None, None, None]) -> None:
    """A mistake of ours in what only reports must not stop the daemon."""
    try:
        await run
    except Exception:
        log.exception("notify.failed")


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def run_notify(
    settings: Settings, store: Store, environment: Environment, clients: RestClients
) -> AsyncIterator[NotifyHost]:
    """Run what the settings name while the block runs."""
    async with asyncio.TaskGroup() as group:
        host = NotifyHost(store, environment, group, clients)
        await host.apply(settings)
        try:
            yield host
        finally:
            await host.stop()
