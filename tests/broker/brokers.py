"""Small brokers on real sockets: they say what a test tells them to."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.broker.trading_stream import TradingStream
from realtime.secret import Credentials, Secret
from tests.broker.samples import AUTHORIZED, LISTENING

KEYS = Credentials(Secret("PKEXAMPLE"), Secret("s3cr3t"))
DATE = "Tue, 06 Oct 2026 14:02:11 GMT"
DATE_S = 1_791_295_331
HOST = "127.0.0.1"

Script = Callable[[ServerConnection], Awaitable[None]]
Gatekeeper = Callable[[ServerConnection, Request], Response | None]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def stream_broker(
    script: Script, *, port: int = 0, gatekeeper: Gatekeeper | None = None
) -> AsyncIterator[str]:
    """Serve a trading socket that follows a script; gives its address."""
    async with serve(
        script,
        HOST,
        port,
        compression=None,
        ping_interval=None,
        process_request=gatekeeper,
        close_timeout=1,
    ) as server:
        bound = port or server.sockets[0].getsockname()[1]
        yield f"ws://{HOST}:{bound}/stream"


async def greet(socket: ServerConnection) -> None:
    """Take an authorization and a listen, and agree to both."""
    await socket.recv()
    await socket.send(AUTHORIZED)
    await socket.recv()
    await socket.send(LISTENING)


def tells(*frames: bytes | str) -> Script:
    """Greet, send frames, wait for the end."""

    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        for frame in frames:
            await socket.send(frame)
        await socket.wait_closed()

    return script


@asynccontextmanager
async def open_stream(url: str) -> AsyncIterator[TradingStream]:
    """A connected stream, closed at the end."""
    stream = await TradingStream.connect(url, ssl_context=None)
    try:
        yield stream
    finally:
        await stream.close()


@asynccontextmanager
async def listening_stream(url: str) -> AsyncIterator[TradingStream]:
    """A stream that listens."""
    async with open_stream(url) as stream:
        await enter(stream)
        yield stream


async def enter(stream: TradingStream) -> None:
    """Authorize and listen."""
    await stream.authorize(KEYS)
    await stream.listen()


@asynccontextmanager
async def raw_broker(
    speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    *,
    port: int = 0,
) -> AsyncIterator[str]:
    """Serve bytes; gives host and port."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await speak(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve_one, HOST, port)
    async with server:
        bound = port or server.sockets[0].getsockname()[1]
        yield f"{HOST}:{bound}"


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The server's side of a websocket handshake, and nothing after it: not even pongs."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(
        line.partition(":")[2].strip()
        for line in request.splitlines()
        if line.lower().startswith("sec-websocket-key")
    )
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    await writer.drain()


@asynccontextmanager
async def rest_broker(answer: Answer, *, port: int = 0) -> AsyncIterator[str]:
    """Serve one answer to every request; gives the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        bound = port or runner.addresses[0][1]
        yield f"http://{HOST}:{bound}"
    finally:
        await runner.cleanup()


def fixed(status: int, body: bytes = b"", **headers: str) -> Answer:
    """One answer for everything."""

    async def answer(_: web.Request) -> web.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, headers=sent)

    return answer


def json_of(value: object) -> bytes:
    return json.dumps(value).encode()


@asynccontextmanager
async def client_of(url: str, limiter: RateLimiter | None = None) -> AsyncIterator[RestClient]:
    """A client whose wall clock stands still."""
    async with aiohttp.ClientSession() as http:
        yield RestClient(
            http, url, KEYS, limiter or RateLimiter(FleetLimiter()), clock=lambda: float(DATE_S)
        )


@asynccontextmanager
async def rest_client(answer: Answer) -> AsyncIterator[RestClient]:
    """A client of a broker that gives one answer."""
    async with rest_broker(answer) as url, client_of(url) as rest:
        yield rest
