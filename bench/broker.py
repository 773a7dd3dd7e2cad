"""A broker that only plays: canned REST answers, and trade updates at any rate or as fast as taken.

It shares no code with the daemon, and spends as little as it can, so that on its own core it is
never what is measured. `POST /_play` with `rate` (events a second over all sockets) and `seconds`,
or with `count` (as many on each socket as fast as it takes them), answers when all is sent.
"""

import argparse
import asyncio
import json
import time

import uvloop
from aiohttp import WSMsgType, web

from bench import frames
from bench.machine import pin

TICK_S = 0.002
MAX_UNSENT_BYTES = 256 * 1024
"""Bytes that wait for one socket before it is left alone for a moment."""
FRAMES_PER_WRITE = 32
"""Frames written to one socket in one go."""


class Player:
    """All listening sockets, and what each account is sent next."""

    def __init__(self, positions: int, orders: int) -> None:
        self.sent = 0
        self._sockets: dict[str, asyncio.Transport] = {}
        self._updates: dict[str, frames.UpdateSequence] = {}
        self._held = [frames.position_json(symbol) for symbol in frames.SYMBOLS[:positions]]
        listed = [frames.order_json(n, status="filled" if n % 5 else "new") for n in range(orders)]
        working = [order for order in listed if order["status"] == "new"]
        self._working = json.dumps(working[::-1]).encode()
        self._canned = {
            "/v2/orders": json.dumps(listed[::-1]).encode(),
            "/v2/account/activities/FILL": b"[]",
        }

    async def rest(self, request: web.Request) -> web.Response:
        """Answer a reading. Every account has its own number, or keys would seem swapped."""
        key = request.headers["APCA-API-KEY-ID"]
        body = self._canned.get(request.path)
        if request.path == "/v2/orders" and request.query.get("status") == "open":
            body = self._working
        elif request.path == "/v2/account":
            body = json.dumps(frames.ACCOUNT | {"account_number": f"PA{key}"}).encode()
        elif request.path == "/v2/positions":
            body = json.dumps([*self._held, *self._traded(key)]).encode()
        if body is None:
            return web.json_response({"code": 40410000, "message": "order not found"}, status=404)
        return web.Response(body=body, content_type="application/json")

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one socket until it closes."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        key = ""
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            said = json.loads(message.data)
            if said["action"] == "listen":
                await socket.send_bytes(
                    b'{"stream":"listening","data":{"streams":["trade_updates"]}}'
                )
                assert request.transport is not None
                self._sockets[key] = request.transport
            else:
                key = said.get("key") or said["data"]["key_id"]
                answer = {"status": "authorized", "action": "authenticate"}
                await socket.send_bytes(
                    json.dumps({"stream": "authorization", "data": answer}).encode()
                )
        self._sockets.pop(key, None)
        return socket

    async def play(self, request: web.Request) -> web.Response:
        """Send what was asked for; answers how many frames that were."""
        asked = await request.json()
        before, cpu, began = self.sent, time.process_time(), time.monotonic()
        if "count" in asked:
            await self._pour(asked["count"])
        else:
            await self._drip(asked["rate"], asked["seconds"])
        busy = (time.process_time() - cpu) / (time.monotonic() - began)
        return web.json_response({"sent": self.sent - before, "busy": busy})

    async def _pour(self, count: int) -> None:
        left = dict.fromkeys(self._sockets, count)
        while left:
            for key in list(left):
                transport = self._sockets.get(key)
                if transport is None:
                    del left[key]
                elif transport.get_write_buffer_size() < MAX_UNSENT_BYTES:
                    batch = min(FRAMES_PER_WRITE, left[key])
                    transport.write(b"".join(self._next(key) for _ in range(batch)))
                    left[key] -= batch
                    if not left[key]:
                        del left[key]
            await asyncio.sleep(0)

    async def _drip(self, rate: float, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began, made, keys = loop.time(), 0, list(self._sockets)
        while (passed := loop.time() - began) < seconds:
            for _ in range(int(passed * rate) - made):
                key = keys[made % len(keys)]
                self._sockets[key].write(self._next(key))
                made += 1
            await asyncio.sleep(TICK_S)

    def _traded(self, key: str) -> list[dict[str, object]]:
        updates = self._updates.get(key)
        if updates is None or not updates.held:
            return []
        held = str(updates.held)
        return [frames.position_json(frames.TRADED) | {"qty": held, "qty_available": held}]

    def _next(self, key: str) -> bytes:
        self.sent += 1
        if key not in self._updates:
            self._updates[key] = frames.UpdateSequence(int(key[1:]))
        return next(self._updates[key])


async def serve(port: int, positions: int, orders: int) -> None:
    """Serve until the command to end."""
    player = Player(positions, orders)
    app = web.Application()
    app.router.add_get("/stream", player.stream)
    app.router.add_post("/_play", player.play)
    app.router.add_get("/v2/{rest:.*}", player.rest)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=2048).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--core", type=int, default=1)
    options.add_argument("--positions", type=int, default=5)
    options.add_argument("--orders", type=int, default=10)
    given = options.parse_args()
    pin(given.core)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(given.port, given.positions, given.orders))


if __name__ == "__main__":
    main()
