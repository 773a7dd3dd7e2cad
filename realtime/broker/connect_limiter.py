"""Limits how all accounts together connect: a few at once, spaced, as fast as the broker accepts.

A thousand accounts that lost their connections in the same second all reconnect within about two
seconds, because the first backoff is 5 s ± 20 %. So every attempt passes this limiter: at most
`width` handshakes are open at once, and their starts are spaced. The spacing grows with every
failure and halves with every success, so it is short again soon after the broker is back.

One key may have several streams: trading and market data. Their attempts follow each other, never
at the same instant: the broker counts connections of a key, and clients report that two handshakes
at once refuse each other.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Literal

from realtime.secret import Secret

Outcome = Literal["ok", "rate_limited", "failed"]

MIN_SPACING_S = 0.002
"""At most 500 starts a second: a thousand accounts in two seconds."""

MAX_SPACING_S = 0.5
"""At least two starts a second: the first success after an outage must not wait for us."""

KEY_SPACING_S = 1.0
"""From the end of an attempt to the next one of the same key."""

SPACING_FACTOR: dict[Outcome, float] = {"ok": 0.5, "failed": 1.5, "rate_limited": 2.0}


class _KeyTurn:
    """The attempts of one key: one at a time, spaced."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._next_at = 0.0

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        async with self._lock:
            if (wait_s := self._next_at - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            try:
                yield
            finally:
                self._next_at = loop.time() + KEY_SPACING_S


class ConnectLimiter:
    """Limits websocket handshakes over all accounts. First come, first served."""

    def __init__(self, width: int = 20) -> None:
        self._slots = asyncio.Semaphore(width)
        self._next_start = asyncio.Lock()
        self._next_at = 0.0
        self._spacing_s = MIN_SPACING_S
        self._turns: dict[Secret, _KeyTurn] = {}

    def share_key(self, key_id: Secret) -> None:
        """Let the attempts of a key follow each other: more than one stream uses it."""
        self._turns.setdefault(key_id, _KeyTurn())

    @property
    def spacing_s(self) -> float:
        """Current seconds between two starts."""
        return self._spacing_s

    @asynccontextmanager
    async def slot(self, key_id: Secret | None = None) -> AsyncIterator[None]:
        """Hold a slot while connecting, authorizing and subscribing with a key."""
        turn = None if key_id is None else self._turns.get(key_id)
        async with nullcontext() if turn is None else turn.hold(), self._fleet_slot():
            yield

    @asynccontextmanager
    async def _fleet_slot(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        async with self._next_start:
            await self._slots.acquire()
            wait_s = self._next_at - loop.time()
            if wait_s > MIN_SPACING_S / 2:
                try:
                    await asyncio.sleep(wait_s)
                except asyncio.CancelledError:
                    self._slots.release()
                    raise
            self._next_at = loop.time() + self._spacing_s
        try:
            yield
        finally:
            self._slots.release()

    def report(self, outcome: Outcome) -> None:
        """Report the outcome of an attempt, which makes the fleet connect slower or faster."""
        spacing_s = self._spacing_s * SPACING_FACTOR[outcome]
        self._spacing_s = min(max(spacing_s, MIN_SPACING_S), MAX_SPACING_S)
