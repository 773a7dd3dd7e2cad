"""The route that has the files read again, and what a change of the tokens' keys ends."""

from collections.abc import Awaitable, Callable, Iterable

import msgspec
from aiohttp import web

from realtime.api.events.broadcaster import Broadcaster
from realtime.api.fastpath.runner import RESPONSE_CACHE
from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse, make_response
from realtime.api.security.authenticator import Access
from realtime.api.stream_server import STREAM_SERVER
from realtime.config.settings_diff import SettingsDiff
from realtime.errors import ConfigError

PATH = "/admin/reload"

BROADCAST = web.AppKey("broadcast", Broadcaster)
ON_REVOKE = web.AppKey("on_revoke", list[Callable[[], None]])
"""What ends connections that a token or a key authorized, when the rules have changed."""
"""Where an application keeps who is pushed to."""

Reload = Callable[[], Awaitable[SettingsDiff]]
"""Raises ConfigError, and then nothing has changed."""

_encode = msgspec.json.Encoder().encode


def add_reload(app: web.Application, reload: Reload, prefixes: Iterable[str]) -> None:
    """Give the application the route; `admin` is its permission."""

    async def endpoint(_: web.Request) -> web.StreamResponse:
        try:
            changes = await reload()
        except ConfigError as error:
            raise Problem("config_refused", error.message, remedy=error.remedy or None) from None
        return make_response(
            ApiResponse(
                body=_encode(changes), headers={"Content-Type": JSON, "Cache-Control": "no-store"}
            )
        )

    for prefix in prefixes:
        app.router.add_post(prefix + PATH, endpoint)


def reload_access(prefixes: Iterable[str]) -> dict[str, Access]:
    """Path as the router names it → what it wants."""
    return {prefix + PATH: "admin" for prefix in prefixes}


def revoke(app: web.Application) -> None:
    """Believe nothing that was believed before: each token is looked at again."""
    app[RESPONSE_CACHE].clear()
    app[BROADCAST].revoke()
    for end_connections in app.get(ON_REVOKE, ()):
        end_connections()
    if (stream_server := app.get(STREAM_SERVER)) is not None:
        stream_server.revoke()
