"""Handlers of market data: the latest values of symbols, bars, the cache.

Bodies are the broker's bytes. Freshness is in headers: `Age` and `X-Realtime-As-Of` count from when
the request was sent, `X-Realtime-Source` is `rest`, `cache` or `stream`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct

from realtime.api.context import RequestContext
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.market import (
    BarsQuery,
    BatchBody,
    BatchDocument,
    InvalidateDocument,
    InvalidateQuery,
    MarketStatus,
    SymbolProblem,
)
from realtime.api.documents.timestamps import format_millis
from realtime.api.handlers.market_problems import MarketProblem, link_problem, refusal_problem
from realtime.api.parameters import NoQuery
from realtime.api.problems import quote as shorten
from realtime.api.responses import JSON, ApiResponse
from realtime.errors import LinkError
from realtime.market.rest.bars import find_start
from realtime.market.rest.latest_values import (
    Failure,
    Field,
    LatestQuery,
    LatestValue,
    UnknownSymbol,
    make_single_body,
)
from realtime.market.rest.reader import CacheRules, DataAnswer, DataQuery
from realtime.market.stream.status import get_streams_status
from realtime.market.symbols import FORMS, ROOTS, AssetClass, normalize_symbol

MarketHandler = Callable[[RequestContext[Struct]], Awaitable[ApiResponse]]

MAX_STALE_S = 86_400.0
"""`max-stale` without a number, and the largest one."""

NO_STORE = "no-store"
_OPTIONAL = ("start", "end", "sort", "page_token", "asof", "feed", "currency")

_DIRECTIVE = re.compile(r"(?:^|,)(no-cache|max-age|max-stale)(?:=(\d{1,9}))?(?=,|$)")


def latest_handler(asset_class: AssetClass, field: Field) -> MarketHandler:
    """Return the handler of the latest value of one symbol."""

    async def get_latest(request: RequestContext[Struct]) -> ApiResponse:
        symbol = _read_symbol(asset_class, request.parts)
        feed = getattr(request.query, "feed", None)
        currency = getattr(request.query, "currency", None)
        query = LatestQuery(
            asset_class,
            field,
            feed or await request.market.get_default_feed(asset_class),
            currency,
        )
        rules = read_cache_rules(request.cache_control)
        (result,) = (await request.market.latest.read(query, [symbol], rules)).values()
        if not isinstance(result, LatestValue):
            raise _failure_problem(result, symbol, field)
        body = make_single_body(field, symbol, result.raw)
        return ApiResponse(
            body=body,
            headers={
                "Content-Type": JSON,
                **age_headers(result, request.context.clock()),
                **({"X-Realtime-Feed": query.feed} if query.feed else {}),
            },
        )

    return get_latest


def batch_handler(asset_class: AssetClass) -> MarketHandler:
    """Return the handler of the latest quotes of many symbols."""

    async def get_quotes(request: RequestContext[Struct]) -> ApiResponse:
        body = _read_batch(request.body)
        symbols = {text: normalize_symbol(asset_class, text) for text in body.symbols}
        feed = body.feed or await request.market.get_default_feed(asset_class)
        query = LatestQuery(asset_class, "quote", feed, body.currency)
        names = [name for name in symbols.values() if name is not None]
        rules = read_cache_rules(request.cache_control)
        results = await request.market.latest.read(query, names, rules) if names else {}
        values = {name: v for name, v in results.items() if isinstance(v, LatestValue)}
        problems = {
            text: _bad_symbol(asset_class, text) for text, name in symbols.items() if name is None
        }
        for name, result in results.items():
            if not isinstance(result, LatestValue):
                problems[name] = _failure_problem(result, name, "quote")
        _raise_common_problem(values, problems)
        oldest = min(values.values(), key=lambda value: value.as_of, default=None)
        document = BatchDocument(
            quotes={name: msgspec.Raw(value.raw) for name, value in values.items()},
            errors={
                text: SymbolProblem(code=problem.code, detail=problem.detail)
                for text, problem in problems.items()
            },
            feed=feed,
            as_of=None if oldest is None else format_millis(oldest.as_of),
            stale=tuple(name for name, value in values.items() if value.is_stale),
        )
        freshness = (
            {"Cache-Control": NO_STORE}
            if oldest is None
            else age_headers(oldest, request.context.clock())
        )
        headers = {"Content-Type": JSON, **freshness}
        return ApiResponse(body=ENCODER.encode(document), headers=headers)

    return get_quotes


def bars_handler(asset_class: AssetClass) -> MarketHandler:
    """Return the handler of the bars of one symbol: a page from `start` on, or the newest ones."""

    async def get_bars(request: RequestContext[Struct]) -> ApiResponse:
        symbol, query = _read_symbol(asset_class, request.parts), request.query
        assert isinstance(query, BarsQuery), "the table has the query of this handler"
        params = {"timeframe": query.timeframe, "limit": str(query.limit)}
        params |= {
            name: value
            for name in (*_OPTIONAL, "adjustment")
            if (value := getattr(query, name, None)) is not None
        }
        is_newest = not params.keys() & {"start", "sort", "page_token"}
        if is_newest:
            now = request.context.clock()
            params["start"] = find_start(asset_class, query.timeframe, query.limit, now)
            params["sort"] = "desc"
        path = f"{ROOTS[asset_class]}/{quote(symbol, safe='')}/bars"
        if asset_class != "stocks":  # the broker has no route for one symbol
            path, params = f"{ROOTS[asset_class]}/bars", {"symbols": symbol, **params}
        answer = await read_data(request, DataQuery(path, tuple(params.items()), "history"))
        if answer.status != 200:
            raise refusal_problem(answer)
        body = answer.body
        if is_newest or asset_class != "stocks":
            body = _single_page(symbol, body, is_newest=is_newest)
        return ApiResponse(
            body=body,
            headers={"Content-Type": JSON, **age_headers(answer, request.context.clock())},
        )

    return get_bars


async def invalidate(request: RequestContext[InvalidateQuery]) -> ApiResponse:
    """Remove cached responses by the beginning of their path."""
    prefix = request.query.prefix
    removed = await request.market.reader.invalidate(prefix)
    document = InvalidateDocument(prefix=prefix, removed=removed)
    return ApiResponse(
        body=ENCODER.encode(document), headers={"Content-Type": JSON, "Cache-Control": NO_STORE}
    )


def get_market_status(request: RequestContext[NoQuery]) -> ApiResponse:
    """The state of market data."""
    market = request.market
    streams = request.context.market_streams
    document = MarketStatus(
        account=market.account,
        rest=market.get_status(),
        streams=None if streams is None else get_streams_status(streams, format_millis),
    )
    return ApiResponse(
        body=ENCODER.encode(document), headers={"Content-Type": JSON, "Cache-Control": NO_STORE}
    )


def read_cache_rules(cache_control: str | None) -> CacheRules:
    """Read the request header `Cache-Control` (RFC 9111 section 5.2.1)."""
    if cache_control is None:
        return CacheRules()
    text = cache_control.replace(" ", "").lower()
    directives = {match[1]: match[2] for match in _DIRECTIVE.finditer(text)}
    max_age, max_stale = directives.get("max-age"), None
    if "max-stale" in directives:
        max_stale = min(float(directives["max-stale"] or MAX_STALE_S), MAX_STALE_S)
    return CacheRules(
        no_cache="no-cache" in directives,
        max_age_s=None if max_age is None else float(max_age),
        max_stale_s=max_stale,
    )


async def read_data(request: RequestContext[Struct], query: DataQuery) -> DataAnswer:
    """Return the response to a query, by the client's rules for the cache. Raises a problem."""
    try:
        return await request.market.reader.get(query, read_cache_rules(request.cache_control))
    except LinkError as error:
        raise link_problem(error) from None


