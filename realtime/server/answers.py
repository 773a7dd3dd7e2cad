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
}
"""On every answer. `Server` is stated so that the library's does not name its version."""

_ENTITY_TAG = re.compile(r'"[^"]*"')


class Answer(Struct, frozen=True, kw_only=True):
    """Status, headers and body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str]


def response(answer: Answer) -> web.Response:
    """The answer as the HTTP library wants it."""
    return web.Response(
        status=answer.status, body=answer.body, headers={**COMMON_HEADERS, **answer.headers}
    )


def is_match(if_none_match: str | None, etag: str) -> bool:
    """Whether the reader holds this version already (RFC 9110 section 13.1.2, weak comparison)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)
