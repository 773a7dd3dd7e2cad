"""Real connections that break at any byte: everything received adds up to everything sent."""

import asyncio
import random
import socket
import struct

import msgspec
import pytest
from msgspec import structs

from realtime.core.model import AccountLabel, TradeUpdate
from realtime.store.store import Store
from tests.api.documents.made import NOW, fleet, order
from tests.api.events.listener import Parser
from tests.api.events.test_broadcaster import pushing

LABELS = [AccountLabel(name) for name in ("alpha", "bravo", "delta")]
UPDATES = 400
LIMIT_S = 30
RESET = struct.pack("ii", 1, 0)


class Wire:
    """Connections without chunks, so that every byte read is a byte of events."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.parser = Parser()
        self.heard: list[tuple[str, str]] = []
        self.resyncs = 0
        self.cuts = 0

    async def read(self, max_bytes: int, rng: random.Random) -> None:
        """Connect, read so many bytes, be cut: by an end in good order, or by a reset."""
        source, sink = await asyncio.open_connection("127.0.0.1", self._port, limit=4096)
        last = f"Last-Event-ID: {self.parser.last_id}\r\n" if self.parser.last_id else ""
        sink.write(f"GET /realtime/events?types=order HTTP/1.0\r\n{last}\r\n".encode())
        await source.readuntil(b"\r\n\r\n")
        is_new = not self.parser.last_id
        while max_bytes > 0 and len(self.heard) < UPDATES:
            data = await source.read(min(max_bytes, 1 + rng.randrange(3000)))
            max_bytes -= len(data)
            for event in self.parser.feed(data):
                self.resyncs += event.name == "resync"
                if event.name == "order":
                    self.heard.append((event.data["account_id"], event.data["event_id"]))
            if is_new and self.parser.last_id:
                break  # the snapshot is complete
        self.parser.cut()
        self.cuts += 1
        if rng.random() < 0.5:
            sink.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sink.close()


def happen(store: Store, number: int, rng: random.Random) -> tuple[str, str]:
    """Apply one trade update, as a broker would send it."""
    label = rng.choice(LABELS)
    told = order(number % 60, subtag="x" * rng.randrange(900))
    update = TradeUpdate(event="new", order=told, event_id=str(number))
    data = msgspec.json.encode({"event": "new", "event_id": str(number), "order": told})
    frame = b'{"stream":"trade_updates","data":%b}' % data
    store.update(label, now=NOW + number, updates=(structs.replace(update, frame=frame),))
    return str(label), str(number)


@pytest.mark.parametrize("seed", range(4))
async def test_disconnects_at_any_byte_lose_and_repeat_nothing(seed: int) -> None:
    store, rng = fleet(), random.Random(seed)
    async with pushing(store, buffer=100_000) as (port, _), asyncio.timeout(LIMIT_S):
        wire = Wire(port)
        while not wire.parser.last_id:
            await wire.read(rng.choice([100, 1 << 20]), rng)
        happened: list[tuple[str, str]] = []

        async def trade() -> None:
            while len(happened) < UPDATES:
                for _ in range(rng.randrange(30)):
                    if len(happened) < UPDATES:
                        happened.append(happen(store, len(happened), rng))
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(trade())
            while len(wire.heard) < UPDATES:
                await wire.read(rng.choice([1, 40, 700, 5_000, 60_000]), rng)
    assert wire.heard == happened
    assert wire.resyncs == 0
    assert wire.cuts > 10
