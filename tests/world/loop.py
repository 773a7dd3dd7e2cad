"""A virtual loop whose connections to the broker run over the world's network."""

import asyncio
from collections.abc import Callable, Coroutine
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, TypeVar

import aiohttp
from aiohttp.client_proto import ResponseHandler
from async_solipsism.exceptions import SleepForeverError
from async_solipsism.selector import Selector

from tests.virtual import VirtualConnector, VirtualLoop
from tests.world.network import Listening, Network

T = TypeVar("T")

NEVER_S = 24 * 3600
"""What asyncio waits at the most when no timer is set."""


class QuickSelector(Selector):  # type: ignore[misc]  # it has no type hints
    """The same in a fifth of the time: a world asks it ten thousand times."""

    def select(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        ready = []
        for key in self._fd_to_key.values():
            events, end = 0, key.fd.socket
            if key.events & EVENT_READ and end.read_ready():
                events = EVENT_READ
            if key.events & EVENT_WRITE and end.write_ready():
                events |= EVENT_WRITE
            if events:
                ready.append((key, events))
        if not ready:
            if timeout is None or timeout >= NEVER_S:
                raise SleepForeverError("nothing will ever happen")
            if timeout > 0:
                self.clock.advance(timeout)
        return ready


class WorldLoop(VirtualLoop):
    """Where addresses of the network are dialed through it, and all others directly."""

    _selector: Any

    def __init__(self) -> None:
        super().__init__()
        self._selector = QuickSelector(self._selector.clock)
        self.network: Network | None = None

    async def create_server(
        self, factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **more: Any
    ) -> Any:
        sock = sock or Listening((host, port, 0, 0))
        server = await super().create_server(factory, sock=sock, **more)
        if self.network is not None:
            self.network.listening[sock.getsockname()[1]] = sock
        return server

    async def create_connection(
        self, factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **more: Any
    ) -> Any:
        if sock is None and self.network is not None and self.network.is_ours(host):
            sock, host, port = await self.network.dial(host, port, "stream"), None, None
        return await super().create_connection(factory, host, port, sock=sock, **more)

    def _stop_serving(self, sock: Any) -> None:
        if self.network is not None:
            self.network.listening.pop(sock.getsockname()[1], None)
        super()._stop_serving(sock)


class WorldConnector(VirtualConnector):
    """REST over the network; websockets dial by the loop itself."""

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: Any, req: Any, timeout: Any, **kwargs: Any
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        host, port = addr_infos[0][4][:2]
        network = getattr(self._loop, "network", None)
        if network is None or not network.is_ours(host):
            return await super()._wrap_create_connection(
                *args, addr_infos=addr_infos, req=req, timeout=timeout, **kwargs
            )
        try:
            async with asyncio.timeout(timeout.sock_connect):
                sock = await network.dial(host, port, "rest")
                transport, protocol = await self._loop.create_connection(*args, sock=sock)
                return transport, protocol
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error


def run(main: Callable[[WorldLoop], Coroutine[Any, Any, T]]) -> T:
    """Run `main` to its end in virtual time."""
    with asyncio.Runner(loop_factory=WorldLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, WorldLoop)
        return runner.run(main(loop))
