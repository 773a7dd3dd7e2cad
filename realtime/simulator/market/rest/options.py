"""REST of options: history, latest values, snapshots with greeks, the chain of an underlying."""

from collections.abc import Iterator
from math import erf, exp, log, pi, sqrt

from realtime.simulator.exchange.errors import ApiError
from realtime.simulator.exchange.timestamps import DAY, NEW_YORK
from realtime.simulator.exchange.venue.assets import OPTION, Asset
from realtime.simulator.market.elements import Fields
from realtime.simulator.market.rest.context import DataRequest
from realtime.simulator.market.rest.queries import (
    Range,
    Span,
    bad_request,
    check_symbol,
    make_page,
    parse_bar_width,
    parse_limit,
    parse_range,
    parse_symbols,
    parse_time,
    parse_word,
)
from realtime.simulator.market.rest.stocks import latest_tick, snapshot
from realtime.simulator.market.timeframes import day_start

_MAX_SNAPSHOT_SYMBOLS = 100
_MAX_CHAIN = 1_000
_RATE = 0.04
_HISTORY_FEED = "opra"
# Beyond this distance from the strike, as a fraction of the price, there are no greeks.
_MAX_MONEYNESS = 0.5


def bars(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/options/bars."""
    wanted = _parse_history(request)
    timeframe = parse_bar_width(request.query)

    def series(symbol: str, span: Span) -> Iterator[Fields]:
        asset = request.sources.find(symbol, OPTION)
        if asset is not None:
            for bar in request.sources.history.bars(asset, _HISTORY_FEED, timeframe, span):
                yield bar.fields()

    settings = request.sources.settings
    return make_page("bars", wanted, series, settings, by_day=timeframe.is_intraday)


def trades(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/options/trades."""
    wanted = _parse_history(request)

    def series(symbol: str, span: Span) -> Iterator[Fields]:
        asset = request.sources.find(symbol, OPTION)
        if asset is not None:
            yield from request.sources.history.trades(asset, _HISTORY_FEED, span)

    return make_page("trades", wanted, series, request.sources.settings)


def latest_trades(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/options/trades/latest."""
    return {"trades": _latest(request, "trades")}


def latest_quotes(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/options/quotes/latest."""
    return {"quotes": _latest(request, "quotes")}


def snapshots(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/options/snapshots."""
    feed = _feed(request)
    symbols = parse_symbols(request.query)
    if len(symbols) > _MAX_SNAPSHOT_SYMBOLS:
        raise bad_request(f"too many symbols: at most {_MAX_SNAPSHOT_SYMBOLS} are allowed")
    assets = [a for s in symbols if (a := request.sources.find(s, OPTION)) is not None]
    return _snapshot_page(request, sorted(assets, key=lambda asset: asset.symbol), feed)


def chain(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/options/snapshots/{underlying}."""
    feed, underlying = _feed(request), check_symbol(request.path_params["underlying"])
    assets = [
        asset
        for asset in request.sources.exchange.listing.options()
        if asset.contract is not None
        and asset.contract.underlying == underlying
        and _matches(request, asset)
    ]
    return _snapshot_page(request, sorted(assets, key=lambda asset: asset.symbol), feed)


def _snapshot_page(request: DataRequest, assets: list[Asset], feed: str) -> Fields:
    limit = parse_limit(request.query, 100, _MAX_CHAIN)
    token = request.query.get("page_token", "")
    since = parse_time(request.query, "updated_since")
    rest = [asset for asset in assets if asset.symbol > token]
    found: dict[str, Fields] = {}
    for asset in rest[:limit]:
        members = snapshot(request, asset, feed)
        tape = request.sources.tape.feed(asset.symbol, feed)
        newest = tape.quotes[-1]["t"] if tape is not None and tape.quotes else 0
        if since is None or newest >= since:
            found[asset.symbol] = {**members, **_greeks(request, asset)}
    more = rest[limit - 1].symbol if len(rest) > limit else None
    return {"snapshots": found, "next_page_token": more}


def _latest(request: DataRequest, name: str) -> Fields:
    feed = _feed(request)
    result: Fields = {}
    for symbol in parse_symbols(request.query):
        asset = request.sources.find(symbol, OPTION)
        tick = None if asset is None else latest_tick(request, asset, feed, name)
        if tick is not None:
            result[symbol] = tick
    return result


def _feed(request: DataRequest) -> str:
    best = "opra" if request.plan == "plus" else "indicative"
    feed = parse_word(request.query, "feed", (best, "opra", "indicative"))
    if feed == "opra" and request.plan == "basic":
        raise ApiError(403, {"message": "subscription does not permit querying OPRA data"})
    return feed


def _parse_history(request: DataRequest) -> Range:
    return parse_range(request.query, parse_symbols(request.query), request.now)


def _matches(request: DataRequest, asset: Asset) -> bool:
    terms, query = asset.contract, request.query
    assert terms is not None
    kind = parse_word(query, "type", ("", "call", "put")) if query.get("type") else ""
    expiry = terms.expiry.isoformat()
    return (
        kind in ("", "call" if terms.is_call else "put")
        and query.get("root_symbol", "") in ("", terms.underlying)
        and query.get("expiration_date", "") in ("", expiry)
        and (query.get("expiration_date_gte") or expiry) <= expiry
        and (query.get("expiration_date_lte") or expiry) >= expiry
        and _strike(query, "strike_price_gte", float(terms.strike)) <= float(terms.strike)
        and _strike(query, "strike_price_lte", float(terms.strike)) >= float(terms.strike)
    )


def _strike(query: dict[str, str], name: str, default: float) -> float:
    try:
        return float(query[name]) if query.get(name) else default
    except ValueError as error:
        raise bad_request(f"invalid {name}: {query[name][:40]}") from error


def _greeks(request: DataRequest, asset: Asset) -> Fields:
    """Return implied volatility and greeks (Black-Scholes); nothing where not computable."""
    terms = asset.contract
    assert terms is not None
    last = request.sources.exchange.price_process.last
    spot, strike = float(last[terms.underlying]), float(terms.strike)
    years = (day_start(terms.expiry, NEW_YORK) - request.now) / (365 * DAY)
    if years <= 0 or abs(spot / strike - 1) > _MAX_MONEYNESS:
        return {}
    volatility = float(last[asset.symbol]) / (0.4 * spot * sqrt(years))
    volatility = min(max(volatility, 0.01), 5.0)
    d1 = (log(spot / strike) + (_RATE + volatility**2 / 2) * years) / (volatility * sqrt(years))
    d2 = d1 - volatility * sqrt(years)
    density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
    sign = 1 if terms.is_call else -1
    discounted = strike * exp(-_RATE * years)
    decay = -spot * density * volatility / (2 * sqrt(years))
    theta = decay - sign * _RATE * discounted * _normal(sign * d2)
    return {
        "impliedVolatility": round(volatility, 4),
        "greeks": {
            "delta": round(sign * _normal(sign * d1), 4),
            "gamma": round(density / (spot * volatility * sqrt(years)), 4),
            "theta": round(theta / 365, 4),
            "vega": round(spot * density * sqrt(years) / 100, 4),
            "rho": round(sign * years * discounted * _normal(sign * d2) / 100, 4),
        },
    }


def _normal(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2
