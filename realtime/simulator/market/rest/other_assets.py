"""REST of what is not traded here: currencies, indices, bonds, logos, perpetual futures of coins.

Values are made of the name and the time, so every request for one time gives the same; futures
follow their coin.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from math import sin

from realtime.simulator.exchange.errors import ApiError
from realtime.simulator.exchange.query_params import parse_list
from realtime.simulator.exchange.timestamps import DAY, HOUR, MINUTE, SECOND, format_rfc3339
from realtime.simulator.market.elements import Fields
from realtime.simulator.market.rest import crypto
from realtime.simulator.market.rest.context import DataRequest
from realtime.simulator.market.rest.queries import (
    Span,
    bad_request,
    check_symbol,
    make_page,
    parse_range,
    parse_symbols,
)

PERPS = ("global",)
MAX_BONDS = 1000
FUNDING_NS = 8 * HOUR
RATE_STEPS = {
    "5sec": 5 * SECOND,
    "5s": 5 * SECOND,
    "1min": MINUTE,
    "1t": MINUTE,
    "1day": DAY,
    "1d": DAY,
}

_PAIR = re.compile(r"[A-Z]{6}")
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_PERP = re.compile(r"([A-Z0-9]{2,8})USDT\.P")


def latest_rates(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/forex/latest/rates."""
    return {"rates": {pair: _show(_rate(pair, request.now)) for pair in _pairs(request.query)}}


def rates(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/forex/rates."""
    step = RATE_STEPS.get(request.query.get("timeframe", "1Min").lower())
    if step is None:
        raise bad_request(f"invalid timeframe: {request.query['timeframe'][:40]}")
    return _values(request, "rates", _pairs(request.query), step, _rate)


def latest_values(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/indices/latest/values."""
    names = parse_symbols(request.query)
    return {"values": {name: _show(_index_value(name, request.now)) for name in names}}


def values(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/indices/values."""
    return _values(request, "values", parse_symbols(request.query), MINUTE, _index_value)


def latest_bond_prices(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/fixed_income/latest/prices."""
    at = format_rfc3339(request.now)
    prices = {isin: _level(isin, request.now, 99.0) for isin in _isins(request.query)}
    return {
        "prices": {
            isin: {"t": at, "p": price, "ytm": _yield(price), "ytw": _yield(price)}
            for isin, price in prices.items()
        }
    }


def latest_bond_quotes(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/fixed_income/latest/quotes."""
    quotes = {}
    for isin in _isins(request.query):
        price = _level(isin, request.now, 99.0)
        bid, ask = round(price - 0.05, 4), round(price + 0.05, 4)
        sides = {
            "bp": bid, "bs": 1_000_000, "bms": 1000, "bytm": _yield(bid), "bytw": _yield(bid),
            "ap": ask, "as": 1_000_000, "ams": 1000, "aytm": _yield(ask), "aytw": _yield(ask),
        }  # fmt: skip
        quotes[isin] = {"t": format_rfc3339(request.now), **sides}
    return {"quotes": quotes}


def logo(request: DataRequest) -> bytes:
    """Answer GET /v1beta1/logos/{symbol}: a square in a color of its own, as PNG."""
    symbol = check_symbol(request.path_params["symbol"].upper())
    is_known = symbol in request.sources.exchange.listing.by_symbol
    if not is_known and request.query.get("placeholder", "true").lower() in ("false", "0"):
        raise ApiError(404, {"message": f"no logo for {symbol}"})
    color = zlib.crc32(symbol.encode()).to_bytes(4, "big")[1:] if is_known else b"\x99\x99\x99"
    return _png(color, 16)


def perp(name: str) -> Callable[[DataRequest], Fields]:
    """Return the handler of GET /v1beta1/crypto-perps/{loc}/latest/{name}."""
    handler = {
        "bars": crypto.latest_bars,
        "quotes": crypto.latest_quotes,
        "trades": crypto.latest_trades,
        "orderbooks": crypto.latest_orderbooks,
        "pricing": _pricing,
    }[name]

    def handle(request: DataRequest) -> Fields:
        if request.path_params["loc"] not in PERPS:
            raise bad_request(f"invalid location: {request.path_params['loc'][:40]}")
        coins = _coins(request.query)
        query = {**request.query, "symbols": ",".join(coins.values()) or "NONE/USD"}
        of_coins = handler(request._replace(path_params={"loc": "us"}, query=query))[name]
        return {name: {s: of_coins[coin] for s, coin in coins.items() if coin in of_coins}}

    return handle


def _pricing(request: DataRequest) -> Fields:
    at = request.now
    prices = {
        symbol: float(request.sources.exchange.price_process.last[symbol])
        for symbol in parse_symbols(request.query)
        if symbol in request.sources.exchange.price_process.last
    }
    return {
        "pricing": {
            symbol: {
                "t": format_rfc3339(at),
                "ft": format_rfc3339(at - at % FUNDING_NS + FUNDING_NS),
                "oi": 90.5,
                "ip": price,
                "mp": round(price * 1.0001, 2),
                "fr": 0.0001,
            }
            for symbol, price in prices.items()
        }
    }


def _coins(query: Mapping[str, str]) -> dict[str, str]:
    """Return symbol of a future → its coin, of those that have one."""
    matches = {symbol: _PERP.fullmatch(symbol) for symbol in parse_symbols(query)}
    return {symbol: f"{match[1]}/USD" for symbol, match in matches.items() if match}


def _pairs(query: Mapping[str, str]) -> list[str]:
    return _words(query, "currency_pairs", _PAIR, 1000)


def _isins(query: Mapping[str, str]) -> list[str]:
    return _words(query, "isins", _ISIN, MAX_BONDS)


def _words(query: Mapping[str, str], name: str, form: re.Pattern[str], most: int) -> list[str]:
    words = parse_list(query, name)
    if not 1 <= len(words) <= most:
        raise bad_request(f"{name} is required" if not words else f"too many {name}")
    for word in words:
        if not form.fullmatch(word):
            raise bad_request(f"invalid {name}: {word[:40]}")
    return list(dict.fromkeys(words))


def _values(
    request: DataRequest,
    name: str,
    names: list[str],
    step: int,
    value: Callable[[str, int], Fields],
) -> Fields:
    """Return a page of values, one for each step."""

    def series(symbol: str, span: Span) -> Iterator[Fields]:
        start, end = span
        first = -(-start // step) * step
        for at in range(first, min(end, request.now) + 1, step):
            yield value(symbol, at)

    wanted = parse_range(request.query, names, request.now)
    return make_page(name, wanted, series, request.sources.settings)


def _rate(pair: str, at: int) -> Fields:
    middle = _level(pair, at, 1.0 + zlib.crc32(pair.encode()) % 150)
    return {"t": at, "bp": round(middle - 0.01, 5), "mp": middle, "ap": round(middle + 0.01, 5)}


def _index_value(name: str, at: int) -> Fields:
    return {"t": at, "v": _level(name, at, 100.0 + zlib.crc32(name.encode()) % 9000)}


def _show(value: Fields) -> Fields:
    return {**value, "t": format_rfc3339(value["t"])}


def _level(name: str, at: int, base: float) -> float:
    """Return a level that moves slowly around a base."""
    phase = zlib.crc32(name.encode()) % 1000
    return round(base * (1 + 0.002 * sin(at / HOUR + phase)), 4)


def _yield(price: float) -> float:
    return round((100 - price) * 4 + 0.2, 4)


def _png(color: bytes, size: int) -> bytes:
    """Return a square of one color as PNG (RFC 2083)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    rows = (b"\0" + color * size) * size
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
