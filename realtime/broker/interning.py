"""The broker's words that thousands of orders have in common, held in memory once.

Decoded anew, every order has its own "limit", "buy" and asset id: a third of what an order takes.
`sys.intern` keeps a word for as long as somebody uses it; so only words of which there are few are
shared: no price, no time but that of a day's end, and of quantities the short ones.
"""

from operator import attrgetter
from sys import intern

from msgspec.structs import force_setattr

from realtime.core.model import Order

WORDS = (
    "asset_id",
    "symbol",
    "asset_class",
    "order_type",
    "type",
    "side",
    "position_intent",
    "time_in_force",
    "status",
    "source",
    "expires_at",
    "qty",
    "filled_qty",
)

SHORT = 4
"""Quantities of so many characters: "1", "100". Longer ones are seldom the same."""

QUANTITIES = frozenset({"qty", "filled_qty"})

_words = attrgetter(*WORDS)


def share_words(order: Order) -> None:
    """Let an order, and its legs, use the words of others. Only for who has just made it."""
    for name, word in zip(WORDS, _words(order), strict=True):
        if word and (len(word) <= SHORT or name not in QUANTITIES):
            force_setattr(order, name, intern(word))
    for leg in order.legs or ():
        share_words(leg)
