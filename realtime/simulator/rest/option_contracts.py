"""Option contracts, parsed from their symbols: root, yymmdd, C or P, strike × 1000 in eight digits.

Unlike the real broker's, an unbounded list is not cut at the next weekend: the few contracts here
end later.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from uuid import UUID

from realtime.simulator.exchange.engine import ApiError, Exchange

MAX_LIMIT = 10_000

_OCC = re.compile(r"([A-Z.]{1,6})(\d\d)(\d\d)(\d\d)([CP])(\d{8})")

Document = dict[str, object]


def list_contracts(exchange: Exchange, query: Mapping[str, str]) -> Document:
    """Answer GET /v2/options/contracts."""
    limit, offset = (
        _parse_number(query, "limit", 100, MAX_LIMIT),
        _parse_number(query, "page_token", 0, MAX_LIMIT),
    )
    contracts = [exchange.asset(symbol) for symbol in exchange.prices() if _OCC.fullmatch(symbol)]
    matching = [each for asset in contracts if _matches(each := _contract(exchange, asset), query)]
    more = len(matching) > offset + limit
    return {
        "option_contracts": matching[offset : offset + limit],
        "next_page_token": str(offset + limit) if more else None,
    }


def get_contract(exchange: Exchange, name: str) -> Document:
    """Answer GET /v2/options/contracts/{symbol or id}."""
    asset = exchange.asset(name)
    if not _OCC.fullmatch(str(asset["symbol"])):
        raise ApiError(404, {"code": 40410000, "message": f"asset not found for {name[:40]}"})
    return _contract(exchange, asset)


def _contract(exchange: Exchange, asset: Document) -> Document:
    parts = _OCC.fullmatch(str(asset["symbol"]))
    assert parts is not None
    root, year, month, day, letter, trigger = parts.groups()
    return {
        "id": asset["id"],
        "symbol": asset["symbol"],
        "name": asset["name"],
        "status": asset["status"],
        "tradable": asset["tradable"],
        "expiration_date": f"20{year}-{month}-{day}",
        "root_symbol": root,
        "underlying_symbol": root,
        "underlying_asset_id": exchange.asset(root)["id"],
        "type": "call" if letter == "C" else "put",
        "style": "american",
        "strike_price": format((Decimal(trigger) / 1000).normalize(), "f"),
        "multiplier": "100",
        "size": "100",
        "open_interest": str(_open_interest(str(asset["id"]))),
        "open_interest_date": exchange.last_trading_day(),
        "close_price": exchange.last_close(str(asset["symbol"])),
        "close_price_date": exchange.last_trading_day(),
        "ppind": True,
    }


def _open_interest(asset_id: str) -> int:
    """Invented open interest: constant per contract, different between contracts."""
    return 100 + UUID(asset_id).int % 10_000


def _matches(contract: Document, query: Mapping[str, str]) -> bool:
    trigger, expires = Decimal(str(contract["strike_price"])), str(contract["expiration_date"])
    roots = query.get("underlying_symbols", "").upper()
    return (
        (not roots or contract["underlying_symbol"] in roots.split(","))
        and query.get("root_symbol", "") in ("", contract["root_symbol"])
        and query.get("status", "active") == contract["status"]
        and query.get("type", "") in ("", contract["type"])
        and query.get("style", "") in ("", contract["style"])
        and _parse_day(query, "expiration_date", expires) == expires
        and _parse_day(query, "expiration_date_gte", expires) <= expires
        and _parse_day(query, "expiration_date_lte", expires) >= expires
        and _parse_price(query, "strike_price_gte", trigger) <= trigger
        and _parse_price(query, "strike_price_lte", trigger) >= trigger
    )


def _parse_number(query: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    text = query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) > maximum:
        raise _invalid_parameter(name, text)
    return int(text)


def _parse_price(query: Mapping[str, str], name: str, default: Decimal) -> Decimal:
    text = query.get(name)
    if not text:
        return default
    try:
        price = Decimal(text)
    except InvalidOperation as error:
        raise _invalid_parameter(name, text) from error
    if not price.is_finite():
        raise _invalid_parameter(name, text)
    return price


def _parse_day(query: Mapping[str, str], name: str, default: str) -> str:
    try:
        return date.fromisoformat(query[name]).isoformat() if query.get(name) else default
    except ValueError as error:
        raise _invalid_parameter(name, query[name]) from error


def _invalid_parameter(name: str, text: str) -> ApiError:
    return ApiError(422, {"code": 40010001, "message": f"invalid {name}: {text[:40]}"})
