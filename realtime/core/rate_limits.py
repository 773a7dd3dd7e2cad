"""Arithmetic of rate limits: a token bucket and a sliding window. The caller passes the time.

A token bucket spreads requests; a sliding window bounds how many fall into any one minute. Both
only return how long to wait; the limiter that uses them does the waiting.
"""

from collections import Counter, deque


class TokenBucket:
    """Allows `burst` at once, then one every `interval_s`."""

    def __init__(self, burst: int, interval_s: float) -> None:
        self._slack_s = (burst - 1) * interval_s
        self._interval_s = interval_s
        # The bucket is stored as the time when it will be full again: nothing has to refill it.
        self._full_at = 0.0

    def wait_s(self, now: float) -> float:
        """Return the seconds until a token is available; 0 or less if one is available now."""
        return self._full_at - self._slack_s - now

    def take(self, now: float) -> None:
        """Remove one token."""
        self._full_at = max(self._full_at, now) + self._interval_s


class SlidingWindow:
    """Counts requests, by kind, in the last `length_s` seconds."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._requests: deque[tuple[float, str]] = deque()

    def wait_s(self, now: float, limit: int) -> float:
        """Return the seconds until one more request stays within `limit`; 0 if it does now."""
        self._forget(now)
        if len(self._requests) < limit:
            return 0.0
        return self._requests[len(self._requests) - limit][0] + self._length_s - now

    def add(self, now: float, kind: str) -> None:
        """Count a request."""
        self._forget(now)
        self._requests.append((now, kind))

    def count(self, now: float) -> int:
        """Return how many requests are in the window."""
        self._forget(now)
        return len(self._requests)

    def count_by_kind(self, now: float) -> "Counter[str]":
        """Return kind → requests in the window."""
        self._forget(now)
        return Counter(kind for _, kind in self._requests)

    def _forget(self, now: float) -> None:
        while self._requests and self._requests[0][0] <= now - self._length_s:
            self._requests.popleft()
