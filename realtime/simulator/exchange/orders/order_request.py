"""Order requests: parsing and format checks of the body of POST /v2/orders.

Rules of the asset are in validation.py, rules of the account in account_checks.py.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from realtime.simulator.exchange.decimals import ONE, parse_decimal
from realtime.simulator.exchange.errors import describe_value, malformed, unprocessable
from realtime.simulator.exchange.orders.order import LIMIT, MARKET, STOP, STOP_LIMIT, TRAILING_STOP

TYPES = (MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING_STOP)
TIMES_IN_FORCE = ("day", "gtc", "opg", "cls", "ioc", "fok")
CLASSES = ("", "simple", "bracket", "oco", "oto", "mleg")
INTENTS = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")

_MAX_CLIENT_ORDER_ID = 128
_MAX_LEGS = 4


class LegRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One leg of a multi-leg order."""

    symbol: str
    ratio_qty: Decimal
    side: str
    position_intent: str


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order request; absent fields are None."""

    symbol: str = ""
    side: str = ""
    type: str
    time_in_force: str
    order_class: str = ""
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None
    position_intent: str | None = None
    take_profit_limit: Decimal | None = None
    stop_loss_stop: Decimal | None = None
    stop_loss_limit: Decimal | None = None
    legs: tuple[LegRequest, ...] = ()

    @property
    def is_simple(self) -> bool:
        return self.order_class in ("", "simple")


def parse_order_request(body: object) -> OrderRequest:
    """Return the request from decoded JSON; raises ApiError."""
    if not isinstance(body, Mapping):
        raise malformed("request body format is invalid")
    order_class = _parse_word(body, "order_class", CLASSES) or ""
    take_profit = _parse_section(body, "take_profit")
    stop_loss = _parse_section(body, "stop_loss")
    is_multileg = order_class == "mleg"
    return OrderRequest(
        symbol="" if is_multileg else _parse_required(body, "symbol"),
        side="" if is_multileg else _parse_side(body),
        type=_parse_required_word(body, "type", TYPES),
        time_in_force=_parse_required_word(body, "time_in_force", TIMES_IN_FORCE),
        order_class=order_class,
        qty=_parse_positive(body, "qty"),
        notional=_parse_positive(body, "notional"),
        limit_price=parse_limit_price(body, is_net=is_multileg),
        stop_price=_parse_positive(body, "stop_price"),
        trail_price=_parse_positive(body, "trail_price"),
        trail_percent=_parse_positive(body, "trail_percent"),
        extended_hours=_parse_bool(body, "extended_hours"),
        client_order_id=parse_client_order_id(body),
        position_intent=_parse_word(body, "position_intent", INTENTS),
        take_profit_limit=_parse_positive(take_profit, "limit_price", "take_profit."),
        stop_loss_stop=_parse_positive(stop_loss, "stop_price", "stop_loss."),
        stop_loss_limit=_parse_positive(stop_loss, "limit_price", "stop_loss."),
        legs=_parse_legs(body) if is_multileg else (),
    )


def parse_client_order_id(body: Mapping[str, object]) -> str | None:
    """Return the client order id, or None when it is absent."""
    value = body.get("client_order_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise malformed("invalid client_order_id")
    if len(value) > _MAX_CLIENT_ORDER_ID:
        raise malformed(f"client_order_id must be no more than {_MAX_CLIENT_ORDER_ID} characters")
    return value


def parse_positive(body: Mapping[str, object], name: str) -> Decimal | None:
    """Return a number above zero, or None when the field is absent."""
    return _parse_positive(body, name)


def parse_limit_price(body: Mapping[str, object], *, is_net: bool) -> Decimal | None:
    """Return a limit price; the net limit of a multi-leg order may be negative, a credit."""
    return _parse_net_limit(body) if is_net else _parse_positive(body, "limit_price")


def parse_time_in_force(body: Mapping[str, object]) -> str | None:
    """Return the time in force, or None when the field is absent."""
    return _parse_word(body, "time_in_force", TIMES_IN_FORCE)


def _parse_legs(body: Mapping[str, object]) -> tuple[LegRequest, ...]:
    legs = body.get("legs")
    if not isinstance(legs, list) or not legs:
        raise malformed("legs is required for mleg orders")
    if not 2 <= len(legs) <= _MAX_LEGS:
        raise unprocessable(f"mleg orders must have between 2 and {_MAX_LEGS} legs")
    leg_requests = tuple(_parse_leg(leg) for leg in legs)
    if len({leg.symbol for leg in leg_requests}) != len(leg_requests):
        raise unprocessable("mleg order legs must have unique symbols")
    return leg_requests


def _parse_leg(body: object) -> LegRequest:
    if not isinstance(body, Mapping):
        raise malformed("invalid leg")
    intent = _parse_word(body, "position_intent", INTENTS)
    side = _parse_word(body, "side", ("buy", "sell"))
    if side is None and intent is None:
        raise malformed("leg requires side or position_intent")
    if side and intent and not intent.startswith(side):
        raise unprocessable("leg side and position_intent do not match")
    ratio = _parse_positive(body, "ratio_qty") or ONE
    if ratio != ratio.to_integral_value():
        raise unprocessable("leg ratio_qty must be a whole number")
    return LegRequest(
        symbol=_parse_required(body, "symbol"),
        ratio_qty=ratio,
        side=side or (intent or "").split("_")[0],
        position_intent=intent or "",
    )


def _parse_side(body: Mapping[str, object]) -> str:
    side = _parse_word(body, "side", ("buy", "sell"))
    if side is not None:
        return side
    intent = _parse_word(body, "position_intent", INTENTS)
    if intent is None:
        raise malformed("side is required")
    return intent.split("_")[0]


def _parse_section(body: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise malformed(f"invalid {name}")
    return value


def _parse_required(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if value is None or value == "":
        raise malformed(f"{name} is required")
    if not isinstance(value, str):
        raise malformed(f"invalid {name}")
    return value.strip()


def _parse_required_word(body: Mapping[str, object], name: str, words: tuple[str, ...]) -> str:
    value = _parse_word(body, name, words)
    if not value:
        raise malformed(f"{name} is required")
    return value


def _parse_word(body: Mapping[str, object], name: str, words: tuple[str, ...]) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or (value not in words and value != ""):
        raise malformed(f"invalid {name}: {describe_value(value)}")
    return value or None


def _parse_bool(body: Mapping[str, object], name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise malformed(f"invalid {name}")
    return value


def _parse_positive(body: Mapping[str, object], name: str, prefix: str = "") -> Decimal | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    number = parse_decimal(value, prefix + name)
    if number <= 0:
        raise malformed(f"{prefix}{name} must be > 0")
    return number


def _parse_net_limit(body: Mapping[str, object]) -> Decimal | None:
    """Return a net limit of a multi-leg order: negative for a credit."""
    value = body.get("limit_price")
    return None if value is None or value == "" else parse_decimal(value, "limit_price")
