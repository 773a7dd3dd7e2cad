"""REST of stocks: history, latest values, snapshots, auctions."""

from collections.abc import Iterable, Iterator

from realtime.simulator.exchange.errors import ApiError
from realtime.simulator.exchange.timestamps import NEW_YORK, format_rfc3339, parse_rfc3339
from realtime.simulator.exchange.venue.assets import EQUITY, Asset
from realtime.simulator.exchange.venue.calendar import OPEN, close_time, instant, is_trading_day
from realtime.simulator.market.bars import Bar
from realtime.simulator.market.elements import Fields, to_rest
from realtime.simulator.market.history import zone_of
from realtime.simulator.market.rest.context import DataRequest
from realtime.simulator.market.rest.queries import (
    SIP_DELAY_NS,
    Range,
    Span,
    bad_request,
    check_symbol,
    make_page,
    parse_bar_width,
    parse_range,
    parse_symbols,
    parse_word,
)
from realtime.simulator.market.timeframes import Timeframe, day_start, local_day

_HISTORY_FEEDS = ("sip", "iex", "boats", "otc")
_LATEST_FEEDS = ("iex", "sip", "delayed_sip", "boats", "overnight", "otc")
_RECENT_SIP = "subscription does not permit querying recent SIP data"
_ADJUSTMENTS = frozenset({"raw", "split", "dividend", "spin-off", "all"})
_DAY = Timeframe(1, "D")


