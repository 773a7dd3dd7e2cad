"""Memory: field values that thousands of orders have in common are stored once.

Every decoded order has its own "limit", "buy" and asset id, a third of what it uses. `sys.intern`
keeps a string for as long as it is used; so only fields with few different values are interned: no
price, no time except the end of a day, and only short quantities. Known words (types, sides,
statuses) are shared by the strict decoder already (`extra_fields`).
"""

from operator import attrgetter
from sys import intern

from msgspec.structs import force_setattr

from realtime.core.model import Order

INTERNED_FIELDS = (
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

MAX_QUANTITY_LENGTH = 4
"""Quantities up to this length are interned: "1", "100". Longer ones rarely repeat."""

QUANTITIES = frozenset({"qty", "filled_qty"})

WORDS = frozenset(
    {"asset_class", "order_type", "type", "side", "position_intent", "time_in_force", "status"}
)
"""Fields whose known values are shared by the decoder of `StrictOrder`."""

OTHER_FIELDS = tuple(name for name in INTERNED_FIELDS if name not in WORDS)

_get_values = attrgetter(*INTERNED_FIELDS)
_get_others = attrgetter(*OTHER_FIELDS)


def intern_fields(order: Order, *, shares_words: bool = False) -> None:
    """Intern the strings of an order and of its legs, in place. The caller must be its only owner:
    it has just decoded it. `shares_words`: as a `StrictOrder`."""
    values = _get_others(order) if shares_words else _get_values(order)
    names = OTHER_FIELDS if shares_words else INTERNED_FIELDS
    for name, value in zip(names, values, strict=True):
        if value and (len(value) <= MAX_QUANTITY_LENGTH or name not in QUANTITIES):
            force_setattr(order, name, intern(value))
    if order.legs:
        for leg in order.legs:
            intern_fields(leg, shares_words=shares_words)
