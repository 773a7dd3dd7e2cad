"""A TCP proxy between the two programs: everything that can happen to bytes on a real wire.

What is set holds for connections that are open and for those to come, until `heal`.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends RST."""


class Wire:
    """One connection that goes through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)

    def reset(self) -> None:
        """End it with RST on both sides."""
        for end in self.ends:
            kept: socket.socket = end.get_extra_info("socket")
            with suppress(OSError):  # it is closed already
                kept.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort()


class Proxy:
    """Passes bytes on, or does not. `down` is from the broker to the daemon."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.wires: list[Wire] = []
        self.swallows: frozenset[str] = frozenset()
        """Directions in which what is written never arrives: both are a black hole, one is a
        half-open connection. Ends are not passed on either."""
        self.trickle_s: float | None = None
        """Pause after each byte from the broker."""
        self.cut_after: int | None = None
        """Bytes from the broker that still pass before all connections are reset."""
        self.refuses = False
        """New connections are reset."""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        finally:
            self._tasks.discard(task)

    def reset(self) -> None:
        """Reset every open connection."""
        for wire in self.wires:
            wire.reset()

    def heal(self) -> None:
        """Pass on what comes from now on; what was swallowed stays lost, and who was not told of an
        end is told now."""
        self.swallows, self.trickle_s, self.cut_after, self.refuses = frozenset(), None, None, False

    async def close(self) -> None:
        """End everything."""
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            Wire(writer, writer).reset()
            return
        there, server = await asyncio.open_connection("127.0.0.1", self._target)
        wire = Wire(writer, server)
        self.wires.append(wire)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, server, "up"))
                tasks.create_task(self._pump(there, writer, "down"))
        except* OSError:
            wire.reset()
        finally:
            self.wires.remove(wire)
            writer.close()
            server.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str
    ) -> None:
        while data := await reader.read(CHUNK):
            if way in self.swallows:
                continue
            if way == "down" and self.trickle_s is not None:
                await self._trickle(data, writer)
            elif way == "down" and self.cut_after is not None:
                passing, self.cut_after = data[: self.cut_after], self.cut_after - len(data)
                writer.write(passing)
                if self.cut_after <= 0:
                    self.cut_after = None
                    self.reset()
            else:
                writer.write(data)
            await writer.drain()
        while way in self.swallows:
            await asyncio.sleep(0.1)
        if writer.can_write_eof():
            writer.write_eof()

    async def _trickle(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        for at in range(len(data)):
            if self.trickle_s is None:
                writer.write(data[at:])
                return
            writer.write(data[at : at + 1])
            await writer.drain()
            await asyncio.sleep(self.trickle_s)


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    """A proxy on a port of its own before another one."""
    made = Proxy(target)
    server = await asyncio.start_server(made.take, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