def bars(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/bars."""
    wanted = _parse_history(request)
    timeframe, feed = parse_bar_width(request.query), _history_feed(request, wanted)
    is_adjusted = _parse_adjustment(request) != {"raw"}

    def series(symbol: str, span: Span) -> Iterator[Fields]:
        for asset, part in _with_former(request, symbol, span):
            for bar in request.sources.history.bars(asset, feed, timeframe, part):
                if _is_missing(request, symbol, bar.start):
                    continue
                shown = bar
                if is_adjusted:
                    factor = request.sources.corporate_actions.factor(asset.symbol, bar.start)
                    shown = bar if factor == 1 else bar.scaled(factor)
                yield shown.fields()

    settings = request.sources.settings
    return make_page("bars", wanted, series, settings, by_day=timeframe.is_intraday)


def trades(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/trades."""
    wanted = _parse_history(request)
    feed = _history_feed(request, wanted)

    def series(symbol: str, span: Span) -> Iterator[Fields]:
        for asset, part in _with_former(request, symbol, span):
            yield from request.sources.history.trades(asset, feed, part)

    return make_page("trades", wanted, series, request.sources.settings)


def quotes(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/quotes."""
    wanted = _parse_history(request)
    feed = _history_feed(request, wanted)

    def series(symbol: str, span: Span) -> Iterator[Fields]:
        for asset, part in _with_former(request, symbol, span):
            yield from request.sources.history.quotes(asset, feed, part)

    return make_page("quotes", wanted, series, request.sources.settings)


def latest_trades(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/trades/latest."""
    return {"trades": _latest(request, "trades")}


def latest_quotes(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/quotes/latest."""
    return {"quotes": _latest(request, "quotes")}


def latest_bars(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/bars/latest."""
    feed = _latest_feed(request)
    latest = {
        symbol: to_rest(bar.fields())
        for symbol, asset in _assets(request)
        if (bar := latest_bar(request, asset, feed)) is not None
    }
    return {"bars": latest}


def snapshots(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/snapshots: not wrapped, unknown symbols are omitted."""
    feed = _latest_feed(request)
    return {symbol: snapshot(request, asset, feed) for symbol, asset in _assets(request)}


def snapshot(request: DataRequest, asset: Asset, feed: str) -> Fields:
    """Return the snapshot of an asset; members without data are missing."""
    history = request.sources.history
    today = local_day(request.now, zone_of(asset))
    daily = history.day_bar(asset, feed, today) or history.previous_day_bar(asset, feed, today)
    previous = None
    if daily is not None:
        previous = history.previous_day_bar(asset, feed, local_day(daily.start, zone_of(asset)))
    bars_ = {"minuteBar": latest_bar(request, asset, feed), "dailyBar": daily}
    bars_["prevDailyBar"] = previous
    whole = not asset.is_crypto
    members = {
        "latestTrade": latest_tick(request, asset, feed, "trades"),
        "latestQuote": latest_tick(request, asset, feed, "quotes"),
        **{name: bar and to_rest(bar.fields(whole=whole)) for name, bar in bars_.items()},
    }
    return {name: value for name, value in members.items() if value is not None}


def latest_tick(request: DataRequest, asset: Asset, feed: str, name: str) -> Fields | None:
    """Return the latest trade or quote of a feed; `delayed_sip` is 15 minutes late."""
    source, now = feed, request.now
    if feed == "delayed_sip":
        source, now = "sip", now - SIP_DELAY_NS
    else:
        request.sources.tape.refresh(asset.symbol)
    tape = request.sources.tape.feed(asset.symbol, source)
    for tick in reversed(getattr(tape, name) if tape is not None else ()):
        if tick["t"] <= now + SIP_DELAY_NS and (feed != "delayed_sip" or tick["t"] <= now):
            return to_rest(tick)
    read = getattr(request.sources.history, name)
    day = local_day(now, zone_of(asset))
    bar = request.sources.history.day_bar(asset, source, day)
    if bar is None:
        bar = request.sources.history.previous_day_bar(asset, source, day)
    ticks = list(read(asset, source, (bar.start, now))) if bar is not None else []
    return to_rest(ticks[-1]) if ticks else None


def latest_bar(request: DataRequest, asset: Asset, feed: str) -> Bar | None:
    """Return the latest minute bar of a feed."""
    source = "sip" if feed == "delayed_sip" else feed
    latest = request.now - (SIP_DELAY_NS if feed == "delayed_sip" else 0)
    day = local_day(latest, zone_of(asset))
    history = request.sources.history
    bars_ = [b for b in history.minute_bars(asset, source, day) if b.start <= latest]
    if not bars_ and (before := history.previous_day_bar(asset, source, day)) is not None:
        bars_ = history.minute_bars(asset, source, local_day(before.start, zone_of(asset)))
    return bars_[-1] if bars_ else None


def auctions(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/auctions: opening and closing auction of each trading day."""
    wanted = _parse_history(request)
    parse_word(request.query, "feed", ("sip",))

    def series(symbol: str, span: Span) -> Iterable[Fields]:
        asset = request.sources.find(symbol, EQUITY)
        for bar in request.sources.history.bars(asset, "sip", _DAY, span) if asset else ():
            if is_trading_day(local_day(bar.start, NEW_YORK)) and asset is not None:
                yield _auction(asset, bar)

    settings = request.sources.settings
    return make_page("auctions", wanted, series, settings, by_day=False, show=_without_time)


def single(request: DataRequest, many: Fields, name: str) -> Fields:
    """Return the response of a single-symbol route from that of the multi-symbol one."""
    symbol = request.path_params["symbol"]
    if name == "snapshot":
        if symbol not in many:
            raise ApiError(404, {"message": f"no snapshot found for {symbol}"})
        return {"symbol": symbol, **many[symbol]}
    by_symbol = many.get(name) or many.get(f"{name}s") or {}
    if "next_page_token" in many:
        items = by_symbol.get(symbol, [])
        return {"symbol": symbol, name: items, "next_page_token": many["next_page_token"]}
    if symbol not in by_symbol:
        raise ApiError(404, {"message": f"no {name} found for {symbol}"})
    return {"symbol": symbol, name: by_symbol[symbol]}


def _latest(request: DataRequest, name: str) -> Fields:
    feed = _latest_feed(request)
    latest = {s: latest_tick(request, asset, feed, name) for s, asset in _assets(request)}
    return {symbol: tick for symbol, tick in latest.items() if tick is not None}


def _assets(request: DataRequest) -> Iterator[tuple[str, Asset]]:
    for symbol in parse_symbols(request.query):
        asset = request.sources.find(symbol, EQUITY)
        if asset is not None and asset.active:
            yield symbol, asset


def _parse_history(request: DataRequest) -> Range:
    feed = request.query.get("feed", "") or "sip"
    is_delayed = request.plan == "basic" and feed == "sip"
    delay = SIP_DELAY_NS if is_delayed else 0
    return parse_range(request.query, parse_symbols(request.query), request.now, delay=delay)


def _history_feed(request: DataRequest, wanted: Range) -> str:
    feed = parse_word(request.query, "feed", _HISTORY_FEEDS)
    recent = wanted.span[1] > request.now - SIP_DELAY_NS
    if feed == "sip" and request.plan == "basic" and recent:
        raise ApiError(403, {"message": _RECENT_SIP})
    return feed


def _latest_feed(request: DataRequest) -> str:
    best = "sip" if request.plan == "plus" else "iex"
    feed = parse_word(request.query, "feed", (best, *_LATEST_FEEDS))
    if feed == "sip" and request.plan == "basic":
        raise ApiError(403, {"message": _RECENT_SIP})
    return feed


def _parse_adjustment(request: DataRequest) -> set[str]:
    words = set((request.query.get("adjustment") or "raw").lower().split(","))
    if words - _ADJUSTMENTS:
        raise bad_request(f"invalid adjustment: {','.join(sorted(words))[:40]}")
    return words


def _with_former(request: DataRequest, symbol: str, span: Span) -> Iterator[tuple[Asset, Span]]:
    """Yield the asset, after its former symbol's part of the span unless `asof` is `-`."""
    actions, listing = request.sources.corporate_actions, request.sources.exchange.listing
    former = actions.former.get(symbol)
    if former is not None and request.query.get("asof") != "-":
        old = listing.by_symbol.get(former)
        if old is not None:
            yield old, span
    asset = request.sources.find(symbol, EQUITY)
    if asset is not None:
        yield asset, span


def _is_missing(request: DataRequest, symbol: str, at: int) -> bool:
    for missing in request.sources.settings.missing_bars:
        start, end = parse_rfc3339(missing.start), parse_rfc3339(missing.end)
        if missing.symbol == symbol and (start or 0) <= at <= (end or 0):
            return True
    return False


def _auction(asset: Asset, bar: Bar) -> Fields:
    day = local_day(bar.start, NEW_YORK)
    primary = {"NASDAQ": "Q", "NYSE": "N"}.get(asset.exchange, "P")
    opening = {"t": format_rfc3339(instant(day, OPEN)), "x": primary, "p": bar.open, "c": "O"}
    closing = {"t": format_rfc3339(instant(day, close_time(day))), "x": primary, "p": bar.close}
    size = max(int(bar.volume / 50), 1)
    return {
        "t": day_start(day),
        "d": day.isoformat(),
        "o": [{**opening, "s": size}],
        "c": [{**closing, "s": 2 * size, "c": "6"}],
    }


def _without_time(item: Fields) -> Fields:
    return {name: value for name, value in item.items() if name != "t"}


def with_symbol(request: DataRequest) -> DataRequest:
    """Return the request of a single-symbol route as a multi-symbol one."""
    symbol = check_symbol(request.path_params["symbol"])
    return request._replace(query={**request.query, "symbols": symbol})
