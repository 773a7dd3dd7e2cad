"""A connection between two members that a test cuts, delays or fills with something else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

CHUNK = 64 * 1024


class Relay:
    """Forwards a port to another one. Use as `async with`."""

    def __init__(self, port: int, to: int) -> None:
        self.port = port
        self._to = to
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self._answers = asyncio.Event()
        self._answers.set()
        self.refuses = False
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """Reset all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def pause(self) -> None:
        """Forward nothing more, and close nothing."""
        self._flows.clear()

    def pause_responses(self) -> None:
        """Forward requests, and nothing that is answered."""
        self._answers.clear()

    def resume(self) -> None:
        self._flows.set()
        self._answers.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuses:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, there_writer}
        for source, target, may_flow in (
            (reader, there_writer, self._flows),
            (there_reader, writer, self._answers),
        ):
            task = asyncio.create_task(self._copy(source, target, may_flow))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, may_flow: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await self._flows.wait()
                await may_flow.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


class FakeOwner:
    """Answers each connection with the same bytes as the body of a feed, and keeps it open."""

    def __init__(self, port: int, *frames: bytes, head: bytes = b"") -> None:
        self.port = port
        self.frames = b"".join(frames)
        self.head = head or (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.realtime.feed\r\n\r\n"
        )
        self.requests: list[bytes] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.head + self.frames)

        server = await asyncio.start_server(serve, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()
            for writer in writers:
                writer.transport.abort()
