"""A simulator whose steps the tests make, with a clock that moves by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from realtime.simulator.app import Simulator
from tests.simulator.client import LIMIT_S, Rest

TUESDAY_10_00 = 1_791_295_200_000_000_000
SECOND = 1_000_000_000

Message = dict[str, Any]


class Clock:
    """Epoch nanoseconds that tests move."""

    def __init__(self) -> None:
        self.now = TUESDAY_10_00

    def __call__(self) -> int:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


class DataStream:
    """One connection to a market-data stream, JSON or MessagePack."""

    def __init__(self, socket: ClientConnection, *, is_msgpack: bool) -> None:
        self.socket = socket
        self._is_msgpack = is_msgpack
        self.waiting: list[Message] = []

    async def send(self, message: object) -> None:

        data = msgspec.msgpack.encode(message) if self._is_msgpack else json.dumps(message)
        await self.socket.send(data)

    async def frame(self) -> list[Message]:
        """Return the next frame."""

        async with asyncio.timeout(LIMIT_S):
            raw = await self.socket.recv()
        assert isinstance(raw, bytes if self._is_msgpack else str)
        frame: list[Message] = _decode(raw)
        return frame

    async def control(self) -> Message:
        """Return a control message, which must be alone in its frame."""
        (message,) = await self.frame()
        return message

    async def until(self, kind: str, symbol: str) -> Message:
        """Return the next element of a type and a symbol."""
        while True:
            for number, message in enumerate(self.waiting):
                if (message["T"], message.get("S")) == (kind, symbol):
                    del self.waiting[: number + 1]
                    return message
            self.waiting = await self.frame()

    async def authenticate(self, label: str = "alpha") -> Message:
        await self.send(
            {"action": "auth", "key": f"demo-{label}", "secret": f"demo-secret-{label}"}
        )
        return await self.control()

    async def subscribe(self, **channels: list[str]) -> Message:
        await self.send({"action": "subscribe", **channels})
        return await self.control()


def _decode(raw: str | bytes) -> Any:
    return msgspec.msgpack.decode(raw) if isinstance(raw, bytes) else json.loads(raw)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sim(clock: Clock) -> AsyncIterator[Simulator]:
    async with Simulator(accounts=2, step_s=None, clock=clock) as simulator:
        yield simulator


@pytest.fixture
async def rest(sim: Simulator) -> AsyncIterator[Rest]:
    async with Rest(sim) as client:
        yield client


@asynccontextmanager
async def opened(
    sim: Simulator,
    path: str,
    *,
    is_msgpack: bool = False,
    headers: dict[str, str] | None = None,
) -> AsyncIterator[DataStream]:
    """A connection after its greeting."""
    names = dict(headers or {})
    if is_msgpack:
        names["Content-Type"] = "application/msgpack"
    url = sim.url.replace("http", "ws") + path
    async with connect(url, additional_headers=names, open_timeout=LIMIT_S) as socket:
        stream = DataStream(socket, is_msgpack=is_msgpack)
        assert await stream.control() == {"T": "success", "msg": "connected"}
        yield stream


@asynccontextmanager
async def authenticated(
    sim: Simulator, path: str = "/v2/iex", *, is_msgpack: bool = False, label: str = "alpha"
) -> AsyncIterator[DataStream]:
    """A connection after authentication."""
    async with opened(sim, path, is_msgpack=is_msgpack) as stream:
        assert await stream.authenticate(label) == {"T": "success", "msg": "authenticated"}
        yield stream


@pytest.fixture
def steps(sim: Simulator, clock: Clock) -> Callable[..., None]:
    """Make steps of 100 ms."""

    def make(count: int = 1, *, seconds: float = 0.1) -> None:
        for _ in range(count):
            clock.move(seconds)
            sim.step()

    return make
