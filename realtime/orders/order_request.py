"""The body of an order: Alpaca's own fields, read strictly, and the fields that choose an account.

An unknown field, a wrong type or a number out of range is refused here. Which combinations are
possible is in `validation.py`.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, structs
from msgspec import inspect as types

from realtime.core.decimals import plain
from realtime.orders.errors import malformed
from realtime.orders.numbers import MAX_TEXT_LENGTH, check_number, parse_number
from realtime.orders.symbols import MAX_SYMBOL_LENGTH, SYMBOL_PATTERN

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["day", "gtc", "opg", "cls", "ioc", "fok"]
OrderClass = Literal["", "simple", "bracket", "oco", "oto", "mleg"]
PositionIntent = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]
Strategy = Literal["round_robin", "hash", "random", "least_loaded"]

Symbol = Annotated[str, Meta(min_length=1, max_length=MAX_SYMBOL_LENGTH, pattern=SYMBOL_PATTERN)]
"""The broker would accept an asset's id in its place. Risk checks could not judge an id, so its
length is refused."""
CLIENT_ORDER_ID_PATTERN = r"^[!-~](?:[ -~]*[!-~])?(?!\n)$"
"""Printable ASCII without blanks at its ends."""
MAX_CLIENT_ORDER_ID = 128
ClientOrderId = Annotated[
    str, Meta(min_length=1, max_length=MAX_CLIENT_ORDER_ID, pattern=CLIENT_ORDER_ID_PATTERN)
]
Label = Annotated[str, Meta(min_length=1, max_length=64)]

T = TypeVar("T", bound=Struct)

MAX_INT_BITS = 128
"""A longer integer costs time to convert, and is out of range in any case."""


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
    ratio_qty: Decimal | None = None
    """None means 1."""
    side: Side | None = None
    position_intent: PositionIntent | None = None


class OrderRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order as Alpaca accepts it."""

    symbol: Symbol | None = None
    qty: Decimal | None = None
    notional: Decimal | None = None
    side: Side | None = None
    type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool | None = None
    client_order_id: ClientOrderId | None = None
    order_class: OrderClass | None = None
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    legs: tuple[Leg, ...] | None = None
    position_intent: PositionIntent | None = None
    advanced_instructions: dict[str, str] | None = None

    @property
    def closes_position(self) -> bool:
        """Whether the order may only reduce a position."""
        return (self.position_intent or "").endswith("_to_close")


class Placement(OrderRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order, and which account it is for."""

    account_id: Label | None = None
    """Exactly this account. Without it one is chosen."""
    routing_key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """Equal keys go to the same account as long as it can take orders."""
    strategy: Strategy | None = None
    tier: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """Choose among the accounts of this tier."""
    labels: tuple[Label, ...] | None = None
    """Choose among these accounts."""
    force: bool | None = None
    """Also to an account whose link is not synced."""


class OrderChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a replacement as Alpaca accepts it."""

    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None
    client_order_id: ClientOrderId | None = None
    advanced_instructions: dict[str, str] | None = None


def is_client_order_id(text: str) -> bool:
    """Whether a text has the form of a client order id; no other is looked up at the broker."""
    return (
        len(text) <= MAX_CLIENT_ORDER_ID and re.fullmatch(CLIENT_ORDER_ID_PATTERN, text) is not None
    )


def read_body(body: bytes, form: type[T]) -> T:
    """Read a JSON body. Raises `Declined` naming the field that is wrong."""
    try:
        value = _decode(body)
    except msgspec.ValidationError as error:
        raise malformed(str(error)[:200]) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise malformed("the body is not JSON") from None
    return read_value(value, form)


def read_value(value: object, form: type[T]) -> T:
    """Read decoded JSON, or a program's own values. Raises `Declined` naming the field."""
    try:
        return msgspec.convert(_read_numbers(value, _get_number_fields(form)), form)
    except msgspec.ValidationError as error:
        raise malformed(str(error)[:200]) from None
    except RecursionError:
        raise malformed("the body is nested too deeply") from None


def normalize_symbols(request: Placement) -> Placement:
    """Return the order with symbols in capitals, as the broker and the risk checks spell them."""
    legs = request.legs and tuple(
        structs.replace(leg, symbol=leg.symbol.upper()) for leg in request.legs
    )
    symbol = request.symbol and request.symbol.upper()
    return structs.replace(request, symbol=symbol, legs=legs)


def build_body(request: OrderRequest | OrderChanges) -> dict[str, object]:
    """Return the body for the broker: the fields that are set, numbers as plain decimal strings."""
    names = (OrderRequest if isinstance(request, OrderRequest) else OrderChanges).__struct_fields__
    values = {name: getattr(request, name) for name in names}
    body = {name: _encode_value(value) for name, value in values.items() if value is not None}
    if body.get("order_class") == "":
        del body["order_class"]
    return body


def _encode_value(value: object) -> object:
    match value:
        case Decimal():
            return plain(value)
        case Struct():
            inner = {n: getattr(value, n) for n in value.__struct_fields__}
            return {name: _encode_value(item) for name, item in inner.items() if item is not None}
        case tuple():
            return [_encode_value(item) for item in value]
        case _:
            return value


def _parse_json_number(text: str) -> Decimal:
    """Keep a JSON number's digits: a float would lose some. Its grammar is JSON's."""
    if len(text) > MAX_TEXT_LENGTH:
        raise ValueError("a number is too long")
    return Decimal(text)


_decode = msgspec.json.Decoder(float_hook=_parse_json_number).decode

NumberFields = Mapping[str, "NumberFields | None"]
"""field → the number fields of what it contains; None where it is a number itself"""


@cache
def _get_number_fields(form: type[Struct]) -> NumberFields:
    """Return which fields of a form, and of the structs in it, are numbers."""
    description = types.type_info(form)
    assert isinstance(description, types.StructType)
    return _describe(description)


def _describe(form: types.StructType) -> NumberFields:
    fields: dict[str, NumberFields | None] = {}
    for field in form.fields:
        options = field.type.types if isinstance(field.type, types.UnionType) else (field.type,)
        for option in options:
            item = option.item_type if isinstance(option, types.VarTupleType) else option
            if isinstance(item, types.DecimalType):
                fields[field.encode_name] = None
            elif isinstance(item, types.StructType) and (inner := _describe(item)):
                fields[field.encode_name] = inner
    return fields


def _read_numbers(value: Any, fields: NumberFields) -> Any:
    """Replace the number fields of decoded JSON by checked decimals; other types stay as they are
    and are refused by the conversion."""
    if isinstance(value, list | tuple):
        return [_read_numbers(item, fields) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: item
        if name not in fields
        else _read_numbers(item, inner)
        if (inner := fields[name]) is not None
        else _read_number(item, name)
        for name, item in value.items()
    }


def _read_number(value: object, field: str) -> object:
    match value:
        case bool() | None:
            return value
        case str():
            return parse_number(value, field)
        case int() | float() | Decimal():
            if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
                raise malformed("number out of range", field=field)
            return check_number(Decimal(str(value)), field)
        case _:
            return value
