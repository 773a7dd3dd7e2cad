"""The market-data API over HTTP: one GET each, with the response as it came, whatever its status.

The key goes to one host only: the address is fixed and redirects are not followed. A response never
contains the key, even if the broker repeats it.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import aiohttp
from msgspec import Struct
from yarl import URL

from realtime.broker import responses
from realtime.broker.codec import authorization_headers
from realtime.broker.http_client import (
    CONNECT_TIMEOUT_S,
    read_body,
    split_proxy,
    translate_errors,
)
from realtime.broker.proxies import find_proxy
from realtime.broker.sanitizer import Sanitizer
from realtime.secret import Credentials

REQUEST_TIMEOUT_S = 20.0
"""Limit of one request. A full page of quotes took up to 3 s in reports of users."""

MAX_BODY_BYTES = 32 * 2**20
"""Security limit, uncompressed. 10 000 quotes are 2 MB; 1000 option snapshots are 0.6 MB."""

Params = Sequence[tuple[str, str]]


class DataResponse(Struct, frozen=True, kw_only=True):
    """A response of the broker, or of a proxy before it."""

    status: int
    body: bytes
    content_type: str
    request_id: str | None
    """The broker's id of the request; its support asks for it."""
    retry_after_s: float | None
    limit: int | None
    """Requests per minute, as the broker states them; None if it does not."""
    remaining: int | None
    resets_in_s: float | None


class DataClient:
    """GET requests with one key; `session` is shared."""

    def __init__(self, session: aiohttp.ClientSession, url: str, credentials: Credentials) -> None:
        self._session = session
        self._base_url = url.rstrip("/")
        self._credentials = credentials
        self._sanitizer = Sanitizer(credentials)
        self._proxy, self._proxy_headers = split_proxy(find_proxy(url))

    async def get(self, path: str, params: Params) -> DataResponse:
        """Read `path` (escaped, from the root). Raises `LinkError` without a complete response."""
        name = f"GET {self._sanitizer.clean_text(path)}"
        with translate_errors(name, self._sanitizer, REQUEST_TIMEOUT_S):
            return await self._get(path, params)

    async def _get(self, path: str, params: Params) -> DataResponse:
        query = urlencode(list(params), safe="/,:")
        url = f"{self._base_url}{path}" + (f"?{query}" if query else "")
        async with self._session.get(
            URL(url, encoded=True),
            headers=authorization_headers(self._credentials),
            allow_redirects=False,
            proxy=self._proxy,
            proxy_headers=self._proxy_headers,
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        ) as response:
            body = await read_body(response.content, MAX_BODY_BYTES)
            return self._make_response(response.status, response.headers, body)

    def _make_response(self, status: int, headers: Mapping[str, str], body: bytes) -> DataResponse:
        request_id = headers.get("X-Request-ID")
        return DataResponse(
            status=status,
            body=self._sanitizer.remove_secrets(body),
            content_type=self._sanitizer.clean_text(headers.get("Content-Type", "")),
            request_id=None if request_id is None else self._sanitizer.clean_text(request_id, 64),
            retry_after_s=responses.retry_after_s(headers) if status == 429 else None,
            limit=responses.parse_integer(headers.get("X-RateLimit-Limit")),
            remaining=responses.parse_integer(headers.get("X-RateLimit-Remaining")),
            resets_in_s=responses.reset_in_s(headers),
        )
