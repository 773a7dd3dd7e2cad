"""The body of an order: Alpaca's own fields, read strictly, and the words that choose an account.

Strict means: an unknown field, a wrong type, a number out of reason is refused before anybody sees
it. Which combinations are possible is in `rules.py`.
"""

from decimal import Decimal
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, structs

from realtime.core.decimals import MAX_EXPONENT, plain
from realtime.orders.errors import Declined, malformed

Side = Literal["buy", "sell"]
Kind = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
Time = Literal["day", "gtc", "opg", "cls", "ioc", "fok"]
Class = Literal["", "simple", "bracket", "oco", "oto", "mleg"]
Intent = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]
Strategy = Literal["round_robin", "hash", "random", "least_loaded"]

Symbol = Annotated[str, Meta(min_length=1, max_length=24, pattern=r"^[A-Za-z0-9./_-]+$")]
"""An option's has 21 letters. The broker would take an asset's id in its place; guards could not
tell what that is, so it is refused by its length."""
ClientOrderId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[!-~]([ -~]*[!-~])?$")]
Label = Annotated[str, Meta(min_length=1, max_length=64)]

T = TypeVar("T", bound=Struct)


class TakeProfit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exit with a profit."""

    limit_price: Decimal


class StopLoss(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exit with a loss."""

    stop_price: Decimal
    limit_price: Decimal | None = None


class Leg(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One leg of a multi-leg order."""

    symbol: Symbol
    ratio_qty: Decimal = Decimal(1)
    side: Side | None = None
    position_intent: Intent | None = None


class OrderRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order as Alpaca takes it."""

    symbol: Symbol | None = None
    qty: Decimal | None = None
    notional: Decimal | None = None
    side: Side | None = None
    type: Kind
    time_in_force: Time
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool | None = None
    client_order_id: ClientOrderId | None = None
    order_class: Class = ""
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    legs: tuple[Leg, ...] | None = None
    position_intent: Intent | None = None
    advanced_instructions: dict[str, str] | None = None


class Placement(OrderRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order, and which account is to have it."""

    account_id: Label | None = None
    """This one. Without it one is chosen."""
    routing_key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """Equal keys go to the same account as long as it can take orders."""
    strategy: Strategy | None = None
    tier: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """Choose among the accounts of this tier."""
    labels: tuple[Label, ...] | None = None
    """Choose among these accounts."""
    force: bool = False
    """Also to an account whose link is not live."""


class OrderChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a replacement as Alpaca takes it."""

    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: Time | None = None
    client_order_id: ClientOrderId | None = None
    advanced_instructions: dict[str, str] | None = None


def read_body(body: bytes, form: type[T]) -> T:
    """Read a JSON body. Raises `Declined` naming the field that is wrong."""
    try:
        return _sane(msgspec.json.decode(body, type=form))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _declined(error) from None


def read_value(value: object, form: type[T]) -> T:
    """Read what JSON was read to already, or a program's own values. Raises `Declined`."""
    try:
        return _sane(msgspec.convert(value, form))
    except msgspec.ValidationError as error:
        raise _declined(error) from None


def spelled(wish: Placement) -> Placement:
    """The order with symbols as the broker spells them: guards and rules compare letters."""
    legs = wish.legs and tuple(structs.replace(leg, symbol=leg.symbol.upper()) for leg in wish.legs)
    symbol = wish.symbol and wish.symbol.upper()
    return structs.replace(wish, symbol=symbol, legs=legs)


def wire_body(ticket: OrderRequest | OrderChanges) -> dict[str, object]:
    """The body that goes to the broker: what was given, numbers as plain decimal strings."""
    names = (OrderRequest if isinstance(ticket, OrderRequest) else OrderChanges).__struct_fields__
    given = {name: getattr(ticket, name) for name in names}
    body = {name: _plain(value) for name, value in given.items() if value is not None}
    if body.get("order_class") == "":
        del body["order_class"]
    return body


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return plain(value)
        case Struct():
            inner = {n: getattr(value, n) for n in value.__struct_fields__}
            return {name: _plain(item) for name, item in inner.items() if item is not None}
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _sane(given: T) -> T:
    """Refuse numbers that are none, or that nobody trades in."""
    for name in given.__struct_fields__:
        value = getattr(given, name)
        if isinstance(value, Struct):
            _sane(value)
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, Struct):
                    _sane(item)
        elif isinstance(value, Decimal) and not (
            value.is_finite() and abs(value.adjusted()) < MAX_EXPONENT and len(str(value)) < 40
        ):
            raise malformed("not a number that can be traded", field=name)
    return given


def _declined(error: Exception) -> Declined:
    said = str(error) if isinstance(error, msgspec.ValidationError) else "the body is not JSON"
    return malformed(said[:200])
