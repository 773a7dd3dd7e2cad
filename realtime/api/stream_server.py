"""Websockets of market data: which client may use which stream.

Alpaca's own paths authorize inside the socket, and refuse there: an HTTP error at the handshake
stops a Go client permanently (MARKET 0). A token of the daemon takes the place of Alpaca's secret,
or comes in the header `Authorization`; without `[auth]` any key is accepted, and none is used.
`/market/stream` authorizes at the handshake, also by the cookie of a browser.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterable
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.api.problems import Problem
from realtime.api.security.authenticator import Authenticator
from realtime.api.security.middleware import source_of
from realtime.api.security.origins import AllowedNames, check_origin, check_request_names
from realtime.api.security.rejections import RejectionLog
from realtime.api.stream_clients import StreamClients
from realtime.api.stream_connection import StreamConnection
from realtime.auth.principal import LOCAL, Permission
from realtime.market.stream.alpaca_session import AlpacaSession
from realtime.market.stream.channels import PATHS, StreamPath
from realtime.market.stream.flat_session import DEFAULT_STREAMS, FlatSession
from realtime.market.stream.formats import Codec
from realtime.market.stream.market_streams import MarketStreams

FLAT_PATHS = ("/market/stream", "/broker/stream")

AUTH_TIMEOUT_S = 10.0
PERMISSION: Permission = "market_data"
KEY_HEADER, SECRET_HEADER = "APCA-API-KEY-ID", "APCA-API-SECRET-KEY"
_TRUE = frozenset({"1", "true", "yes"})
_MSGPACK = "application/msgpack"


class MarketStreamServer:
    """Serves all stream paths. `wall_clock` gives epoch seconds, for tokens."""

    def __init__(
        self,
        streams: MarketStreams,
        authenticator: Authenticator,
        names: AllowedNames,
        *,
        prefixes: Iterable[str],
        wall_clock: Callable[[], float],
    ) -> None:
        self.connections: StreamClients[StreamConnection] = StreamClients(
            streams.settings.max_clients, wall_clock
        )
        self._streams = streams
        self._authenticator = authenticator
        self._names = names
        self._paths = {prefix + path: path for prefix in prefixes for path in (*PATHS, *FLAT_PATHS)}

    def make_middleware(self, rejections: RejectionLog) -> Middleware:
        """Return the middleware that handles the stream paths, before any route: `/v1beta1/news`
        is a route of REST, too."""

        @web.middleware
        async def stream_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            path = self._paths.get(request.path.rstrip("/"))
            is_websocket = request.headers.get("Upgrade", "").lower() == "websocket"
            is_stream = is_websocket or path != "/v1beta1/news"
            if path is None or request.method != "GET" or not is_stream:
                return await handler(request)
            try:
                if not is_websocket:
                    raise Problem(
                        "upgrade_required",
                        f"{path} is a websocket",
                        headers={"Upgrade": "websocket", "Connection": "Upgrade"},
                    )
                return await self._serve(request, path)
            except Problem as problem:
                rejections.record(problem, source_of(request))
                raise

        return cast(Middleware, stream_middleware)

    async def _serve(self, request: web.Request, path: str) -> web.StreamResponse:
        check_request_names(request, self._names)
        # Browsers send no preflight before a websocket: any page could open one.
        check_origin(request, self._names.origins)
        if path in FLAT_PATHS:
            return await self._serve_flat(request)
        return await self._serve_alpaca(request, PATHS[path])

    def revoke(self) -> None:
        """End every connection that required a token: the rules of tokens have changed."""
        for connection in self.connections:
            if connection.token_id is not None:
                connection.refuse(401)

    def close(self) -> None:
        """End every connection: the daemon stops."""
        for connection in self.connections:
            connection.close()

    # -- Alpaca's protocol -----------------------------------------------------------------------

    async def _serve_alpaca(self, request: web.Request, stream: StreamPath) -> web.StreamResponse:
        content_type = request.headers.get("Content-Type", "")
        is_msgpack = content_type == _MSGPACK or (
            stream.kind == "options" and content_type != "application/json"
        )
        codec: Codec = "msgpack" if is_msgpack else "json"
        connection = StreamConnection(request, codec)
        session = AlpacaSession(
            self._streams.get_hub(stream.path),
            connection,
            codec,
            authorize=lambda key, secret: self._authorize(request, connection, key, secret),
            has_snapshot=_flag(request, "snapshot"),
            is_resumable=_flag(request, "gaps"),
        )
        deadline = asyncio.get_running_loop().time() + AUTH_TIMEOUT_S
        self.connections.add(connection)
        try:
            await connection.prepare()
            session.greet()
            key, secret = _handshake_keys(request)
            if secret and await session.authorize(key, secret) == "close":
                connection.end()
            return await connection.run(
                session,
                session.client.flush,
                deadline=lambda: None if session.is_authorized else deadline,
            )
        except ConnectionError:
            return web.Response()  # gone before the handshake was complete
        finally:
            self.connections.remove(connection)

    def _authorize(
        self, request: web.Request, connection: StreamConnection, key: str, secret: str
    ) -> int | None:
        """Return the code of the refusal, or None."""
        principal = LOCAL
        if self._authenticator.rules.verifier is not None:
            try:
                principal = self._authenticator.verify_token(secret or key)
            except Problem:
                return 402
            if not principal.has_permission(PERMISSION):
                return 411
        return None if self.connections.admit(connection, request, principal) else 406

    # -- the small protocol ----------------------------------------------------------------------

    async def _serve_flat(self, request: web.Request) -> web.StreamResponse:
        principal = self._authenticator.authenticate(request, PERMISSION)
        connection = StreamConnection(request, "flat")
        if not self.connections.admit(connection, request, principal):
            fact = f"{self._streams.settings.max_clients} clients are connected"
            raise Problem("too_many_subscribers", fact, headers={"Retry-After": "30"})
        session = FlatSession(
            self._streams.get_hub_of,
            connection,
            max_subscriptions=self._streams.settings.max_subscriptions,
            has_snapshot=_flag(request, "snapshot"),
        )
        self.connections.add(connection)
        try:
            await connection.prepare()
            await self._streams.wait_probed()
            if symbols := _words(request, "symbols"):
                await session.subscribe(symbols, _words(request, "streams") or DEFAULT_STREAMS)
            return await connection.run(session, session.flush)
        except ConnectionError:
            return web.Response()  # gone before the handshake was complete
        finally:
            session.close()
            self.connections.remove(connection)


def _handshake_keys(request: web.Request) -> tuple[str, str]:
    """Return key and secret of the handshake's headers; empty if there are none."""
    secret = request.headers.get(SECRET_HEADER)
    if secret:
        return request.headers.get(KEY_HEADER, ""), secret
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return "oauth", value.strip()
    if scheme.lower() == "basic":
        try:
            key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return key, secret
    return "", ""


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in _TRUE


def _words(request: web.Request, name: str) -> list[str]:
    return [word for text in request.query.getall(name, []) for word in text.split(",") if word]


STREAM_SERVER = web.AppKey("stream_server", MarketStreamServer)
