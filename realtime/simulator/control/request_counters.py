"""Counters of requests and handshakes per account: tests check clients' budgets with them."""

from collections import Counter
from collections.abc import Iterable


class RequestCounters:
    """Counters per account; requests of no known account count under None."""

    def __init__(self, labels: Iterable[str]) -> None:
        # label (None: unknown key, or a handshake without key) → counter → value
        self._counts: dict[str | None, Counter[str]] = {label: Counter() for label in labels}
        self._counts[None] = Counter()

    def count(self, label: str | None, spec: str) -> None:
        """Count one `what`: handshakes, handshakes_refused, authorized, requests, limited …"""
        self._counts[label][spec] += 1

    def get(self, label: str | None) -> dict[str, int]:
        """Return one account's counters, sorted by name."""
        return dict(sorted(self._counts[label].items()))

    def total(self) -> dict[str, int]:
        """Return the sum over all accounts."""
        every: Counter[str] = Counter()
        for counts in self._counts.values():
            every.update(counts)
        return dict(sorted(every.items()))

    def clear(self) -> None:
        """Set all counters to zero."""
        for counts in self._counts.values():
            counts.clear()
