"""Rate limit of the broker: requests per minute and account, over all routes.

A window opens with an account's first request and lasts a minute. How the real broker counts is not
published; a client that paces itself below the rate passes under any way of counting.
"""

from collections.abc import Callable
from typing import NamedTuple

WINDOW_S = 60.0


class RequestBudget(NamedTuple):
    """What is left after a request: `reset_in_s` until the window ends."""

    allowed: bool
    limit: int
    remaining: int
    reset_in_s: float


class RateLimiter:
    """Counts requests in one window per account."""

    def __init__(self, per_minute: int, now: Callable[[], float]) -> None:
        self._limit = per_minute
        self._now = now
        # label → (end of the window in seconds of `now`, requests counted in it)
        self._windows: dict[str, tuple[float, int]] = {}

    def acquire(self, label: str) -> RequestBudget:
        """Count one request of an account; a refused one does not count."""
        now = self._now()
        ends, used = self._windows.get(label, (0.0, 0))
        if now >= ends:
            ends, used = now + WINDOW_S, 0
        allowed = used < self._limit
        used += allowed
        self._windows[label] = (ends, used)
        return RequestBudget(allowed, self._limit, self._limit - used, ends - now)