def age_headers(value: DataAnswer | LatestValue, now: float) -> Mapping[str, str]:
    """Return where a value is from and how old it is."""
    headers = {
        "Cache-Control": NO_STORE,
        "Age": str(max(0, int(now - value.as_of))),
        "X-Realtime-As-Of": format_millis(value.as_of),
        "X-Realtime-Source": value.source,
    }
    if value.is_stale:
        headers["X-Realtime-Stale"] = "true"
    if isinstance(value, DataAnswer) and value.request_id is not None:
        headers["X-Broker-Request-Id"] = value.request_id
    return headers


def _read_symbol(asset_class: AssetClass, parts: Mapping[str, str]) -> str:
    """Return the symbol of a path. A coin's pair may be two segments."""
    text = unquote("/".join(parts.values()))
    symbol = normalize_symbol(asset_class, text)
    if symbol is None:
        raise _bad_symbol(asset_class, text)
    return symbol


def _bad_symbol(asset_class: AssetClass, text: str) -> MarketProblem:
    return MarketProblem(
        "bad_symbol",
        f"'{shorten(text)}' is not a symbol of {asset_class}",
        remedy=f"expected {FORMS[asset_class]}",
    )


def _read_batch(body: bytes) -> BatchBody:
    try:
        return msgspec.json.decode(body, type=BatchBody)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MarketProblem(
            "bad_parameter", shorten(str(error)), remedy='send {"symbols": ["AAPL", "MSFT"]}'
        ) from None


def _failure_problem(failure: Failure, symbol: str, field: Field) -> MarketProblem:
    match failure:
        case UnknownSymbol():
            return MarketProblem("unknown_symbol", f"the broker has no {field} of {symbol}")
        case DataAnswer():
            return refusal_problem(failure)
        case _:
            return link_problem(failure)


def _raise_common_problem(
    values: Mapping[str, LatestValue], problems: Mapping[str, MarketProblem]
) -> None:
    """Raise the problem of a batch if there is no value, and all symbols have the same problem with
    the broker: then it is the batch's, and a status that clients act upon."""
    codes = {problem.code for problem in problems.values()}
    if not values and len(codes) == 1 and not codes & {"bad_symbol", "unknown_symbol"}:
        raise next(iter(problems.values()))


def _single_page(symbol: str, body: bytes, *, is_newest: bool) -> bytes:
    """Return a page of one symbol as the broker's route for stocks has it; its bars keep their
    bytes. The newest bars arrive in reverse order, and have no following page."""
    try:
        page = msgspec.json.decode(body, type=_Page)
    except msgspec.DecodeError:
        raise MarketProblem("market_unreachable", "the broker's page has another form") from None
    bars = page.bars.get(symbol, []) if isinstance(page.bars, dict) else page.bars
    if is_newest:
        bars.reverse()
    return msgspec.json.encode(
        {
            "symbol": symbol,
            "bars": bars,
            "next_page_token": None if is_newest else page.next_page_token,
        }
    )


class _Page(Struct):
    bars: list[msgspec.Raw] | dict[str, list[msgspec.Raw]] = []
    next_page_token: str | None = None
