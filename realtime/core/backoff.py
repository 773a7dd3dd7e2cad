"""How long to wait before the next attempt to connect.

5, 10, 20, 40, 80, 160, 300 s, each × (1 ± 0.2): the jitter keeps accounts that lost their
connections together from reconnecting together.

A 429 at the handshake means that the broker counts another connection of the account. Right after a
disconnect, or after a restart of the daemon, that is our own last connection, which the broker
drops after about 90 s (reports of clients). Then attempts follow at intervals of `OWN_SLOT_S`: two
of them are less than two minutes, so the third attempt finds the connection dropped. Later, another
program must hold it, and the ladder applies, with at least a minute between attempts.
"""

from collections.abc import Callable

from msgspec import Struct, structs

FIRST_S = 5.0
MAX_S = 300.0
JITTER = 0.2

OWN_SLOT_WINDOW_S = 240.0
"""How long after a disconnect or a start a 429 is attributed to our own last connection."""

OWN_SLOT_S = (45.0, 57.0)
"""Bounds of the wait meanwhile, random so that the accounts of a fleet do not retry together."""

FORMER_OWNER_SLOT_S = (8.0, 12.0)
"""The same where another daemon held the connection and has ended without closing it."""

MIN_RATE_LIMITED_S = 60.0
"""After that window: less often than once a minute, × (1 ± 0.2)."""


class Backoff(Struct, frozen=True):
    """Failures since the account was last synced, counted in steps of the ladder."""

    step: int = 0

    def after_failure(self, rng: Callable[[], float]) -> tuple["Backoff", float]:
        """Return the next backoff and the seconds to wait. `rng` draws from [0, 1)."""
        return self._advanced(), self._ladder_s() * _spread(rng)

    def after_rate_limit(
        self,
        rng: Callable[[], float],
        *,
        is_own_slot: bool,
        retry_after_s: float | None,
        is_former_owner_slot: bool = False,
    ) -> tuple["Backoff", float]:
        """Return the same after a 429 at the handshake.

        `is_own_slot`: the broker may still count our own last connection. `is_former_owner_slot`:
        or that of the daemon from which the account was taken over. `retry_after_s` is the
        broker's own minimum; it is bounded, because a wrong header must not end the account.
        """
        first, last = FORMER_OWNER_SLOT_S if is_former_owner_slot else OWN_SLOT_S
        wait_s = (
            first + (last - first) * rng()
            if is_own_slot or is_former_owner_slot
            else max(MIN_RATE_LIMITED_S, self._ladder_s()) * _spread(rng)
        )
        if retry_after_s is not None and retry_after_s > wait_s:
            wait_s = min(retry_after_s, MAX_S) * (1 + JITTER * rng() / 2)
        return self._advanced(), wait_s

    def _advanced(self) -> "Backoff":
        return structs.replace(self, step=self.step + 1)

    def _ladder_s(self) -> float:
        return min(MAX_S, FIRST_S * 2.0 ** min(self.step, 10))


def _spread(rng: Callable[[], float]) -> float:
    return 1 - JITTER * (1 - 2 * rng())
