"""Processes of the market-data measurement: source, relay, the peer's design, clients.

The source speaks Alpaca's stream protocol and puts the time of sending into `t`. The peer has the
design of the only other relay for Alpaca: one queue without a bound, one sender that awaits each
client in turn.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import msgspec
import uvloop
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from realtime.api.app import build_application
from realtime.api.documents.documents import Documents
from realtime.api.documents.timestamps import format_millis
from realtime.api.listener import serve as serve_http
from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.data_client import DataClient
from realtime.broker.http_client import open_session
from realtime.broker.market_codec import make_element
from realtime.market.rest.cache import MemoryCache
from realtime.market.rest.reader import RestReader
from realtime.market.rest.request_budget import RequestBudget
from realtime.market.stream.market_streams import StreamSettings, run_market_streams
from realtime.market.stream.status import get_streams_status
from realtime.market.stream.upstream import UpstreamTarget
from realtime.secret import Credentials, Secret
from realtime.store.store import Store

KEYS = Credentials(Secret("bench"), Secret("bench"))
SYMBOLS = [f"S{number}" for number in range(50)]
TICK_S = 0.005
HEADERS = {"Content-Type": "application/msgpack"}
MESSAGES = (
    '{"action":"auth","key":"k","secret":"s"}',
    json.dumps({"action": "subscribe", "trades": SYMBOLS, "quotes": SYMBOLS}),
)
HANDSHAKE = (
    b"GET /v2/sip HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def encode(message: object) -> bytes:
    return msgspec.msgpack.encode(message)


async def run_source(options: argparse.Namespace) -> None:
    """Send quotes and trades at a rate while `play SECONDS` runs."""
    subscribers: set[ServerConnection] = set()

    async def handle(socket: ServerConnection) -> None:
        await socket.send(encode([{"T": "success", "msg": "connected"}]))
        await socket.recv()
        await socket.send(encode([{"T": "success", "msg": "authenticated"}]))
        names: dict[str, list[str]] = {"trades": [], "quotes": []}
        while (raw := await receive(socket)) is not None:
            message = msgspec.msgpack.decode(raw)
            names = {c: sorted({*old, *message.get(c, ())}) for c, old in names.items()}
            await socket.send(encode([{"T": "subscription", **names}]))
            subscribers.add(socket)

    async def receive(socket: ServerConnection) -> bytes | None:
        try:
            raw = await socket.recv()
        except ConnectionClosed:
            subscribers.discard(socket)
            return None
        return raw if isinstance(raw, bytes) else raw.encode()

    async def play(words: list[str]) -> object:
        seconds, rate = float(words[0]), float(words[1])
        loop, rng, sent = asyncio.get_running_loop(), random.Random(1), 0
        started = loop.time()
        while (passed := loop.time() - started) < seconds:
            due = int(passed * rate) - sent
            frame = [msgspec.Raw(_element(rng, sent + n)) for n in range(due)]
            sent += due
            if frame:
                for subscriber in list(subscribers):
                    await subscriber.send(encode(frame))
            await asyncio.sleep(TICK_S)
        return {"sent": sent, "subscribers": len(subscribers)}

    async with serve(handle, "127.0.0.1", options.port, max_queue=None, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await answer(port, {"play": play})


def _element(rng: random.Random, number: int) -> bytes:
    kind = "q" if rng.random() < 0.8 else "t"
    now = time.time_ns()
    fields = {"T": kind, "S": rng.choice(SYMBOLS), "i": number, "x": "V", "bp": 188.39, "ns": now}
    return make_element({**fields, "bs": 100, "ap": 188.41, "as": 200, "c": ["R"], "z": "C"}).raw


async def run_relay(options: argparse.Namespace) -> None:
    """realtime's relay."""
    url = f"127.0.0.1:{options.upstream}"
    async with (
        open_session(aiohttp.TCPConnector()) as http,
        asyncio.TaskGroup() as tasks,
    ):
        reader = RestReader(
            DataClient(http, f"http://{url}", KEYS),
            MemoryCache(),
            RequestBudget(asyncio.get_running_loop().time),
            scope="",
            tasks=tasks,
            clock=time.time,
        )
        target = UpstreamTarget(
            stream_url=f"ws://{url}",
            ssl_context=None,
            credentials=KEYS,
            connect_limiter=ConnectLimiter(),
        )
        settings = StreamSettings(feed="sip", option_feed="opra", plan="plus")
        async with run_market_streams(
            settings, target, reader, clock=time.time, rng=random.Random(1)
        ) as streams:
            app = build_application(
                Store(boot="bench"),
                Documents(),
                clock=time.time,
                version="bench",
                started_at=time.time(),
                market_streams=streams,
            )

            async def stats(_: list[str]) -> object:
                (row,) = get_streams_status(streams, format_millis).streams
                return {
                    **usage(),
                    "conflated": row.conflated,
                    "slow_clients": row.slow_clients,
                    "waiting_bytes": row.waiting_bytes,
                }

            async with serve_http(app, "127.0.0.1", options.port) as port:
                await answer(port, {"stats": stats})


