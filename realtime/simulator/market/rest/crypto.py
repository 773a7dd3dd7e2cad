"""REST of coins: history, latest values, order books, snapshots."""

from collections.abc import Iterator

from realtime.simulator.exchange.timestamps import format_rfc3339
from realtime.simulator.exchange.venue.assets import CRYPTO, Asset
from realtime.simulator.market.elements import Fields, to_rest
from realtime.simulator.market.rest.context import DataRequest
from realtime.simulator.market.rest.queries import (
    Range,
    Span,
    bad_request,
    make_page,
    parse_bar_width,
    parse_range,
    parse_symbols,
)
from realtime.simulator.market.rest.stocks import latest_bar, latest_tick, snapshot

LOCATIONS = ("us", "us-1", "us-2", "eu-1", "bs-1")
_FEED = "us"
_BOOK_LEVELS = 5


def bars(request: DataRequest) -> Fields:
    """Answer GET /v1beta3/crypto/{loc}/bars."""
    wanted = _parse_history(request)
    timeframe = parse_bar_width(request.query)

    def series(symbol: str, span: Span) -> Iterator[Fields]:
        asset = request.sources.find(symbol, CRYPTO)
        if asset is not None:
            for bar in request.sources.history.bars(asset, _FEED, timeframe, span):
                yield bar.fields(whole=False)

    settings = request.sources.settings
    return make_page("bars", wanted, series, settings, by_day=timeframe.is_intraday)


def trades(request: DataRequest) -> Fields:
    """Answer GET /v1beta3/crypto/{loc}/trades."""
    return _ticks(request, "trades")


def quotes(request: DataRequest) -> Fields:
    """Answer GET /v1beta3/crypto/{loc}/quotes."""
    return _ticks(request, "quotes")


def latest_trades(request: DataRequest) -> Fields:
    """Answer GET /v1beta3/crypto/{loc}/latest/trades."""
    return {"trades": _latest(request, "trades")}


def latest_quotes(request: DataRequest) -> Fields:
    """Answer GET /v1beta3/crypto/{loc}/latest/quotes."""
    return {"quotes": _latest(request, "quotes")}


def latest_bars(request: DataRequest) -> Fields:
    """Answer GET /v1beta3/crypto/{loc}/latest/bars."""
    latest = {
        symbol: to_rest(bar.fields(whole=False))
        for symbol, asset in _assets(request)
        if (bar := latest_bar(request, asset, _FEED)) is not None
    }
    return {"bars": latest}


def latest_orderbooks(request: DataRequest) -> Fields:
    """Answer GET /v1beta3/crypto/{loc}/latest/orderbooks."""
    books = {}
    for symbol, asset in _assets(request):
        price = float(request.sources.exchange.price_process.last[asset.symbol])
        books[symbol] = {"t": format_rfc3339(request.now), **order_book(price)}
    return {"orderbooks": books}


def snapshots(request: DataRequest) -> Fields:
    """Answer GET /v1beta3/crypto/{loc}/snapshots."""
    found = {symbol: snapshot(request, asset, _FEED) for symbol, asset in _assets(request)}
    return {"snapshots": found}


def order_book(price: float) -> Fields:
    """Return bids and asks around a price, best first."""
    steps = range(1, _BOOK_LEVELS + 1)
    return {
        "b": [{"p": round(price * (1 - n * 0.0002), 2), "s": round(0.1 * n, 4)} for n in steps],
        "a": [{"p": round(price * (1 + n * 0.0002), 2), "s": round(0.1 * n, 4)} for n in steps],
    }


def _ticks(request: DataRequest, name: str) -> Fields:
    wanted = _parse_history(request)
    read = getattr(request.sources.history, name)

    def series(symbol: str, span: Span) -> Iterator[Fields]:
        asset = request.sources.find(symbol, CRYPTO)
        if asset is not None:
            yield from read(asset, _FEED, span)

    return make_page(name, wanted, series, request.sources.settings)


def _latest(request: DataRequest, name: str) -> Fields:
    latest = {s: latest_tick(request, asset, _FEED, name) for s, asset in _assets(request)}
    return {symbol: tick for symbol, tick in latest.items() if tick is not None}


def _assets(request: DataRequest) -> Iterator[tuple[str, Asset]]:
    _check_location(request)
    for symbol in parse_symbols(request.query):
        asset = request.sources.find(symbol, CRYPTO)
        if asset is not None:
            yield symbol, asset


def _parse_history(request: DataRequest) -> Range:
    _check_location(request)
    return parse_range(request.query, parse_symbols(request.query), request.now)


def _check_location(request: DataRequest) -> None:
    if request.path_params["loc"] not in LOCATIONS:
        raise bad_request(f"invalid location: {request.path_params['loc'][:40]}")
