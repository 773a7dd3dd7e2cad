"""The token issuer's keys, fetched repeatedly: issuers change theirs.

The last keys stay valid until others arrive: an issuer that is down for an hour locks no client
out. A token with an unknown key id triggers a fetch, at most one every `MIN_INTERVAL_S`: anyone can
write such a token.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import aiohttp

from realtime.auth.keys import Key, parse_jwks
from realtime.errors import ConfigError
from realtime.telemetry.log import get_logger

log = get_logger()

FETCH_INTERVAL_S = 600.0
"""A key that the issuer withdrew is accepted for at most this long."""

MIN_INTERVAL_S = 30.0
"""The shortest time between two fetches, however many unknown keys arrive."""

RETRY_S = 5.0
"""After a failed fetch while there are no keys at all."""

RESPONSE_TIMEOUT_S = 5.0
"""Limit of a whole response."""

MAX_BYTES = 1024 * 1024
"""A key set is a few kilobytes."""


class JwksRefresher:
    """Fetches one key set repeatedly; `on_keys` gets each that was read."""

    def __init__(
        self, url: str, http: aiohttp.ClientSession, on_keys: Callable[[tuple[Key, ...]], None]
    ) -> None:
        self._url = url
        self._http = http
        self._on_keys = on_keys
        self._requested = asyncio.Event()
        self._has_keys = False

    def request_fetch(self) -> None:
        """Fetch soon: a token named an unknown key."""
        self._requested.set()

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            try:
                self._on_keys(parse_jwks(await self._fetch()))
                self._has_keys = True
            except (ConfigError, aiohttp.ClientError, TimeoutError, ValueError) as error:
                reason = str(error) or type(error).__name__
                log.warning("auth.keys_unavailable", url=self._url, reason=reason)
            await asyncio.sleep(MIN_INTERVAL_S if self._has_keys else RETRY_S)
            if self._has_keys:
                with suppress(TimeoutError):
                    async with asyncio.timeout(FETCH_INTERVAL_S - MIN_INTERVAL_S):
                        await self._requested.wait()
            self._requested.clear()

    async def _fetch(self) -> bytes:
        """Return the document. No redirect is followed: only the configured address was checked."""
        async with (
            asyncio.timeout(RESPONSE_TIMEOUT_S),
            self._http.get(self._url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise ConfigError(f"responded with {response.status}")
            content = await response.content.read(MAX_BYTES + 1)
            while len(content) <= MAX_BYTES and (more := await response.content.read(MAX_BYTES)):
                content += more
            if len(content) > MAX_BYTES:
                raise ConfigError(f"is larger than {MAX_BYTES >> 20} MB")
            return content
