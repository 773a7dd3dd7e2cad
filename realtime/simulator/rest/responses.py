"""HTTP responses in the broker's format, and the HTML pages of the proxies before it."""

from http import HTTPStatus
from math import ceil

import msgspec
from aiohttp import web

from realtime.simulator.rest.rate_limiter import RequestBudget

_encode = msgspec.json.Encoder().encode
# Error bodies have their keys in alphabetical order.
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode

# With that space, as recorded.
_UNAUTHORIZED = b'{"message": "unauthorized."}'


def json_response(body: object, status: int = 200) -> web.Response:
    """JSON response; None sends an empty body."""
    if body is None:
        return web.Response(status=status)
    return _json(_encode(body), status)


def json_error(body: object, status: int) -> web.Response:
    """JSON error with sorted keys."""
    return _json(_encode_sorted(body), status)


def unauthorized(*, html: bool = False) -> web.Response:
    """401 in the broker's JSON, or with `html` as a proxy's page."""
    return html_error(401) if html else _json(_UNAUTHORIZED, 401)


def not_found() -> web.Response:
    """404 for a route that does not exist."""
    return json_error({"message": "Not Found"}, 404)


def too_many_requests() -> web.Response:
    """429 of the trading API."""
    return json_error({"code": 42910000, "message": "rate limit exceeded."}, 429)


def error_response(status: int) -> web.Response:
    """The broker's or its proxy's default response for a status."""
    match status:
        case 401:
            return unauthorized()
        case 404:
            return not_found()
        case 429:
            return too_many_requests()
        case 500:
            return json_error({"code": 50010000, "message": "internal server error"}, 500)
        case _:
            return html_error(status)


def with_budget(response: web.Response, budget: RequestBudget, now_ns: int) -> web.Response:
    """Add the headers of the rate limit to a response, and return it."""
    resets_at = now_ns // 1_000_000_000 + ceil(budget.reset_in_s)
    response.headers["X-RateLimit-Limit"] = str(budget.limit)
    response.headers["X-RateLimit-Remaining"] = str(budget.remaining)
    response.headers["X-RateLimit-Reset"] = str(resets_at)
    return response


def html_error(status: int) -> web.Response:
    """HTML error page of a proxy."""
    title = f"{status} {_phrase(status)}"
    text = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return web.Response(text=text, status=status, content_type="text/html")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _json(body: bytes, status: int) -> web.Response:
    return web.Response(
        body=body, status=status, headers={"Content-Type": "application/json; charset=UTF-8"}
    )
