"""Raw clients of the simulator: aiohttp for REST, websockets for the stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from realtime.simulator.app import Simulator

LIMIT_S = 30.0

MARKET_BUY = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
# Far below any price: it rests.
RESTING_BUY = {**MARKET_BUY, "type": "limit", "limit_price": "50"}


class Rest:
    """One account's REST client."""

    def __init__(self, sim: Simulator, label: str = "alpha") -> None:
        self.sim = sim
        headers = {
            "APCA-API-KEY-ID": f"demo-{label}",
            "APCA-API-SECRET-KEY": f"demo-secret-{label}",
        }
        self.http = aiohttp.ClientSession(
            sim.url, headers=headers, timeout=aiohttp.ClientTimeout(total=LIMIT_S)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.http.close()

    async def request(
        self, method: str, path: str, body: object = None, **options: Any
    ) -> tuple[int, Any]:
        """Return status and body, decoded where it is JSON."""
        if body is not None:
            options["json"] = body
        async with self.http.request(method, path, **options) as response:
            text = await response.text()
            is_json = response.content_type == "application/json" and text
            return response.status, json.loads(text) if is_json else text

    async def get(self, path: str) -> Any:
        """Return the body of a GET that must succeed."""
        status, body = await self.request("GET", path)
        assert status == 200, (status, body)
        return body

    async def buy(self, order: dict[str, str] = MARKET_BUY) -> dict[str, Any]:
        """Place an order that must be accepted."""
        status, body = await self.request("POST", "/v2/orders", order)
        assert status == 200, (status, body)
        assert isinstance(body, dict)
        return body

    async def fault(self, kind: str, **parameters: object) -> dict[str, Any]:
        """Add a fault."""
        status, body = await self.request("POST", "/_sim/faults", {"kind": kind, **parameters})
        assert status == 201, (status, body)
        assert isinstance(body, dict)
        return body


class Stream:
    """One websocket, without a client library's protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, message: object) -> None:
        """Send JSON as a text frame."""
        await self.socket.send(json.dumps(message))

    async def raw(self) -> str | bytes:
        """Return the next frame, undecoded."""
        async with asyncio.timeout(LIMIT_S):
            return await self.socket.recv()

    async def receive(self) -> Any:
        """Return the next frame, decoded."""
        return json.loads(await self.raw())

    async def event(self) -> Any:
        """Return the data of the next event."""
        frame = await self.receive()
        assert frame["stream"] == "trade_updates", frame
        return frame["data"]

    async def authenticate(self, label: str = "alpha") -> Any:
        """Authorize in the new form and return the response's data."""
        await self.send(
            {"action": "auth", "key": f"demo-{label}", "secret": f"demo-secret-{label}"}
        )
        return (await self.receive())["data"]

    async def listen(self, *streams: str) -> Any:
        """Request streams and return those acknowledged."""
        await self.send({"action": "listen", "data": {"streams": streams}})
        return (await self.receive())["data"]["streams"]

    async def is_silent(self, seconds: float = 0.05) -> bool:
        """Return whether no frame arrives, although the socket answers a ping."""
        async with asyncio.timeout(LIMIT_S):
            await (await self.socket.ping())
        try:
            async with asyncio.timeout(seconds):
                await self.socket.recv()
        except TimeoutError:
            return True
        return False

    async def wait_closed(self) -> int:
        """Wait until the socket is closed and return the client's close code."""
        async with asyncio.timeout(LIMIT_S):
            await self.socket.wait_closed()
        assert self.socket.close_code is not None
        return self.socket.close_code


@asynccontextmanager
async def opened(sim: Simulator, **headers: str) -> AsyncIterator[Stream]:
    """A socket after its handshake."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with connect(sim.stream_url, additional_headers=names, open_timeout=LIMIT_S) as socket:
        yield Stream(socket)


@asynccontextmanager
async def listening(sim: Simulator, label: str = "alpha") -> AsyncIterator[Stream]:
    """A socket that receives its account's events."""
    async with opened(sim) as stream:
        assert (await stream.authenticate(label))["status"] == "authorized"
        assert await stream.listen("trade_updates") == ["trade_updates"]
        yield stream
