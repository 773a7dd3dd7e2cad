"""How all accounts together connect: a few at once, spaced, at the pace that the broker bears.

A thousand accounts that lost their sockets in the same second all want them back in the same
second, and first back-off steps of 5 s ± 20 % fall within two. So cold starts, reconnects and
planned reconnects pass one gate: at most `width` handshakes are open at once, and the starts are
spaced. The spacing grows with every failure and halves with every success, so it is short
again a moment after the broker is back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Outcome = Literal["ok", "rate_limited", "failed"]

SPACING_MIN_S = 0.002
"""500 starts a second at the most: a thousand accounts in two seconds."""

SPACING_MAX_S = 0.5
"""The slowest pace: still two a second, or a broker that is back would wait for us."""

FACTOR: dict[Outcome, float] = {"ok": 0.5, "failed": 1.5, "rate_limited": 2.0}


class ConnectLimiter:
    """The only way to the broker's websocket. First come, first served."""

    def __init__(self, width: int = 20) -> None:
        self._places = asyncio.Semaphore(width)
        self._turn = asyncio.Lock()
        self._next_at = 0.0
        self._spacing_s = SPACING_MIN_S

    @property
    def spacing_s(self) -> float:
        """Seconds between two starts, at present."""
        return self._spacing_s

    @asynccontextmanager
    async def pass_(self) -> AsyncIterator[None]:
        """Hold a place while connecting, authorizing and asking to listen."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            await self._places.acquire()
            wait_s = self._next_at - loop.time()
            if wait_s > SPACING_MIN_S / 2:
                try:
                    await asyncio.sleep(wait_s)
                except asyncio.CancelledError:
                    self._places.release()
                    raise
            self._next_at = loop.time() + self._spacing_s
        try:
            yield
        finally:
            self._places.release()

    def report(self, outcome: Outcome) -> None:
        """Tell how an attempt ended, so that the fleet goes slower or faster."""
        spacing_s = self._spacing_s * FACTOR[outcome]
        self._spacing_s = min(max(spacing_s, SPACING_MIN_S), SPACING_MAX_S)
