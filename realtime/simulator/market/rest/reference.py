"""Reference data and screeners: conditions, exchanges, movers, most active stocks."""

from realtime.simulator.exchange.timestamps import NEW_YORK, format_rfc3339
from realtime.simulator.exchange.venue.assets import CRYPTO, EQUITY, Asset
from realtime.simulator.market.elements import Fields
from realtime.simulator.market.rest.context import DataRequest
from realtime.simulator.market.rest.queries import bad_request, parse_word
from realtime.simulator.market.timeframes import local_day

_TRADE_CONDITIONS = {
    " ": "Regular Sale",
    "@": "Regular Sale",
    "I": "Odd Lot Trade",
    "O": "Market Center Opening Trade",
    "6": "Market Center Closing Trade",
    "T": "Extended Hours Trade",
    "Z": "Sold (Out Of Sequence)",
}
_QUOTE_CONDITIONS = {"R": "Regular, Two-Sided Open", "C": "Closing Quote", "O": "Opening Quote"}
_OPTION_CONDITIONS = {"I": "Auto", "A": "Automatic"}
_STOCK_EXCHANGES = {
    "K": "Cboe EDGX",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "Nasdaq",
    "V": "IEX",
    "Z": "Cboe BZX",
}
_OPTION_EXCHANGES = {"C": "Cboe Options Exchange", "N": "NYSE American", "P": "NYSE Arca"}
_DEFAULT_TOP = 10


def stock_conditions(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/meta/conditions/{ticktype}."""
    if request.query.get("tape") not in ("A", "B", "C"):
        raise bad_request("invalid tape: expected A, B or C")
    return dict(_TRADE_CONDITIONS if _is_trade(request) else _QUOTE_CONDITIONS)


def stock_exchanges(request: DataRequest) -> Fields:
    """Answer GET /v2/stocks/meta/exchanges."""
    return dict(_STOCK_EXCHANGES)


def option_conditions(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/options/meta/conditions/{ticktype}."""
    _is_trade(request)
    return dict(_OPTION_CONDITIONS)


def option_exchanges(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/options/meta/exchanges."""
    return dict(_OPTION_EXCHANGES)


def movers(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/screener/{market_type}/movers."""
    market = request.path_params["market_type"]
    if market not in ("stocks", "crypto"):
        raise bad_request(f"invalid market type: {market[:40]}")
    top = _parse_top(request, 50)
    ranked = sorted(
        (
            _mover(request, asset)
            for asset in _active(request, EQUITY if market == "stocks" else CRYPTO)
        ),
        key=lambda mover: (-float(mover["percent_change"]), str(mover["symbol"])),
    )
    return {
        "gainers": [mover for mover in ranked[:top] if mover["change"] > 0],
        "losers": [mover for mover in ranked[::-1][:top] if mover["change"] < 0],
        "market_type": market,
        "last_updated": format_rfc3339(request.now),
    }


def most_actives(request: DataRequest) -> Fields:
    """Answer GET /v1beta1/screener/stocks/most-actives."""
    by = parse_word(request.query, "by", ("volume", "trades"))
    key = "volume" if by == "volume" else "trade_count"
    top = _parse_top(request, 100)
    day = local_day(request.now, NEW_YORK)
    rows: list[Fields] = []
    for asset in _active(request, EQUITY):
        history = request.sources.history
        bar = history.day_bar(asset, "sip", day) or history.previous_day_bar(asset, "sip", day)
        if bar is not None:
            counts = {"volume": round(bar.volume), "trade_count": bar.trades}
            rows.append({"symbol": asset.symbol, **counts})
    rows.sort(key=lambda row: (-int(row[key]), str(row["symbol"])))
    return {"most_actives": rows[:top], "last_updated": format_rfc3339(request.now)}


def _active(request: DataRequest, asset_class: str) -> list[Asset]:
    assets = request.sources.exchange.listing.by_symbol.values()
    return [asset for asset in assets if asset.active and asset.asset_class == asset_class]


def _mover(request: DataRequest, asset: Asset) -> Fields:
    prices = request.sources.exchange.price_process
    price, before = float(prices.last[asset.symbol]), float(prices.lastday[asset.symbol])
    return {
        "symbol": asset.symbol,
        "percent_change": round((price / before - 1) * 100, 2),
        "change": round(price - before, 2),
        "price": price,
    }


def _parse_top(request: DataRequest, largest: int) -> int:
    text = request.query.get("top") or str(_DEFAULT_TOP)
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= largest:
        raise bad_request(f"invalid top: must be between 1 and {largest}")
    return int(text)


def _is_trade(request: DataRequest) -> bool:
    kind = request.path_params["ticktype"]
    if kind not in ("trade", "quote"):
        raise bad_request(f"invalid tick type: {kind[:40]}")
    return kind == "trade"
