"""How long to wait before the next attempt to connect.

5, 10, 20, 40, 80, 160, 300 s, each × (1 ± 0.2): the jitter keeps a fleet of accounts that fell
together from coming back together. A 429 at the handshake means that the broker still counts an
older socket (clients report about 90 s of it): skip two steps and wait a minute at least.
"""

from collections.abc import Callable

from msgspec import Struct, structs

FIRST_S = 5.0
MAX_S = 300.0
JITTER = 0.2
MIN_RATE_LIMITED_S = 60.0
RATE_LIMITED_SKIP = 2


class Backoff(Struct, frozen=True):
    """Failures so far, counted in steps of the ladder."""

    step: int = 0

    def failed(self, *, rate_limited: bool, rng: Callable[[], float]) -> tuple["Backoff", float]:
        """The next backoff and the seconds to wait. `chance` draws from [0, 1)."""
        step = self.step + (RATE_LIMITED_SKIP if rate_limited else 0)
        spread = 1 - JITTER + 2 * JITTER * rng()
        wait_s = min(MAX_S, FIRST_S * 2 ** min(step, 10)) * spread
        if rate_limited:
            wait_s = max(MIN_RATE_LIMITED_S, wait_s)
        return structs.replace(self, step=step + 1), wait_s
