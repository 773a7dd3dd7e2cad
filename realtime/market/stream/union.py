"""The union of all clients' subscriptions on one stream: pure, counted, with a linger.

A subscription that no client has any more stays for `LINGER_S`: a program that restarts must not
cause an unsubscribe and a subscribe. `*` is a name like any other: the broker accepts it beside
single names, and these remain when it goes.
"""

from collections import Counter
from collections.abc import Iterable

from realtime.market.stream.channels import Pairs

LINGER_S = 30.0

MAX_LINGERING = 1000
"""Subscriptions that linger; beyond it the oldest ends at once. A client that subscribes to ever
other names must not grow the set without limit."""


class SubscriptionUnion:
    """How many clients have each subscription, and which linger. Times are any clock's seconds."""

    def __init__(self, *, linger_s: float = LINGER_S) -> None:
        self._linger_s = linger_s
        self._counts: Counter[tuple[str, str]] = Counter()
        self._expires_at: dict[tuple[str, str], float] = {}
        """Lingering subscription → when it ends; in order of time."""

    @property
    def used(self) -> set[tuple[str, str]]:
        """What at least one client has."""
        return set(self._counts)

    @property
    def lingering(self) -> set[tuple[str, str]]:
        """What no client has, and is still wanted."""
        return set(self._expires_at)

    @property
    def wanted(self) -> set[tuple[str, str]]:
        """What the broker should send."""
        return self.used | self.lingering

    def __len__(self) -> int:
        """How many subscriptions at least one client has."""
        return len(self._counts)

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Count one more client for each subscription."""
        for pair in pairs:
            self._counts[pair] += 1
            self._expires_at.pop(pair, None)

    def remove(self, pairs: Iterable[tuple[str, str]], now: float, *, lingers: bool = True) -> None:
        """Count one client less for each; without clients it lingers, unless it never worked."""
        for pair in pairs:
            if self._counts[pair] > 1:
                self._counts[pair] -= 1
                continue
            del self._counts[pair]
            if lingers:
                self._expires_at[pair] = now + self._linger_s
        while len(self._expires_at) > MAX_LINGERING:
            del self._expires_at[next(iter(self._expires_at))]

    def expire(self, now: float) -> Pairs:
        """Remove and return what has lingered long enough."""
        expired = frozenset(pair for pair, at in self._expires_at.items() if at <= now)
        for pair in expired:
            del self._expires_at[pair]
        return expired

    def end_lingering(self) -> Pairs:
        """Remove and return all that lingers: the broker's limit needs the room."""
        pairs = frozenset(self._expires_at)
        self._expires_at.clear()
        return pairs

    def next_expiry(self) -> float | None:
        """Return when the first lingering subscription ends."""
        return min(self._expires_at.values(), default=None)
