"""What the demo measured, summed up in one sentence."""

from collections import deque

from msgspec import Struct, field

from realtime.cli.formatting import (
    format_count,
    format_duration,
    format_milliseconds,
    format_quantity,
)

MAX_TIMES = 100_000
"""Measurements kept of each kind: an hour of a busy demo; then the oldest are dropped."""

RECENT_S = 10.0
"""A comparison older than this is reported with its time."""


class Latencies:
    """Measured times in milliseconds."""

    def __init__(self) -> None:
        self._times_ms: deque[float] = deque(maxlen=MAX_TIMES)

    def __len__(self) -> int:
        return len(self._times_ms)

    def add(self, time_ms: float) -> None:
        """Add a measurement."""
        self._times_ms.append(time_ms)

    def p99(self) -> float | None:
        """Return the smallest time that 99 of 100 do not exceed; None without any."""
        ordered = sorted(self._times_ms)
        return ordered[(len(ordered) * 99 - 1) // 100] if ordered else None


class DemoStatistics(Struct):
    """Everything in the summary. What was not measured is left out."""

    updates: Latencies = field(default_factory=Latencies)
    """From the broker's execution of a fill until clients see it."""
    queries: Latencies = field(default_factory=Latencies)
    """Requests over HTTP as the client sees them."""
    queries_failed: int = 0
    faults: int = 0
    lost: int | None = None
    """Differences between the broker's books and the daemon; None before a comparison."""
    compared_at_s: float = 0.0

    def summary(self, elapsed_s: float, events: int) -> str:
        """Return the result of this many seconds in one line."""
        parts = [format_quantity(events, "event")]
        for name, latencies in (("update", self.updates), ("query", self.queries)):
            p99 = latencies.p99()
            if p99 is not None:
                parts.append(f"{name} p99 {format_milliseconds(p99)}")
        if self.queries_failed:
            parts.append(f"{format_count(self.queries_failed)} queries failed")
        parts.append(format_quantity(self.faults, "fault"))
        if self.lost is not None:
            is_recent = elapsed_s - self.compared_at_s < RECENT_S
            at = "" if is_recent else f" at {format_duration(self.compared_at_s)}"
            parts.append(f"{format_count(self.lost)} lost{at}")
        shown = f"{elapsed_s:.0f} s" if elapsed_s < 100 else format_duration(elapsed_s)
        return f"{shown}: {', '.join(parts)}"
