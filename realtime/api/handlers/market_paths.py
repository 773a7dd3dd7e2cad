"""Handlers of the broker's own market-data paths: parameters and bodies pass unchanged."""

import re
from urllib.parse import parse_qsl, quote, unquote

from msgspec import Struct

from realtime.api.context import RequestContext
from realtime.api.handlers.market_data import MarketHandler, age_headers, read_data
from realtime.api.handlers.market_problems import MarketProblem, link_problem, refusal_problem
from realtime.api.problems import quote as shorten
from realtime.api.responses import JSON, ApiResponse
from realtime.errors import LinkError
from realtime.market.rest.freshness import Kind
from realtime.market.rest.market_rest import MarketRest
from realtime.market.rest.reader import CacheRules, DataAnswer, DataQuery, is_complete

MAX_PARAMETERS = 100
MAX_QUERY_LENGTH = 8_000
"""The broker's servers accept lines of 8 KB."""

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")


def path_handler(path: str, kind: Kind) -> MarketHandler:
    """Return the handler of a path of the broker: parameters and bodies pass unchanged."""

    async def get_path(request: RequestContext[Struct]) -> ApiResponse:
        parts = {name: _read_part(name, text) for name, text in request.parts.items()}
        query = DataQuery(path.format_map(parts), read_params(request.raw_query), kind)
        answer = await read_data(request, query)
        _check_passes(answer)
        return _make_response(answer, query, request.context.clock())

    return get_path


async def pass_data_path(market: MarketRest, raw_target: str, now: float) -> ApiResponse:
    """Return the broker's response to a path of its market data that is not known here: unchanged,
    and not from the cache. Raises `Problem`."""
    path, _, raw_query = raw_target.partition("?")
    query = DataQuery(path, read_params(raw_query), "latest")
    try:
        answer = await market.reader.get(query, CacheRules(no_cache=True))
    except LinkError as error:
        raise link_problem(error) from None
    _check_passes(answer)
    return _make_response(answer, query, now)


def _check_passes(answer: DataAnswer) -> None:
    """Raise a problem for what is not passed on."""
    if answer.status == 401 or not 200 <= answer.status < 500:
        # The client's own token was right.
        raise refusal_problem(answer)
    if not _is_of_broker(answer):
        raise MarketProblem(
            "market_unreachable",
            f"a response with status {answer.status} that is not the broker's",
            remedy="a proxy or a captive portal answered: check the way to data_url",
        )


def _make_response(answer: DataAnswer, query: DataQuery, now: float) -> ApiResponse:
    headers = {
        "Content-Type": answer.content_type or JSON,
        **age_headers(answer, now),
    }
    if answer.status == 429:
        headers["Retry-After"] = refusal_problem(answer).headers["Retry-After"]
    feeds = [text for name, text in query.params if name == "feed"]
    if len(feeds) == 1 and feeds[0].isalpha() and feeds[0].isascii():
        headers["X-Realtime-Feed"] = feeds[0]
    return ApiResponse(status=answer.status, body=answer.body, headers=headers)


def _is_of_broker(answer: DataAnswer) -> bool:
    """Whether a response has the form of the broker's: a page of a proxy is not passed on."""
    if answer.source == "cache" or is_complete(answer):
        return True
    return answer.status != 200 and answer.content_type.startswith("application/json")


def _read_part(name: str, text: str) -> str:
    """Return a segment of a path, escaped."""
    part = unquote(text)
    if not _PART.fullmatch(part):
        raise MarketProblem("bad_symbol", f"{name}: '{shorten(part)}' is not valid in this path")
    return quote(part, safe="")


def read_params(raw_query: str) -> tuple[tuple[str, str], ...]:
    """Return the parameters of a query as they came. Raises a problem."""
    if len(raw_query) > MAX_QUERY_LENGTH:
        raise MarketProblem(
            "bad_parameter",
            f"more than {MAX_QUERY_LENGTH} characters",
            remedy="request fewer symbols at once",
        )
    try:
        pairs = parse_qsl(raw_query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise MarketProblem("bad_parameter", f"more than {MAX_PARAMETERS} parameters") from None
    return tuple(pairs)
