"""Webhooks and notifications while the daemon runs: started, changed and stopped by the settings.

Without their sections nothing of `notify` is imported, so it costs nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from realtime.api.documents.notify import NotifyDocument
from realtime.api.documents.timestamps import format_millis
from realtime.config.settings import Settings
from realtime.runtime.environment import Environment
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

if TYPE_CHECKING:
    from realtime.notify.webhook_service import WebhookService

log = get_logger()


class NotifyHost:
    """What runs of both, by the settings in force."""

    def __init__(self, store: Store, environment: Environment, group: asyncio.TaskGroup) -> None:
        self._store = store
        self._environment = environment
        self._group = group
        self._clock = environment.wall_clock or environment.clock
        self._webhooks: WebhookService | None = None
        self._webhook_task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def apply(self, settings: Settings) -> None:
        """Use these settings from now on."""
        if settings.webhooks and settings.history is not None:
            if self._webhooks is None:
                self._webhooks = await self._start_webhooks(settings)
            else:
                await self._webhooks.apply(settings.webhooks)
        elif self._webhooks is not None:
            await self._webhooks.apply(())
            await self._stop_webhooks()

    def get_status(self) -> NotifyDocument | None:
        """How they go; None: none are configured."""
        if self._webhooks is None:
            return None
        return NotifyDocument(
            as_of=format_millis(self._environment.clock()),
            outbox_error=self._webhooks.error,
            webhooks=self._webhooks.make_rows(),
            notify=[],
        )

    async def resend(self, names: list[str]) -> int:
        """Send parked messages of webhooks again; returns how many were parked."""
        return 0 if self._webhooks is None else await self._webhooks.resend(names)

    async def stop(self) -> None:
        """Store what waits, and stop."""
        await self._stop_webhooks()

    async def _start_webhooks(self, settings: Settings) -> "WebhookService":
        # Only where they are configured: see above.
        from realtime.notify.address_guard import make_connector  # noqa: PLC0415
        from realtime.notify.webhook_service import WebhookService  # noqa: PLC0415

        assert settings.history is not None, "checked with the configuration"
        service = WebhookService(
            self._store,
            settings.history.path,
            make_connector=self._environment.make_webhook_connector or make_connector,
            clock=self._clock,
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
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if service is not None:
            await service.stop()


async def _guard(run: Coroutine[None, None, None]) -> None:
    """A mistake of ours in what only reports must not stop the daemon."""
    try:
        await run
    except Exception:
        log.exception("notify.failed")


@asynccontextmanager
async def run_notify(
    settings: Settings, store: Store, environment: Environment
) -> AsyncIterator[NotifyHost]:
    """Run what the settings name while the block runs."""
    async with asyncio.TaskGroup() as group:
        host = NotifyHost(store, environment, group)
        await host.apply(settings)
        try:
            yield host
        finally:
            await host.stop()
