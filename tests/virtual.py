"""Virtual time: a loop whose clock jumps to the next timer and whose sockets are in memory.

The real stack runs in it unmodified: aiohttp's server and client, websockets, every sleep and
time-out. An hour costs what its events cost. Nothing outside the loop can be reached.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import aiohttp
import async_solipsism
from aiohttp.client_proto import ResponseHandler

from realtime.runtime.environment import Environment

T = TypeVar("T")

EPOCH_S = 1_790_000_000.0
"""Where virtual wall clocks begin: a Monday in September 2026, 14:13 UTC, New York trades."""


class VirtualLoop(async_solipsism.EventLoop):  # type: ignore[misc]  # it has no type hints
    """A wait shorter than the clock's tick takes one tick, else time would stand still."""

    def call_at(self, when: float, callback: Any, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        soonest = self.time() + self._clock_resolution
        handle: asyncio.TimerHandle = super().call_at(max(when, soonest), callback, *args, **kwargs)
        return handle


class VirtualConnector(aiohttp.TCPConnector):
    """Connects through the loop; happy eyeballs would want real sockets."""

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: Any, req: Any, timeout: Any, **kwargs: Any
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        host, port = addr_infos[0][4][:2]
        kwargs.pop("client_error", None)
        connect: Any = self._loop.create_connection
        try:
            transport, protocol = await connect(*args, host, port, **_plain(kwargs))
            return transport, protocol
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error


def _plain(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name != "ssl" or value}


def wall_clock() -> float:
    """Epoch seconds of the running loop's world."""
    return EPOCH_S + asyncio.get_running_loop().time()


def nanosecond_clock() -> int:
    """Epoch nanoseconds of the running loop's world."""
    return round(wall_clock() * 1_000_000) * 1000


def world(seed: int) -> Environment:
    """A daemon's source of time, chance and connections inside a virtual loop."""
    return Environment(
        clock=wall_clock,
        rng=random.Random(seed),
        make_connector=lambda: VirtualConnector(limit=0),
    )


def run(main: Callable[[], Coroutine[Any, Any, T]], *, limit_s: float = 3600.0) -> T:
    """Run `main` to its end in virtual time; `limit_s` of it at the most."""

    async def limited() -> T:
        async with asyncio.timeout(limit_s):
            return await main()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(limited())
