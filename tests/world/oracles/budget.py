"""REST calls stay inside each key's budget: the broker never says 429 unless it was told to."""

from collections import deque

from tests.world.broker import Broker
from tests.world.oracles.violation import Violation

PER_MINUTE = 200
RESTART_BURST = 5
"""A daemon that was started anew knows nothing of what its predecessor spent."""


class Budget:
    """Counts each account's requests as the broker receives them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._taken: dict[str, deque[tuple[float, int]]] = {
            label: deque() for label in broker.exchange.labels
        }
        self.requests = 0

    def watch(self, at: float, starts: int) -> None:
        """Look at the tally; often enough that a minute is a minute."""
        self.requests = 0
        for label, taken in self._taken.items():
            counters = self._broker.counters.get(label)
            self.requests += counters.get("requests", 0)
            taken.append((at, counters.get("requests", 0)))
            while taken[0][0] < at - 60:
                taken.popleft()
            spent = taken[-1][1] - taken[0][1]
            if counters.get("limited") or spent > PER_MINUTE + RESTART_BURST * (starts - 1):
                raise Violation("budget", f"{label}: {spent} requests in a minute, {counters}")
