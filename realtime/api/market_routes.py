"""The table of routes for market data: our own, and the broker's paths for unmodified clients.

Entries of the same kind as in `routes.py`. They exist only where `[market]` is configured.
"""

from typing import Any

from msgspec import Struct

from realtime.api.documents import market_paths as paths
from realtime.api.documents.market import (
    BarsPage,
    BarsQuery,
    BatchBody,
    BatchDocument,
    CryptoQuery,
    InvalidateDocument,
    InvalidateQuery,
    MarketStatus,
    OptionQuery,
    StockBarsQuery,
    StockQuery,
    SymbolValue,
)
from realtime.api.handlers.market_data import (
    bars_handler,
    batch_handler,
    get_market_status,
    invalidate,
    latest_handler,
)
from realtime.api.handlers.market_paths import path_handler
from realtime.api.handlers.market_problems import READING
from realtime.api.handlers.marks import (
    AccountMarksDocument,
    MarksDocument,
    MarksQuery,
    get_account_marks,
    get_marks,
)
from realtime.api.parameters import NoQuery
from realtime.api.route import Route
from realtime.market.rest.freshness import Kind
from realtime.market.symbols import AssetClass


def always(_: Struct) -> bool:
    """Every read may cost a request."""
    return True


_BROKERS = dict[str, object]
"""A document of the broker, passed on unread."""


def _symbol_paths(asset_class: AssetClass, name: str) -> tuple[str, ...]:
    paths = (f"/{asset_class}/{{symbol}}/{name}",)
    # A pair has a slash, which clients may or may not escape.
    return (*paths, f"/crypto/{{base}}/{{currency}}/{name}") if asset_class == "crypto" else paths


def _routes_of(
    asset_class: AssetClass, one: str, query: type[Struct], bars: type[Struct]
) -> tuple[Route[Any], ...]:
    """The routes of a class of assets; `one` names one of them."""
    latest = tuple(
        Route(
            access="market_data",
            paths=_symbol_paths(asset_class, field),
            summary=f"The latest {field} of {one}",
            query=query,
            handler=latest_handler(asset_class, field),
            document=_BROKERS if field == "snapshot" else SymbolValue,
            problems=("bad_symbol", "unknown_symbol", *READING),
            reaches_broker=always,
        )
        for field in ("quote", "trade", "snapshot")
    )
    return (
        *latest,
        Route(
            access="market_data",
            paths=_symbol_paths(asset_class, "bars"),
            summary=f"Bars of {one}, a page at a time",
            query=bars,
            handler=bars_handler(asset_class),
            document=BarsPage,
            problems=("bad_symbol", "unknown_symbol", *READING),
            reaches_broker=always,
        ),
        Route(
            access="market_data",
            method="POST",
            paths=(f"/{asset_class}/quotes/batch",),
            summary="The latest quotes of many symbols; a symbol without one does not fail others",
            query=NoQuery,
            body=BatchBody,
            handler=batch_handler(asset_class),
            document=BatchDocument,
            problems=READING,
            reaches_broker=always,
        ),
    )


def _path(path: str, kind: Kind, query: type[Struct], summary: str) -> Route[Any]:
    """A path of the broker."""
    is_picture = "logos" in path
    return Route(
        access="market_data",
        paths=(path,),
        summary=summary,
        query=query,
        handler=path_handler(path, kind),
        document=None if is_picture else _BROKERS,
        media=("image/png", "image/svg+xml") if is_picture else (),
        problems=("bad_symbol", "unknown_symbol", *READING),
        reaches_broker=always,
        passes_query=True,
    )


_STOCKS, _OPTIONS, _CRYPTO = "/v2/stocks", "/v1beta1/options", "/v1beta3/crypto/{loc}"

