"""How often REST is read without an event, by the size of the fleet.

A small fleet can read often. A large one shares one processor, so its intervals grow with the
number of accounts: about 40 requests a second for balances and 20 for reconciliation.
"""

from msgspec import Struct

BALANCES_S = 15.0
"""How old prices in positions and account may become without a fill; two requests each time: 4 % of
the 200 a minute that an account has."""

BALANCES_PER_ACCOUNT_S = 0.05
"""Minimum interval per account of the fleet."""

RECONCILE_S = 60.0
"""How long an event that the stream lost may stay unnoticed; four to six requests: 3 %."""

RECONCILE_PER_ACCOUNT_S = 0.3

FIRST_RECONCILE_S = (12.0, 36.0)
"""After a connect, everything is read once more: REST may lag by ten seconds. Drawn at random, so
that accounts do not read at the same moment."""

FIRST_RECONCILE_PER_ACCOUNT_S = 0.06
"""A thousand accounts that reconnected together take a minute for it, 17 a second."""


FIRST_POLL_S = 3.0
"""An account that is not connected this long after the start is read by REST meanwhile."""

FIRST_POLL_PER_ACCOUNT_S = 0.02
"""A thousand accounts take longer to connect: reading all of them as well would delay that."""


class ReadIntervals(Struct, frozen=True, kw_only=True):
    """Seconds between two reads of one account."""

    balances_s: float
    reconcile_s: float
    first_reconcile_s: tuple[float, float]
    """Earliest and latest time of the first reconciliation after a connect."""
    first_poll_s: float
    """From the start of an account to its first read without a stream."""


def intervals_for(accounts: int) -> ReadIntervals:
    """Return the intervals of each account in a fleet of this size."""
    earliest, latest = FIRST_RECONCILE_S
    return ReadIntervals(
        balances_s=max(BALANCES_S, BALANCES_PER_ACCOUNT_S * accounts),
        reconcile_s=max(RECONCILE_S, RECONCILE_PER_ACCOUNT_S * accounts),
        first_reconcile_s=(
            earliest,
            max(latest, earliest + FIRST_RECONCILE_PER_ACCOUNT_S * accounts),
        ),
        first_poll_s=FIRST_POLL_S + FIRST_POLL_PER_ACCOUNT_S * accounts,
    )