async def run_peer(options: argparse.Namespace) -> None:
    """One unbounded queue, one sender that awaits each client in turn."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    clients: set[ServerConnection] = set()

    async def receive() -> None:
        url = f"ws://127.0.0.1:{options.upstream}/v2/sip"
        async with connect(url, additional_headers=HEADERS, compression=None) as upstream:
            await upstream.recv()
            await upstream.send(encode({"action": "auth"}))
            await upstream.recv()
            names = {"trades": SYMBOLS, "quotes": SYMBOLS}
            await upstream.send(encode({"action": "subscribe", **names}))
            await upstream.recv()
            async for raw in upstream:
                assert isinstance(raw, bytes)
                for element in msgspec.msgpack.decode(raw):
                    queue.put_nowait(json.dumps(element, default=str))

    async def send() -> None:
        while True:
            text = await queue.get()
            for client in list(clients):
                try:
                    await client.send("[" + text + "]")
                except ConnectionClosed:
                    clients.discard(client)

    async def handle(socket: ServerConnection) -> None:
        await socket.send('[{"T":"success","msg":"connected"}]')
        await socket.recv()
        await socket.send('[{"T":"success","msg":"authenticated"}]')
        await socket.recv()
        await socket.send('[{"T":"subscription"}]')
        clients.add(socket)
        await socket.wait_closed()
        clients.discard(socket)

    async def stats(_: list[str]) -> object:
        return {**usage(), "waiting": queue.qsize()}

    async with (
        serve(handle, "127.0.0.1", options.port, compression=None) as server,
        asyncio.TaskGroup() as tasks,
    ):
        running = [tasks.create_task(receive()), tasks.create_task(send())]
        await answer(next(iter(server.sockets)).getsockname()[1], {"stats": stats})
        for task in running:
            task.cancel()


async def run_clients(options: argparse.Namespace) -> None:
    """Clients that measure how old elements are; `--stalled` of them never read."""
    delays: list[float] = []
    is_measuring = False

    async def measure(ready: asyncio.Event) -> None:
        url = f"ws://127.0.0.1:{options.server}/v2/sip"
        async with connect(url, compression=None, max_queue=None, ping_interval=None) as client:
            for message in MESSAGES:
                await client.recv()
                await client.send(message)
            await client.recv()
            ready.set()
            async for raw in client:
                if is_measuring:
                    now = time.time_ns()
                    elements = msgspec.json.decode(raw)
                    delays.extend((now - int(e["ns"])) / 1e6 for e in elements if "ns" in e)

    async def discard(ready: asyncio.Event, *, reads: bool) -> None:
        """A client that costs little: it reads and does not look, or does not even read."""
        reader, writer = await asyncio.open_connection("127.0.0.1", options.server)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        for message in MESSAGES:
            data = message.encode()
            writer.write(b"\x81\xfe" + len(data).to_bytes(2, "big") + b"\0\0\0\0" + data)
            await reader.read(4096)
        ready.set()
        while reads and await reader.read(2**20):
            pass
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport
        await asyncio.Event().wait()

    async def stats(_: list[str]) -> object:
        found = sorted(delays)
        delays.clear()
        if not found:
            return {"elements": 0, "p50_ms": None, "p99_ms": None, "max_ms": None}
        return {
            "elements": len(found),
            "p50_ms": found[len(found) // 2],
            "p99_ms": found[int(len(found) * 0.99)],
            "max_ms": found[-1],
        }

    async def reset(_: list[str]) -> object:
        nonlocal is_measuring
        is_measuring = True
        delays.clear()
        return {}

    async with asyncio.TaskGroup() as tasks:
        running = []
        for number in range(options.clients):
            ready = asyncio.Event()
            is_measured = number % options.sample == 0 and number >= options.stalled
            run = measure(ready) if is_measured else discard(ready, reads=number >= options.stalled)
            running.append(tasks.create_task(run))
            await ready.wait()
        await answer(0, {"stats": stats, "reset": reset})
        for task in running:
            task.cancel()


def usage() -> dict[str, float]:
    """Processor time, and the largest memory so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": used.ru_utime + used.ru_stime, "memory_mb": used.ru_maxrss / 1024}


Command = Callable[[list[str]], Coroutine[Any, Any, object]]


async def answer(port: int, commands: dict[str, Command]) -> None:
    """Print the port, then answer commands from standard input."""
    print(port, flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, *rest = line.split()
        print(json.dumps(await commands[word](rest)), flush=True)


def main() -> None:
    """Run one of the processes."""
    options = argparse.ArgumentParser()
    options.add_argument("kind", choices=["source", "relay", "peer", "clients"])
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--upstream", type=int)
    options.add_argument("--server", type=int)
    options.add_argument("--clients", type=int, default=100)
    options.add_argument("--stalled", type=int, default=0)
    options.add_argument("--sample", type=int, default=10)
    given = options.parse_args()
    run = {"source": run_source, "relay": run_relay, "peer": run_peer, "clients": run_clients}
    uvloop.run(run[given.kind](given))


if __name__ == "__main__":
    main()
