"""Clock, calendar and assets from what the broker has answered before."""

import asyncio
import gzip
import re
from datetime import UTC, datetime

from realtime.api.alpaca.errors import JSON
from realtime.api.alpaca.freshness import account_headers, budget_headers
from realtime.api.alpaca.market_cache import CachedAssets, MarketCache
from realtime.api.alpaca.requests import AlpacaRequest
from realtime.api.documents.timestamps import format_millis
from realtime.api.responses import ApiResponse, is_match
from realtime.orders.errors import Declined
from realtime.orders.forwarding import ForwardedRequest

MIN_COMPRESSED_BYTES = 64 * 1024
"""A shorter response is not worth the time of a client on this machine."""

COMPRESSION_LEVEL = 1
"""16 MB take 0.1 s in a thread."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?:T[0-9:.Z+ -]*)?")


def get_clock(request: AlpacaRequest) -> ApiResponse | None:
    """Return the market's clock."""
    address = _get_address(request)
    if address is None or request.target.has_parameters:
        return None
    body = request.context.market_cache.get_clock(address)
    return None if body is None else _respond(request, body, request.context.clock())


def keep_clock(request: AlpacaRequest, response: ApiResponse, sent_at: float) -> ApiResponse:
    """Keep the clock that the broker has just answered."""
    address = _get_address(request)
    if address is not None and response.status == 200 and not request.target.has_parameters:
        request.context.market_cache.add_clock(address, response.body, sent_at)
    return response


def get_calendar(request: AlpacaRequest) -> ApiResponse | None:
    """Return trading days; `start` and `end` are dates, or date-times whose date counts."""
    address, query = _get_address(request), request.target.query
    if address is None or not request.target.is_plain or not query.keys() <= {"start", "end"}:
        return None
    if not all(_is_day(text) for text in query.values()):
        return None
    start, end = query.get("start", "")[:10] or "0000-00-00", query.get("end", "")[:10] or "9999"
    body = request.context.market_cache.get_calendar(address, start, end)
    return None if body is None else _respond(request, body, request.context.clock())


def keep_calendar(request: AlpacaRequest, response: ApiResponse, sent_at: float) -> ApiResponse:
    """Keep a whole calendar, the answer to a request without parameters; read it after another."""
    address = _get_address(request)
    if address is None or response.status != 200:
        return response
    if request.target.has_parameters:
        if request.context.market_cache.starts_reading(address):
            work = _read_calendar(request, address)
            request.context.background.start(work, f"calendar:{request.label}")
    else:
        request.context.market_cache.add_calendar(address, response.body)
    return response


async def _read_calendar(request: AlpacaRequest, address: str) -> None:
    whole = ForwardedRequest(method="GET", target="/v2/calendar")
    response = await request.context.trading.forwarder.read(request.label, whole)
    if response.status == 200:
        request.context.market_cache.add_calendar(address, response.body)


def get_asset(request: AlpacaRequest) -> ApiResponse | None:
    """Return one asset, or a list of them, as the broker answered it last. The list of all has
    16 MB: it is sent with gzip to a client that accepts it, and not at all to one that has it."""
    address = _get_address(request)
    if address is None:
        return None
    cached = request.context.market_cache.get_asset(address, request.target.raw)
    if cached is None:
        return None
    response = _respond(request, cached.body, cached.read_at)
    headers = {
        **response.headers,
        "Cache-Control": "no-cache",  # it may be kept, and asked for again by its tag
        "ETag": cached.etag,
        "Vary": "Accept-Encoding",
    }
    if is_match(request.headers.get("If-None-Match"), cached.etag):
        return ApiResponse(status=304, headers=headers)
    if cached.compressed is not None and request.accepts_gzip:
        headers["Content-Encoding"] = "gzip"
        return ApiResponse(body=cached.compressed, headers=headers)
    return ApiResponse(body=cached.body, headers=headers)


def keep_asset(request: AlpacaRequest, response: ApiResponse, sent_at: float) -> ApiResponse:
    """Keep what the broker has just answered about assets."""
    address, cache = _get_address(request), request.context.market_cache
    if address is not None and response.status == 200 and request.method == "GET":
        cached = cache.add_asset(address, request.target.raw, response.body)
        if len(cached.body) >= MIN_COMPRESSED_BYTES:
            work = _compress(cache, address, request.target.raw, cached)
            request.context.background.start(work, f"compress:{request.label}")
    return response


async def _compress(cache: MarketCache, address: str, target: str, cached: CachedAssets) -> None:
    content = await asyncio.to_thread(gzip.compress, cached.body, COMPRESSION_LEVEL, mtime=0)
    cache.add_compressed(address, target, cached, content)


def _is_day(text: str) -> bool:
    if text == "":
        return True
    if _DAY.fullmatch(text) is None:
        return False
    try:
        datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def _get_address(request: AlpacaRequest) -> str | None:
    try:
        return request.context.trading.forwarder.get_address(request.label)
    except Declined:
        return None


def _respond(request: AlpacaRequest, body: bytes, as_of: float) -> ApiResponse:
    return ApiResponse(
        body=body,
        headers={
            "Content-Type": JSON,
            "Cache-Control": "no-store",
            "X-Realtime-Source": "memory",
            "X-Realtime-As-Of": format_millis(as_of),
            **account_headers(request.context, request.label),
            **budget_headers(request.context, request.label),
        },
    )
