"""Renders the responses of accounts that clients poll right after a change, ahead of the next poll.

A dashboard that had changed took three times as long as one that had not: rendering it touches data
that has left the processor's caches. Outside the request, no client waits for that.
"""

import asyncio

from realtime.api.fastpath.response_cache import ResponseCache
from realtime.core.model import AccountLabel
from realtime.store.records import Change
from realtime.store.store import Store

MIN_REST_S = 0.001

REST_FACTOR = 9
"""Rests this many times as long as it worked: at most a tenth of the event loop's time."""


class Prerenderer:
    """Follows a store and refreshes a response cache."""

    def __init__(self, store: Store, cache: ResponseCache) -> None:
        self._cache = cache
        self._changed: dict[AccountLabel, None] = {}
        """Accounts to render, in the order of their changes; at most all accounts."""
        self._has_work = asyncio.Event()
        store.subscribe(self._handle_change)

    def _handle_change(self, change: Change) -> None:
        if self._cache.is_polled(change.label):
            self._changed[change.label] = None
            self._has_work.set()

    async def run(self) -> None:
        """Render one account after another, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._has_work.wait()
            label = next(iter(self._changed))
            del self._changed[label]
            if not self._changed:
                self._has_work.clear()
            started_at = loop.time()
            self._cache.refresh(label)
            await asyncio.sleep(max(MIN_REST_S, REST_FACTOR * (loop.time() - started_at)))
