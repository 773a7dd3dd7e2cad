"""What the demo measured, as it goes into one sentence."""

from collections import deque

from msgspec import Struct, field

from realtime.cli.text_format import counted, milliseconds, span, whole

KEPT = 100_000
"""Measurements kept of a kind: an hour of a busy demo; then the oldest make room."""


class Sample:
    """Measured times in milliseconds."""

    def __init__(self) -> None:
        self._times_ms: deque[float] = deque(maxlen=KEPT)

    def __len__(self) -> int:
        return len(self._times_ms)

    def add(self, time_ms: float) -> None:
        self._times_ms.append(time_ms)

    def p99(self) -> float | None:
        """The time that 99 of 100 do not exceed; None without any."""
        ordered = sorted(self._times_ms)
        return ordered[(len(ordered) * 99 - 1) // 100] if ordered else None


class DemoStatistics(Struct):
    """Everything the summary tells. What was not measured is left out of it."""

    updates: Sample = field(default_factory=Sample)
    """From the broker's execution of a fill until readers see it."""
    queries: Sample = field(default_factory=Sample)
    """Own requests over HTTP, the time of asking included."""
    queries_failed: int = 0
    faults: int = 0
    lost: int | None = None
    """Differences between the broker's books and our answers; None before a comparison."""
    lost_at_s: float = 0.0

    def summary(self, elapsed_s: float, events: int) -> str:
        """One line: what happened in so many seconds."""
        parts = [counted(events, "event")]
        for name, sample in (("update", self.updates), ("query", self.queries)):
            p99 = sample.p99()
            if p99 is not None:
                parts.append(f"{name} p99 {milliseconds(p99)}")
        if self.queries_failed:
            parts.append(f"{whole(self.queries_failed)} queries failed")
        parts.append(counted(self.faults, "fault"))
        if self.lost is not None:
            since = "" if elapsed_s - self.lost_at_s < 10 else f" at {span(self.lost_at_s)}"
            parts.append(f"{whole(self.lost)} lost{since}")
        shown = f"{elapsed_s:.0f} s" if elapsed_s < 100 else span(elapsed_s)
        return f"{shown}: {', '.join(parts)}"
