"""What a route answers, before it becomes a response of the HTTP library."""

import re
from collections.abc import Mapping

from aiohttp import web
from msgspec import Struct

JSON = "application/json; charset=utf-8"

COMMON_HEADERS = {
    "Server": "realtime",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every answer. `Server` is stated so that the library's does not name its version."""

_STATUS_LINES = {200: "HTTP/1.1 200 OK", 304: "HTTP/1.1 304 Not Modified"}
_COMMON_LINES = "".join(f"\r\n{name}: {value}" for name, value in COMMON_HEADERS.items())

_ENTITY_TAG = re.compile(r'"[^"]*"')


class ApiResponse(Struct, frozen=True, kw_only=True):
    """Status, headers and body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str]


def response(answer: ApiResponse) -> web.Response:
    """The answer as the HTTP library wants it."""
    return web.Response(
        status=answer.status, body=answer.body, headers={**COMMON_HEADERS, **answer.headers}
    )


def written(answer: ApiResponse, date: str, added: bytes = b"") -> bytes:
    """The head of a 200 or 304 on a kept connection, as the HTTP library writes `response(answer)`.

    `added` are header lines that are put behind the others.
    """
    lines = [_STATUS_LINES[answer.status], _COMMON_LINES]
    lines += [f"\r\n{name}: {value}" for name, value in answer.headers.items()]
    if answer.status != 304:  # RFC 9110 section 8.6: it would be the length of another answer
        lines.append(f"\r\nContent-Length: {len(answer.body)}")
    lines.append(f"\r\nDate: {date}\r\n")
    return b"%b%b\r\n" % ("".join(lines).encode(), added)


def is_match(if_none_match: str | None, etag: str) -> bool:
    """Whether the reader holds this version already (RFC 9110 section 13.1.2, weak comparison)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)
