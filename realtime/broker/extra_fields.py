"""Fields that the broker adds to orders, positions and accounts pass through, byte for byte.

The structs of `core.model` have the fields that we know. Here each has two relatives:

- the strict one rejects unknown fields. It decodes as fast as the plain one, so objects without
  unknown fields cost nothing extra. Its instances become plain ones (`to_plain`), because nothing
  outside this package should see two types of orders;
- an extended one has the unknown fields as raw JSON (`core.extended`). Such an object is decoded
  three times (strict, plain, its members), which takes about five times as long.
"""

from typing import Any, Literal, TypeVar

from msgspec import Raw, Struct

from realtime.core.extended import extended_instance
from realtime.core.model import Account, Order, Position, TradeUpdate

T = TypeVar("T", bound=Struct)


AssetClass = Literal["us_equity", "us_option", "crypto"]
OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop", ""]
Side = Literal["buy", "sell", ""]
PositionIntent = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]
TimeInForce = Literal["day", "gtc", "opg", "cls", "ioc", "fok"]
Status = Literal[
    "held", "pending_review", "pending_new", "accepted", "accepted_for_bidding", "new", "stopped",
    "suspended", "partially_filled", "pending_replace", "pending_cancel", "done_for_day",
    "calculated", "filled", "canceled", "expired", "rejected", "replaced",
]  # fmt: skip


class StrictOrder(Order, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Decodes orders, and their legs, that have no unknown fields and only known words.

    Of each known word there is one string, which saves the memory of thousands and the time to
    share them (`interning`). An order with another word is decoded as one with an unknown field.
    """

    legs: "tuple[StrictOrder, ...] | None" = None
    asset_class: AssetClass | None = None
    order_type: OrderType | None = None
    type: OrderType | None = None
    side: Side | None = None
    position_intent: PositionIntent | None = None
    time_in_force: TimeInForce | None = None
    status: Status = ""  # type: ignore[assignment]  # a missing one is found later


class StrictPosition(Position, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Decodes positions that have no unknown fields."""


class StrictAccount(Account, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Decodes accounts that have no unknown fields."""


class StrictTradeUpdate(TradeUpdate, frozen=True, kw_only=True, gc=False):
    """Decodes updates whose order has no unknown fields; the update itself may have some."""

    order: StrictOrder


_PLAIN: dict[type[Struct], type[Struct]] = {
    StrictOrder: Order,
    StrictPosition: Position,
    StrictAccount: Account,
    StrictTradeUpdate: TradeUpdate,
}

# The same as `value.__class__ = …`, which frozen structs prevent. Python allows it only between
# classes of the same layout; a subclass without fields of its own has it.
_set_class = object.__dict__["__class__"].__set__


def to_plain(value: Struct) -> None:
    """Make an instance of a strict struct one of the plain struct, in place."""
    plain = _PLAIN.get(type(value))
    if plain is not None:
        _set_class(value, plain)


def build(struct: type[T], fields: dict[str, object], unknown: dict[str, Raw]) -> T:
    """Return an instance of the plain struct, extended by the unknown fields if there are any."""
    plain: Any = _PLAIN.get(struct, struct)  # Any: the constructor's arguments are checked here
    if struct not in _PLAIN or not unknown:
        return plain(**fields)  # type: ignore[no-any-return]
    instance: T = extended_instance(plain, fields, unknown)
    return instance
