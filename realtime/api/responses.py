"""What a handler returns, before it becomes a response of the HTTP library."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct, structs

from realtime.api.documents.csv_format import format_csv

JSON = "application/json; charset=utf-8"
CSV = "text/csv; charset=utf-8"

COMMON_HEADERS = {
    "Server": "realtime",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every response. `Server` is set so that the library does not add its own name and version."""

TOKEN_HEADERS = ("Authorization", "Cookie")
"""A shared cache must not give one client's response to another (RFC 9110 section 12.5.5)."""

_STATUS_LINES = {200: "HTTP/1.1 200 OK", 304: "HTTP/1.1 304 Not Modified"}
_COMMON_LINES = "".join(f"\r\n{name}: {value}" for name, value in COMMON_HEADERS.items())

_ENTITY_TAG = re.compile(r'"[^"]*"')

_decode = msgspec.json.Decoder().decode


class ApiResponse(Struct, frozen=True, kw_only=True):
    """Status, headers and body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str]


class StaticPages(Struct, frozen=True, kw_only=True):
    """Pages for browsers. `web` imports `api`, so `runtime` passes them in."""

    home: Callable[[str | None, str | None], ApiResponse]
    """The page at `/`, by the request's `If-None-Match` and `Accept-Encoding`."""
    explorer: Callable[[str | None, str | None], ApiResponse]
    """The page at `/docs`."""
    add_files: Callable[[web.Application, Iterable[str]], None]
    """Adds the routes of the pages' own files, under each prefix."""


def make_response(response: ApiResponse) -> web.Response:
    """The same as a response of the HTTP library."""
    return web.Response(
        status=response.status, body=response.body, headers={**COMMON_HEADERS, **response.headers}
    )


def encode_response(response: ApiResponse, date: str, added: bytes = b"") -> bytes:
    """The head of a 200 or 304 on a connection that stays open, exactly as the HTTP library writes
    `make_response(response)`. `added` are header lines that come after the others.
    """
    lines = [_STATUS_LINES[response.status], _COMMON_LINES]
    lines += [f"\r\n{name}: {value}" for name, value in response.headers.items()]
    if response.status != 304:  # RFC 9110 section 8.6: it would be the length of another response
        lines.append(f"\r\nContent-Length: {len(response.body)}")
    lines.append(f"\r\nDate: {date}\r\n")
    return b"%b%b\r\n" % ("".join(lines).encode(), added)


def is_match(if_none_match: str | None, etag: str) -> bool:
    """Whether the client holds this version (RFC 9110 section 13.1.2, weak comparison)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether `Accept-Encoding` allows gzip, by name or by `*` (RFC 9110 section 12.5.3)."""
    weights: dict[str, float] = {}
    for item in (accept_encoding or "").lower().split(","):
        coding, _, parameter = (part.strip() for part in item.partition(";"))
        weights[coding] = _weight(parameter)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def csv_response(
    response: ApiResponse, columns: Sequence[str], name: str, member: str | None = None
) -> ApiResponse:
    """The rows of a JSON response as CSV; a 304 stays one. `member` is the document's list."""
    if response.status != 200:
        return response
    document: Any = _decode(response.body)  # our own encoding
    rows = document if member is None else document[member]
    headers = {**response.headers, **csv_headers(name)}
    return structs.replace(response, body=format_csv(rows, columns), headers=headers)


def csv_headers(name: str) -> dict[str, str]:
    """The headers of a CSV response; a browser saves it under the name."""
    return {"Content-Type": CSV, "Content-Disposition": f'attachment; filename="{name}.csv"'}


def add_vary(response: web.StreamResponse, names: Sequence[str]) -> None:
    """Add names to the `Vary` header and keep those that are in it."""
    existing = response.headers.get("Vary")
    response.headers["Vary"] = ", ".join([*([existing] if existing else []), *names])


async def add_token_vary(_: web.Request, response: web.StreamResponse) -> None:
    """For applications that require tokens."""
    add_vary(response, TOKEN_HEADERS)
