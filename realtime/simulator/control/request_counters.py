"""What was asked of the simulator, counted: tests hold clients to their budgets with it."""

from collections import Counter
from collections.abc import Iterable


class RequestCounters:
    """Counters an account; what cannot be assigned to one is counted under None."""

    def __init__(self, labels: Iterable[str]) -> None:
        # label (or None: unknown key, or a handshake that names none) → what → how often
        self._counts: dict[str | None, Counter[str]] = {label: Counter() for label in labels}
        self._counts[None] = Counter()

    def count(self, label: str | None, spec: str) -> None:
        """Count one `what`: handshakes, handshakes_refused, authorized, requests, limited …"""
        self._counts[label][spec] += 1

    def get(self, label: str | None) -> dict[str, int]:
        """One account's counters, in alphabetical order."""
        return dict(sorted(self._counts[label].items()))

    def total(self) -> dict[str, int]:
        """All accounts together."""
        every: Counter[str] = Counter()
        for counts in self._counts.values():
            every.update(counts)
        return dict(sorted(every.items()))
