"""The streams and the simulator that they read, in virtual time; clients are in memory."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.data_client import DataClient
from realtime.broker.http_client import open_session
from realtime.market.rest.cache import MemoryCache
from realtime.market.rest.reader import RestReader, make_scope
from realtime.market.rest.request_budget import RequestBudget
from realtime.market.stream.alpaca_session import AlpacaSession
from realtime.market.stream.formats import Codec
from realtime.market.stream.hub import StreamHub
from realtime.market.stream.market_streams import (
    MarketStreams,
    StreamSettings,
    run_market_streams,
)
from realtime.market.stream.upstream import UpstreamTarget
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from tests.market.stream.made import FakePort
from tests.virtual import VirtualConnector, nanosecond_clock, run, wall_clock

T = TypeVar("T")

KEYS = Credentials(Secret("demo-alpha"), Secret("demo-secret-alpha"))
IEX = "/v2/iex"


class Client:
    """A client of the relay that speaks Alpaca's protocol, without a socket."""

    def __init__(self, hub: StreamHub, codec: Codec = "msgpack", **options: Any) -> None:
        self.port = FakePort()
        self.codec: Codec = codec
        self.session = AlpacaSession(
            hub, self.port, codec, authorize=lambda key, secret: None, **options
        )
        self.received: list[dict[str, Any]] = []

    async def send(self, **message: Any) -> None:
        """Send a message and let it be handled."""
        encode = msgspec.msgpack.encode if self.codec == "msgpack" else msgspec.json.encode
        await self.session.handle(encode(message))

    async def open(self) -> "Client":
        """Authorize."""
        self.session.greet()
        await self.session.authorize("any", "key")
        return self

    def read(self) -> list[dict[str, Any]]:
        """Return what arrived since the last call."""
        messages = self.port.messages(self.codec)
        self.received += messages
        return messages

    def kinds(self) -> list[str]:
        """Return the types of what arrived."""
        return [message["T"] for message in self.read()]


class Scene(Struct, frozen=True):
    """What a test works with."""

    simulator: Simulator
    streams: MarketStreams

    @property
    def counts(self) -> dict[str, int]:
        """The simulator's counters: a handshake names no key."""
        return self.simulator.counters.total()

    def set(self, **settings: Any) -> None:
        """Change settings of the simulator's market data."""
        for name, value in settings.items():
            setattr(self.simulator.market_data.settings, name, value)

    async def client(self, path: str = IEX, codec: Codec = "msgpack", **options: Any) -> Client:
        """An authorized client; its greetings are read."""
        client = await Client(self.streams.get_hub(path), codec, **options).open()
        client.read()
        return client

    def step(self, times: int = 1) -> None:
        """Let the exchange make quotes and trades."""
        for _ in range(times):
            self.simulator.step(prices_move=True)

    async def until(self, holds: Callable[[], bool], *, within_s: float = 60.0) -> float:
        """Let virtual time pass until `holds()`; return the seconds it took."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        while not holds():
            assert loop.time() - start < within_s, f"not so within {within_s} s"
            await asyncio.sleep(0.05)
        return loop.time() - start


@asynccontextmanager
async def scene(
    *,
    settings: StreamSettings | None = None,
    keys: Credentials = KEYS,
    plan: Literal["basic", "plus"] = "basic",
    **options: Any,
) -> AsyncIterator[Scene]:
    """Run a simulator and the streams of its data."""
    simulator = Simulator(clock=nanosecond_clock, **{"accounts": 2, "step_s": 0.1, **options})
    simulator.market_data.settings.plan = plan
    async with (
        simulator,
        open_session(VirtualConnector(limit=0)) as http,
        asyncio.TaskGroup() as tasks,
    ):
        reader = RestReader(
            DataClient(http, simulator.url, keys),
            MemoryCache(),
            RequestBudget(asyncio.get_running_loop().time),
            scope=make_scope(keys, simulator.url),
            tasks=tasks,
            clock=wall_clock,
        )
        target = UpstreamTarget(
            stream_url=simulator.url.replace("http", "ws"),
            ssl_context=None,
            credentials=keys,
            connect_limiter=ConnectLimiter(),
        )
        async with run_market_streams(
            settings or StreamSettings(), target, reader, clock=wall_clock, rng=random.Random(3)
        ) as streams:
            yield Scene(simulator, streams)


def in_virtual_time(
    test: Callable[[Scene], Coroutine[Any, Any, T]], *, limit_s: float = 3600.0, **options: Any
) -> T:
    """Run a test with a scene."""

    async def main() -> T:
        async with scene(**options) as world:
            return await test(world)

    return run(main, limit_s=limit_s)
