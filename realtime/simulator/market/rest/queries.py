"""Query parameters and pages of the market-data API.

`limit` counts points over all symbols, ordered by symbol, then time. Only the token shows whether
more follow. A token is base64 of symbol, time, items of that time already sent, and page number.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from realtime.simulator.exchange.errors import ApiError
from realtime.simulator.exchange.query_params import parse_list
from realtime.simulator.exchange.timestamps import DAY, MINUTE, NEW_YORK, parse_rfc3339
from realtime.simulator.market.elements import Fields, to_rest
from realtime.simulator.market.settings import MarketDataSettings
from realtime.simulator.market.timeframes import Timeframe, day_start, local_day, parse_timeframe

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 1_000
# Without the paid plan, SIP data younger than this is refused.
SIP_DELAY_NS = 15 * MINUTE
MAX_SYMBOLS = 10_000

_SYMBOL = re.compile(r"[A-Z0-9]{1,8}([./][A-Z0-9]{1,5})?|[A-Z.]{1,6}\d{6}[CP]\d{8}")

Span = tuple[int, int]
# (symbol, span) → items in time order
Series = Callable[[str, Span], Iterable[Fields]]


class Range(NamedTuple):
    """What a history request asks for."""

    symbols: list[str]
    span: Span
    limit: int
    is_descending: bool
    token: str


class _Cursor(NamedTuple):
    symbol: str
    at: int
    sent: int  # items of this symbol and time on earlier pages
    page: int


def bad_request(message: str) -> ApiError:
    """Return the 400 of the market-data API."""
    return ApiError(400, {"message": message})


def parse_symbols(query: Mapping[str, str], name: str = "symbols") -> list[str]:
    """Return the requested symbols without duplicates; raises ApiError."""
    words = parse_list(query, name)
    if not words:
        raise bad_request(f"{name} is required")
    for word in words[:MAX_SYMBOLS]:
        check_symbol(word)
    return list(dict.fromkeys(words[:MAX_SYMBOLS]))


def check_symbol(symbol: str) -> str:
    """Return a well-formed symbol, known or not; raises ApiError."""
    if not _SYMBOL.fullmatch(symbol):
        raise bad_request(f"invalid symbol: {symbol[:40]}")
    return symbol


def is_symbol(text: object) -> bool:
    """Return whether a value is a well-formed symbol."""
    return isinstance(text, str) and _SYMBOL.fullmatch(text) is not None


def parse_limit(
    query: Mapping[str, str], default: int = DEFAULT_LIMIT, largest: int = MAX_LIMIT
) -> int:
    """Return the limit; raises ApiError."""
    text = query.get("limit", "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < 1:
        raise bad_request(f"invalid limit: {text[:40]}")
    if int(text) > largest:
        raise bad_request(f"invalid limit: larger than the allowed maximum of {largest}")
    return int(text)


def parse_time(query: Mapping[str, str], name: str) -> int | None:
    """Return epoch nanoseconds of a date or an RFC 3339 time; None when absent."""
    text = query.get(name, "")
    if not text:
        return None
    at = parse_rfc3339(text)
    if at is None:
        raise bad_request(f"invalid {name}: {text[:40]}")
    if len(text) == 10:  # a bare date is midnight in New York
        at = day_start(local_day(at + DAY // 2, NEW_YORK))
        at += DAY - 1 if name == "end" else 0
    return at


def parse_word(query: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """Return one of the words; the first is the default."""
    text = query.get(name, "") or words[0]
    if text.lower() not in words:
        raise bad_request(f"invalid {name}: {text[:40]}")
    return text.lower()


def parse_bar_width(query: Mapping[str, str]) -> Timeframe:
    """Return the required timeframe; raises ApiError."""
    timeframe = parse_timeframe(query.get("timeframe", ""))
    if timeframe is None:
        raise bad_request(f"invalid timeframe: {query.get('timeframe', '')[:40]}")
    return timeframe


def parse_range(query: Mapping[str, str], symbols: list[str], now: int, *, delay: int = 0) -> Range:
    """Return a history request; `delay` is how much younger data the plan refuses by default."""
    start, end = parse_time(query, "start"), parse_time(query, "end")
    default_end = now - delay
    today = day_start(local_day(now, NEW_YORK))
    if start is None:
        start = min(today, now - delay)
    end = default_end if end is None else end
    if start > end:
        raise bad_request("end should not be before start")
    return Range(
        symbols,
        (start, end),
        parse_limit(query),
        parse_word(query, "sort", ("asc", "desc")) == "desc",
        query.get("page_token", ""),
    )


def make_page(
    name: str,
    request: Range,
    series: Series,
    settings: MarketDataSettings,
    *,
    by_day: bool = True,
    show: Callable[[Fields], Fields] = to_rest,
) -> Fields:
    """Return one page of a history request: items by symbol under `name`, and the next token."""
    pages, token = _collect(request, series, settings, by_day=by_day)
    shown = {symbol: [show(item) for item in items] for symbol, items in pages.items()}
    return {name: shown, "next_page_token": token}


def _collect(
    request: Range, series: Series, settings: MarketDataSettings, *, by_day: bool
) -> tuple[dict[str, list[Fields]], str | None]:
    """Return one page as symbol → items, and the token of the next page."""
    cursor = _decode(request.token) if request.token else _Cursor("", 0, 0, 1)
    if settings.failing_page == cursor.page:
        raise ApiError(500, {"message": "internal server error"})
    limit = min(request.limit, settings.page_size or request.limit)
    result: dict[str, list[Fields]] = {}
    count = 0
    for symbol in sorted(request.symbols):
        if symbol < cursor.symbol:
            continue
        is_cursor = bool(request.token) and symbol == cursor.symbol
        span = _remaining(request, cursor) if is_cursor else request.span
        skip = cursor.sent if is_cursor else 0
        at = same = 0
        for item in _in_order(request, symbol, span, series, by_day=by_day):
            same = same + 1 if item["t"] == at else 1
            at = item["t"]
            if skip:
                skip -= 1
                continue
            if count == limit:
                token = _encode(_Cursor(symbol, at, same - 1, cursor.page + 1))
                repeats = settings.repeat_page_token and request.token
                return result, request.token if repeats else token
            result.setdefault(symbol, []).append(item)
            count += 1
    return result, None


def _remaining(request: Range, cursor: _Cursor) -> Span:
    start, end = request.span
    return (start, min(cursor.at, end)) if request.is_descending else (max(cursor.at, start), end)


def _in_order(
    request: Range, symbol: str, span: Span, series: Series, *, by_day: bool
) -> Iterator[Fields]:
    if not request.is_descending:
        yield from series(symbol, span)
        return
    if not by_day:
        yield from reversed(list(series(symbol, span)))
        return
    # Day by day from the end, so that one page of a long range does not build all of it.
    start, end = span
    while end >= start:
        begin = max(day_start(local_day(end, NEW_YORK)), start)
        yield from reversed(list(series(symbol, (begin, end))))
        end = begin - 1


def _encode(cursor: _Cursor) -> str:
    return urlsafe_b64encode("|".join(map(str, cursor)).encode()).decode()


def _decode(token: str) -> _Cursor:
    try:
        symbol, at, sent, page = urlsafe_b64decode(token).decode().split("|")
        return _Cursor(symbol, int(at), int(sent), int(page))
    except ValueError as error:
        raise bad_request(f"invalid page_token: {token[:40]}") from error
