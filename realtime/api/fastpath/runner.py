"""aiohttp's runner, with connections of our own class.

It depends on `Server.__call__`, where aiohttp creates connections, and on
`AppRunner._make_server`. The tests of malformed requests fail if these change.
"""

from collections.abc import Callable

from aiohttp import web

from realtime.api.fastpath.connection import Connection
from realtime.api.fastpath.fast_connection import FastConnection, find_missing_internals
from realtime.api.fastpath.response_cache import ResponseCache
from realtime.api.security.client_limits import ConnectionLimiter
from realtime.telemetry.log import get_logger
from realtime.telemetry.request_stats import STARTED_AT, RequestStats

log = get_logger()

RESPONSE_CACHE = web.AppKey("response_cache", ResponseCache)
CONNECTION_LIMITER = web.AppKey("connection_limiter", ConnectionLimiter)
REQUEST_STATS = web.AppKey("request_stats", RequestStats)


class Server(web.Server):
    """Creates connections; with a response cache, those of the fast path."""

    response_cache: ResponseCache | None = None
    connection_limiter: ConnectionLimiter | None = None
    requests: RequestStats | None = None

    def __call__(self) -> web.RequestHandler:
        """Create the connection of a socket that was accepted."""
        if self.response_cache is not None:
            return FastConnection(self.response_cache, self, loop=self._loop, **self._kwargs)
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application; without the fast path if aiohttp lacks what that depends on."""

    async def _make_server(self) -> web.Server:
        original = await super()._make_server()
        server = Server(
            original.request_handler,
            request_factory=self._stamp_start(original.request_factory),
            loop=original._loop,
            **original._kwargs,
        )
        server.requests = self.app.get(REQUEST_STATS)
        if missing := find_missing_internals(server):
            log.error("server.fast_path_disabled", missing=missing)
        else:
            server.response_cache = self.app.get(RESPONSE_CACHE)
        if (connection_limiter := self.app.get(CONNECTION_LIMITER)) is not None:
            server.connection_limiter = connection_limiter
            connection_limiter.connections = lambda: [
                connection
                for connection in server.connections
                if isinstance(connection, Connection)
            ]
        return server

    def _stamp_start(self, make: Callable[..., web.BaseRequest]) -> Callable[..., web.BaseRequest]:
        """Return a factory whose requests know when they started."""
        requests = self.app.get(REQUEST_STATS)
        if requests is None:
            return make
        timer = requests.timer

        def make_stamped(*message: object) -> web.BaseRequest:
            request = make(*message)
            request[STARTED_AT] = timer()
            return request

        return make_stamped
