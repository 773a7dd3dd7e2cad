"""The keys of whoever issues the tokens, fetched again and again: issuers change theirs.

What was fetched last holds until something better comes: an issuer that is away for an hour locks
nobody out. A token that names a key we do not have makes us ask at once, but not more often than
every `AGAIN_S`: anybody can write such a token.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import aiohttp

from realtime.auth.keys import Key, key_set_of
from realtime.errors import ConfigError
from realtime.telemetry.log import get_logger

log = get_logger()

EVERY_S = 600.0
"""A key that was taken back is believed for so long at the most."""

AGAIN_S = 30.0
"""The shortest time between two fetches, however often somebody asks."""

RETRY_S = 5.0
"""After a fetch that failed while there are no keys at all."""

ANSWER_S = 5.0
"""Limit of a whole answer."""

MAX_BYTES = 1024 * 1024
"""A set of keys is a few kilobytes."""


class JwksRefresher:
    """One address of keys. `take` is given each set that was fetched."""

    def __init__(
        self, url: str, http: aiohttp.ClientSession, take: Callable[[tuple[Key, ...]], None]
    ) -> None:
        self._url = url
        self._http = http
        self._take = take
        self._asked = asyncio.Event()
        self._has_keys = False

    def ask(self) -> None:
        """Somebody named a key that we do not have."""
        self._asked.set()

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            try:
                self._take(key_set_of(await self._fetch()))
                self._has_keys = True
            except (ConfigError, aiohttp.ClientError, TimeoutError, ValueError) as error:
                reason = str(error) or type(error).__name__
                log.warning("auth.keys_unavailable", url=self._url, reason=reason)
            await asyncio.sleep(AGAIN_S if self._has_keys else RETRY_S)
            if self._has_keys:
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_S - AGAIN_S):
                        await self._asked.wait()
            self._asked.clear()

    async def _fetch(self) -> bytes:
        """The document as it came. No redirect is followed: the address was checked, others not."""
        async with (
            asyncio.timeout(ANSWER_S),
            self._http.get(self._url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise ConfigError(f"answered {answer.status}")
            content = await answer.content.read(MAX_BYTES + 1)
            while len(content) <= MAX_BYTES and (more := await answer.content.read(MAX_BYTES)):
                content += more
            if len(content) > MAX_BYTES:
                raise ConfigError(f"is larger than {MAX_BYTES >> 20} MB")
            return content
