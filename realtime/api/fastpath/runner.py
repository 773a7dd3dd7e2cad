"""aiohttp's runner with connections of our kind.

This leans on `Server.__call__` as the place where connections are made, and on
`AppRunner._make_server`; the tests of malformed requests fail if these move.
"""

from collections.abc import Callable

from aiohttp import web

from realtime.api.fastpath.connection import Connection
from realtime.api.fastpath.fast_connection import FastConnection, missing
from realtime.api.fastpath.response_cache import ResponseCache
from realtime.api.security.client_limits import ConnectionLimiter
from realtime.telemetry.log import get_logger
from realtime.telemetry.request_stats import BEGAN, RequestStats

log = get_logger()

PLANS = web.AppKey("plans", ResponseCache)
"""Where an application keeps what its connections share."""

CROWD = web.AppKey("connection_limiter", ConnectionLimiter)
"""Where it keeps who is connected."""

REQUESTS = web.AppKey("requests", RequestStats)
"""Where it keeps how requests went."""


class Connections(web.Server):
    """Makes connections: with a shortcut if there are plans."""

    plans: ResponseCache | None = None
    connection_limiter: ConnectionLimiter | None = None
    requests: RequestStats | None = None

    def __call__(self) -> web.RequestHandler:
        """A connection for a socket that was accepted."""
        if self.plans is not None:
            return FastConnection(self.plans, self, loop=self._loop, **self._kwargs)
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application; without the shortcut if aiohttp is not as that expects it."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = Connections(
            made.request_handler,
            request_factory=self._begun(made.request_factory),
            loop=made._loop,
            **made._kwargs,
        )
        server.requests = self.app.get(REQUESTS)
        if unmet := missing(server):
            log.error("server.shortcut_disabled", missing=unmet)
        else:
            server.plans = self.app.get(PLANS)
        if (connection_limiter := self.app.get(CROWD)) is not None:
            server.connection_limiter = connection_limiter
            connection_limiter.everybody = lambda: [
                c for c in server.connections if isinstance(c, Connection)
            ]
        return server

    def _begun(self, make: Callable[..., web.BaseRequest]) -> Callable[..., web.BaseRequest]:
        """Makes requests that know when they began."""
        requests = self.app.get(REQUESTS)
        if requests is None:
            return make
        timer = requests.timer

        def begun(*message: object) -> web.BaseRequest:
            request = make(*message)
            request[BEGAN] = timer()
            return request

        return begun
