"""A connection between browser and daemon that can be cut and restored, and that counts bytes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


class Relay:
    """Passes bytes on to a port. `url` is where the browser goes."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self.opened = 0
        """Connections so far."""
        self.received_bytes = 0
        """Bytes that the browser received so far."""
        self._port = port
        self._is_cut = False
        self._ends: set[asyncio.StreamWriter] = set()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._ends) // 2

    def cut(self) -> None:
        """Break every connection, and take no new one."""
        self._is_cut = True
        for end in tuple(self._ends):
            end.transport.abort()

    def mend(self) -> None:
        """Take connections again."""
        self._is_cut = False

    def _count(self, size: int) -> None:
        self.received_bytes += size

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        if self._is_cut:
            writer.transport.abort()
            return
        self.opened += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ends = {writer, far_writer}
        self._ends |= ends
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pass_on(reader, far_writer))
                tasks.create_task(_pass_on(far_reader, writer, self._count))
        finally:
            self._ends -= ends
            for end in ends:
                end.transport.abort()


async def _pass_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    count: Callable[[int], None] = lambda _: None,
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(2**16):
            count(len(data))
            writer.write(data)
            await writer.drain()
    # One way has ended: so does the other.
    with suppress(ConnectionError):
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def relay(port: int) -> AsyncIterator[Relay]:
    """A relay to a port of this machine."""
    line = Relay(port)
    server = await asyncio.start_server(line.take, "127.0.0.1", 0)
    async with server:
        line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield line
        line.cut()
