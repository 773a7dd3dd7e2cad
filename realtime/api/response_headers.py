"""Headers that are put behind those of a route: what the answer depends on beside its address."""

from collections.abc import Sequence

from aiohttp import web

TOKEN_HEADERS = ("Authorization", "Cookie")
"""A shared cache must not give one reader's answer to another (RFC 9110 section 12.5.5)."""


def vary_with(response: web.StreamResponse, names: Sequence[str]) -> None:
    """Add names to `Vary`; what stands in it stays."""
    told = response.headers.get("Vary")
    response.headers["Vary"] = ", ".join([*([told] if told else []), *names])


async def vary_with_token(_: web.Request, response: web.StreamResponse) -> None:
    """For applications that want tokens."""
    vary_with(response, TOKEN_HEADERS)
