"""An application with streams of market data, on a real socket, and the simulator behind it."""

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect

from realtime.api.listener import serve
from realtime.api.security.authenticator import AccessRules
from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRules
from realtime.auth.verifier import Verifier
from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.data_client import DataClient
from realtime.broker.http_client import open_session
from realtime.config.settings import MarketTls
from realtime.market.rest.cache import MemoryCache
from realtime.market.rest.reader import RestReader
from realtime.market.rest.request_budget import RequestBudget
from realtime.market.stream.market_streams import (
    MarketStreams,
    StreamSettings,
    run_market_streams,
)
from realtime.market.stream.upstream import UpstreamTarget
from realtime.simulator.app import Simulator
from realtime.store.store import Store
from tests.api.reader import Clock, application
from tests.auth.made import SECRET
from tests.market.stream.scene import KEYS

LIMIT_S = 30.0

Message = dict[str, Any]


class StreamServer(Struct, frozen=True):
    """What a test works with."""

    port: int
    simulator: Simulator
    streams: MarketStreams
    app: web.Application
    verifier: Verifier | None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self.port}"


class User:
    """A client with a real websocket."""

    def __init__(self, socket: ClientConnection, *, is_msgpack: bool) -> None:
        self.socket = socket
        self._is_msgpack = is_msgpack

    async def send(self, message: object) -> None:
        """Send a message."""
        encoded = msgspec.msgpack.encode(message) if self._is_msgpack else json.dumps(message)
        await self.socket.send(encoded)

    async def frame(self) -> Any:
        """Return the next frame, decoded."""
        async with asyncio.timeout(LIMIT_S):
            raw = await self.socket.recv()
        assert isinstance(raw, bytes if self._is_msgpack else str)
        return msgspec.msgpack.decode(raw) if isinstance(raw, bytes) else json.loads(raw)

    async def control(self) -> Message:
        """Return a control message, which must be alone in its frame."""
        (message,) = await self.frame()
        found: Message = message
        return found

    async def authorize(self, secret: str = "any") -> Message:
        """Authorize with a message."""
        await self.send({"action": "auth", "key": "key", "secret": secret})
        return await self.control()

    async def subscribe(self, **channels: list[str]) -> Message:
        """Subscribe; return the ack or the error, after any data before it."""
        await self.send({"action": "subscribe", **channels})
        while True:
            frame = await self.frame()
            if frame[0]["T"] in ("subscription", "error"):
                found: Message = frame[0]
                return found

    async def until(self, kind: str) -> Message:
        """Return the next element of a type."""
        while True:
            for message in await self.frame():
                if message["T"] == kind:
                    found: Message = message
                    return found

    async def closed(self) -> int | None:
        """Wait until the server has closed; return its close code."""
        async with asyncio.timeout(LIMIT_S):
            await self.socket.wait_closed()
        return self.socket.close_code


@asynccontextmanager
async def opened(
    server: StreamServer,
    path: str = "/v2/iex",
    *,
    is_msgpack: bool = False,
    **options: Any,
) -> AsyncIterator[User]:
    """A connection after its handshake; `headers` are those of the handshake."""
    headers = dict(options.pop("headers", {}))
    if is_msgpack:
        headers["Content-Type"] = "application/msgpack"
    async with connect(server.url + path, additional_headers=headers, **options) as socket:
        yield User(socket, is_msgpack=is_msgpack)


@asynccontextmanager
async def stream_server(
    *,
    needs_token: bool = False,
    tls: MarketTls | None = None,
    settings: StreamSettings | None = None,
    **options: Any,
) -> AsyncIterator[StreamServer]:
    """Run a simulator and an application with its streams."""
    verifier = Verifier(TokenRules(), parse_secrets(SECRET)) if needs_token else None
    async with (
        Simulator(**{"accounts": 2, **options}) as simulator,
        open_session(aiohttp.TCPConnector(limit=0)) as http,
        asyncio.TaskGroup() as tasks,
    ):
        reader = RestReader(
            DataClient(http, simulator.url, KEYS),
            MemoryCache(),
            RequestBudget(asyncio.get_running_loop().time),
            scope="",
            tasks=tasks,
            clock=time.time,
        )
        target = UpstreamTarget(
            stream_url=simulator.url.replace("http", "ws"),
            ssl_context=None,
            credentials=KEYS,
            connect_limiter=ConnectLimiter(),
        )
        async with run_market_streams(
            settings or StreamSettings(), target, reader, clock=time.time, rng=random.Random(1)
        ) as streams:
            app = application(
                Store(boot="boot"),
                Clock(),
                market_streams=streams,
                access=AccessRules(verifier=verifier),
            )
            async with serve(app, "127.0.0.1", 0, tls=tls) as port:
                yield StreamServer(port, simulator, streams, app, verifier)


def trusting(certificate: str) -> ssl.SSLContext:
    """A client's TLS context that trusts one certificate."""
    return ssl.create_default_context(cafile=certificate)