DATA_PATHS: tuple[Route[Any], ...] = (
    _path(f"{_STOCKS}/bars", "history", paths.StocksBarRange, "Bars of stocks"),
    _path(f"{_STOCKS}/trades", "history", paths.StocksRange, "Trades of stocks"),
    _path(f"{_STOCKS}/quotes", "history", paths.StocksRange, "Quotes of stocks"),
    _path(f"{_STOCKS}/auctions", "history", paths.StocksRange, "Auctions of stocks"),
    _path(f"{_STOCKS}/bars/latest", "latest", paths.StocksLatest, "Latest bars of stocks"),
    _path(f"{_STOCKS}/trades/latest", "latest", paths.StocksLatest, "Latest trades of stocks"),
    _path(f"{_STOCKS}/quotes/latest", "latest", paths.StocksLatest, "Latest quotes of stocks"),
    _path(f"{_STOCKS}/snapshots", "latest", paths.StocksLatest, "Snapshots of stocks"),
    _path(f"{_STOCKS}/meta/exchanges", "reference", paths.AnyPath, "Codes of exchanges"),
    _path(
        f"{_STOCKS}/meta/conditions/{{ticktype}}",
        "reference",
        paths.Conditions,
        "Codes of conditions",
    ),
    _path(f"{_STOCKS}/{{symbol}}/bars", "history", paths.StockBarRange, "Bars of one stock"),
    _path(f"{_STOCKS}/{{symbol}}/trades", "history", paths.StockRange, "Trades of one stock"),
    _path(f"{_STOCKS}/{{symbol}}/quotes", "history", paths.StockRange, "Quotes of one stock"),
    _path(f"{_STOCKS}/{{symbol}}/auctions", "history", paths.StockRange, "Auctions of one stock"),
    _path(f"{_STOCKS}/{{symbol}}/bars/latest", "latest", paths.StockLatest, "Latest bar"),
    _path(f"{_STOCKS}/{{symbol}}/trades/latest", "latest", paths.StockLatest, "Latest trade"),
    _path(f"{_STOCKS}/{{symbol}}/quotes/latest", "latest", paths.StockLatest, "Latest quote"),
    _path(f"{_STOCKS}/{{symbol}}/snapshot", "latest", paths.StockLatest, "Snapshot of one stock"),
    _path(f"{_CRYPTO}/bars", "history", paths.SymbolsBarRange, "Bars of coins"),
    _path(f"{_CRYPTO}/trades", "history", paths.SymbolsRange, "Trades of coins"),
    _path(f"{_CRYPTO}/quotes", "history", paths.SymbolsRange, "Quotes of coins"),
    _path(f"{_CRYPTO}/latest/bars", "latest", paths.CoinsLatest, "Latest bars of coins"),
    _path(f"{_CRYPTO}/latest/trades", "latest", paths.CoinsLatest, "Latest trades of coins"),
    _path(f"{_CRYPTO}/latest/quotes", "latest", paths.CoinsLatest, "Latest quotes of coins"),
    _path(f"{_CRYPTO}/latest/orderbooks", "latest", paths.CoinsLatest, "Order books of coins"),
    _path(f"{_CRYPTO}/snapshots", "latest", paths.CoinsLatest, "Snapshots of coins"),
    *(
        _path(
            f"/v1beta1/crypto-perps/{{loc}}/latest/{name}",
            "latest",
            paths.CoinsLatest,
            f"Latest {name} of perpetual futures",
        )
        for name in ("bars", "quotes", "trades", "orderbooks", "pricing")
    ),
    _path(f"{_OPTIONS}/bars", "history", paths.SymbolsBarRange, "Bars of options"),
    _path(f"{_OPTIONS}/trades", "history", paths.SymbolsRange, "Trades of options"),
    _path(f"{_OPTIONS}/trades/latest", "latest", paths.OptionsLatest, "Latest trades of options"),
    _path(f"{_OPTIONS}/quotes/latest", "latest", paths.OptionsLatest, "Latest quotes of options"),
    _path(f"{_OPTIONS}/snapshots", "latest", paths.OptionSnapshots, "Snapshots of options"),
    _path(
        f"{_OPTIONS}/snapshots/{{underlying_symbol}}", "chain", paths.OptionChain, "Option chain"
    ),
    _path(f"{_OPTIONS}/meta/exchanges", "reference", paths.AnyPath, "Codes of option exchanges"),
    _path(
        f"{_OPTIONS}/meta/conditions/{{ticktype}}",
        "reference",
        paths.AnyPath,
        "Codes of option conditions",
    ),
    _path("/v1beta1/news", "news", paths.News, "News articles"),
    _path("/v1beta1/screener/{market_type}/movers", "screener", paths.Movers, "Movers"),
    _path(
        "/v1beta1/screener/stocks/most-actives", "screener", paths.MostActives, "Most traded stocks"
    ),
    _path(
        "/v1/corporate-actions", "corporate_actions", paths.CorporateActions, "Corporate actions"
    ),
    _path("/v1beta1/forex/latest/rates", "rates", paths.Rates, "Latest exchange rates"),
    _path("/v1beta1/forex/rates", "history", paths.Rates, "Exchange rates"),
    _path("/v1beta1/indices/latest/values", "rates", paths.Rates, "Latest values of indices"),
    _path("/v1beta1/indices/values", "history", paths.Rates, "Values of indices"),
    _path("/v1beta1/fixed_income/latest/prices", "rates", paths.Isins, "Latest prices of bonds"),
    _path(
        "/v1beta1/fixed_income/latest/quotes", "rates", paths.IsinQuotes, "Latest quotes of bonds"
    ),
    _path("/v1beta1/logos/{symbol}", "reference", paths.Logo, "The logo of a company"),
)
"""The broker's own paths. Source: its OpenAPI document of the market-data API."""

MARKET_ROUTES: tuple[Route[Any], ...] = (
    *_routes_of("stocks", "a stock", StockQuery, StockBarsQuery),
    *_routes_of("options", "an option", OptionQuery, BarsQuery),
    *_routes_of("crypto", "a coin", CryptoQuery, BarsQuery),
    Route(
        access="market_data",
        paths=("/market/status",),
        summary="The state of market data: feed, budget, cache",
        query=NoQuery,
        handler=get_market_status,
        document=MarketStatus,
    ),
    Route(
        paths=("/market/marks",),
        summary="Accounts marked to market: totals by tier and book, and how far marks were off",
        query=MarksQuery,
        handler=get_marks,
        document=MarksDocument,
        problems=("marks_off",),
    ),
    Route(
        paths=("/market/marks/{account_id}",),
        summary="One account marked to market: the price of each position, its source and its age",
        query=NoQuery,
        handler=get_account_marks,
        document=AccountMarksDocument,
        problems=("marks_off", "unknown_account"),
    ),
    Route(
        access="market_data",
        method="POST",
        paths=("/market/cache/invalidate",),
        summary="Remove cached responses whose path begins with `prefix`",
        query=InvalidateQuery,
        handler=invalidate,
        document=InvalidateDocument,
        reaches_broker=always,
    ),
    *DATA_PATHS,
)
