"""How often REST is asked though nothing happened, by the size of the farm.

A small farm can afford to look often. A large one shares one processor: with every account its
share stays the same, about 40 requests a second for money and 20 for comparisons.
"""

from msgspec import Struct

MONEY_S = 15.0
"""How old prices in positions and account may grow without a fill; two requests each time: 4 % of
the 200 a minute that an account has."""

MONEY_FARM_S = 0.05
"""But an account's turn comes once in this many seconds for each account of the farm."""

MONEY_GAP_S = 2.0
"""Between two readings of one account's money, however quickly fills follow each other."""

MONEY_GAP_FARM_S = 0.01
"""A thousand accounts that trade all the time would ask a thousand times a second, and readers
would wait for that: then it is 10 s. The first fill after a pause is still read for at once."""

COMPARISON_S = 60.0
"""How long what the stream did not tell may stay unnoticed; four to six requests: 3 %."""

COMPARISON_FARM_S = 0.3


class Pace(Struct, frozen=True, kw_only=True):
    """Seconds between two readings of one account."""

    money_s: float
    money_gap_s: float
    """The least, when fills ask for it."""
    comparison_s: float


def pace_of(accounts: int) -> Pace:
    """The pace of each of so many accounts."""
    return Pace(
        money_s=max(MONEY_S, MONEY_FARM_S * accounts),
        money_gap_s=max(MONEY_GAP_S, MONEY_GAP_FARM_S * accounts),
        comparison_s=max(COMPARISON_S, COMPARISON_FARM_S * accounts),
    )
