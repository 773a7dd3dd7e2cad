"""How often REST is asked though nothing happened, by the size of the fleet.

A small fleet can afford to look often. A large one shares one processor: with every account its
share stays the same, about 40 requests a second for money and 20 for comparisons.
"""

from msgspec import Struct

MONEY_S = 15.0
"""How old prices in positions and account may grow without a fill; two requests each time: 4 % of
the 200 a minute that an account has."""

MONEY_FLEET_S = 0.05
"""But an account's turn comes once in this many seconds for each account of the fleet."""

COMPARISON_S = 60.0
"""How long what the stream did not tell may stay unnoticed; four to six requests: 3 %."""

COMPARISON_FLEET_S = 0.3

SOON_S = (12.0, 36.0)
"""When, after a connect, all is read once more: REST may lag by ten seconds. Not in step."""

SOON_FLEET_S = 0.06
"""A thousand accounts that came back at once take a minute for it, 17 a second."""


class ReadIntervals(Struct, frozen=True, kw_only=True):
    """Seconds between two readings of one account."""

    money_s: float
    comparison_s: float
    soon_s: tuple[float, float]
    """After a connect, between which times all is read once more."""


def intervals_for(accounts: int) -> ReadIntervals:
    """The pace of each of so many accounts."""
    return ReadIntervals(
        money_s=max(MONEY_S, MONEY_FLEET_S * accounts),
        comparison_s=max(COMPARISON_S, COMPARISON_FLEET_S * accounts),
        soon_s=(SOON_S[0], max(SOON_S[1], SOON_S[0] + SOON_FLEET_S * accounts)),
    )
