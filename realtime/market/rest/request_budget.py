"""How many requests to the market-data API are left in this minute, by the broker's own headers.

Other programs may use the same key, and the daemon itself needs some requests (to check silent
symbols, to fill missed bars). So clients never use the last part of the budget: the floor.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from realtime.core.rate_limits import SlidingWindow
from realtime.errors import NotSent

DEFAULT_LIMIT = 200
"""Requests per minute of the free plan, until the first response states the limit."""

WINDOW_S = 60.0

SAME_WINDOW_S = 5.0
"""Times of reset that differ by less mean the same window: the header has whole seconds."""

MAX_WAIT_S = 2.0
"""A client waits this long for budget; then it receives 429 and the time to retry."""

MAX_PAUSE_S = 60.0
"""After 429, whatever the response states: the broker's window is a minute."""

DEFAULT_PAUSE_S = 5.0
"""After 429 without a time."""


class BudgetUsedUp(NotSent):
    """The request was not sent: what is left of the budget is the floor."""


class BudgetStatus(Struct, frozen=True, kw_only=True):
    """The budget as clients see it."""

    limit: int
    remaining: int
    floor: int
    resets_in_s: float | None
    paused_s: float


class _Report(Struct, frozen=True):
    """What a response stated."""

    limit: int
    remaining: int
    resets_at: float


class RequestBudget:
    """Counts requests against the last report. `now` gives seconds that never step."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._window = SlidingWindow(WINDOW_S)
        self._report: _Report | None = None
        self._in_flight = 0
        self._paused_until = float("-inf")

    @property
    def floor(self) -> int:
        """How many requests of a minute are kept for others: a tenth, at least 10, at most 100."""
        return min(max(10, self._limit // 10), 100)

    @property
    def status(self) -> BudgetStatus:
        """The budget now."""
        now, report = self._now(), self._valid_report()
        return BudgetStatus(
            limit=self._limit,
            remaining=max(0, self._remaining()),
            floor=self.floor,
            resets_in_s=None if report is None else round(report.resets_at - now, 1),
            paused_s=round(max(0.0, self._paused_until - now), 1),
        )

    @asynccontextmanager
    async def slot(self, *, uses_floor: bool = False) -> AsyncIterator[None]:
        """Count one request, sent and answered in the block. Raises `BudgetUsedUp` if there is none
        within `MAX_WAIT_S`. `uses_floor`: for the daemon's own requests.
        """
        give_up_at = self._now() + MAX_WAIT_S
        while (wait_s := self._wait_s(uses_floor=uses_floor)) > 0:
            if self._now() + wait_s > give_up_at:
                raise BudgetUsedUp(
                    f"the budget of market-data requests is used up for {wait_s:.0f} s",
                    remedy="retry after Retry-After, or send Cache-Control: max-stale",
                    retry_after_s=wait_s,
                )
            await asyncio.sleep(wait_s)
        self._window.add(self._now(), "data")
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    def update(
        self, *, limit: int | None, remaining: int | None, resets_in_s: float | None
    ) -> None:
        """Record the headers of a response. Responses may overtake each other, so within a window
        the smallest number counts."""
        if limit is None or remaining is None or resets_in_s is None:
            return
        resets_at, last = self._now() + resets_in_s, self._valid_report()
        if last is not None and abs(last.resets_at - resets_at) < SAME_WINDOW_S:
            remaining = min(remaining, last.remaining)
        elif last is not None and resets_at < last.resets_at:
            return
        self._report = _Report(limit, remaining, resets_at)

    def handle_rate_limited(self, retry_after_s: float | None) -> None:
        """Record a 429: nothing is sent for the time that it states."""
        pause_s = DEFAULT_PAUSE_S if retry_after_s is None else retry_after_s
        self._paused_until = max(
            self._paused_until, self._now() + min(max(pause_s, 1.0), MAX_PAUSE_S)
        )

    @property
    def _limit(self) -> int:
        return DEFAULT_LIMIT if self._report is None else self._report.limit

    def _valid_report(self) -> _Report | None:
        report = self._report
        return report if report is not None and report.resets_at > self._now() else None

    def _remaining(self) -> int:
        """What is left, counting every request whose response is not in the report."""
        report = self._valid_report()
        if report is None:
            return self._limit - self._window.count(self._now())
        return report.remaining - self._in_flight

    def _wait_s(self, *, uses_floor: bool) -> float:
        now = self._now()
        if self._paused_until > now:
            return self._paused_until - now
        floor = 0 if uses_floor else self.floor
        if self._remaining() > floor:
            return 0.0
        report = self._valid_report()
        if report is not None:
            return report.resets_at - now
        return max(self._window.wait_s(now, self._limit - floor), 0.05)
