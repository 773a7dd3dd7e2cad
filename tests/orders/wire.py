"""A wire that can be cut: a proxy before the broker that loses requests or answers on demand."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Wire:
    """`before` and `after` are the chances that a request with a body, or its answer, is lost."""

    def __init__(self, port: int, rng: random.Random) -> None:
        self.before = 0.0
        self.after = 0.0
        self.cuts = 0
        self._port = port
        self._rng = rng
        self.carrying: set[asyncio.Task[None]] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it, or it is cut."""
        task = asyncio.current_task()
        assert task is not None
        self.carrying.add(task)
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while request := await reader.read(2**16):
                moves_money = not request.startswith(b"GET")
                if moves_money and self._rng.random() < self.before:
                    self.cuts += 1
                    return
                ours.write(request)
                answer = await theirs.read(2**16)
                if not answer or (moves_money and self._rng.random() < self.after):
                    self.cuts += 1
                    return
                writer.write(answer)
        except (ConnectionError, asyncio.CancelledError):  # also the test's end
            return
        finally:
            ours.close()
            writer.close()
            self.carrying.discard(task)


@asynccontextmanager
async def wire_to(port: int, rng: random.Random, *, own_port: int) -> AsyncIterator[Wire]:
    """Stand between a client and the broker at a port."""
    wire = Wire(port, rng)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", own_port)
    try:
        yield wire
    finally:
        server.close()
        carrying = list(wire.carrying)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
