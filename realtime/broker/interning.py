"""Memory: field values that thousands of orders have in common are stored once.

Every decoded order has its own "limit", "buy" and asset id, a third of what it uses. `sys.intern`
keeps a string for as long as it is used; so only fields with few different values are interned: no
price, no time except the end of a day, and only short quantities.
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

_get_values = attrgetter(*INTERNED_FIELDS)


def intern_fields(order: Order) -> None:
    """Intern the strings of an order and of its legs, in place. The caller must be its only owner:
    it has just decoded it."""
    for name, value in zip(INTERNED_FIELDS, _get_values(order), strict=True):
        if value and (len(value) <= MAX_QUANTITY_LENGTH or name not in QUANTITIES):
            force_setattr(order, name, intern(value))
    for leg in order.legs or ():
        intern_fields(leg)
