"""The net between daemon and broker, in memory: every way it can fail, at the level of bytes.

Each account reaches the broker by an address of its own, so a fault can be given to one account's
stream or REST alone. A connection is two wires; a wire takes what one end writes and hands it to
the other when it is due. Nothing here knows of frames or requests.
"""

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Literal

from async_solipsism.socket import ListenSocket, Socket

Kind = Literal["stream", "rest"]
KINDS: tuple[Kind, ...] = ("stream", "rest")

CAPACITY = 1 << 20
"""Bytes that a receiver who does not read lets arrive; then the sender is held back."""

MAX_PIECES = 64
"""Pieces that a dribbled write is broken into at the most."""


class Path:
    """One account's way to the broker, of one kind: what new and open connections suffer."""

    def __init__(self, label: str, kind: Kind, rng: Random) -> None:
        self.label = label
        self.kind = kind
        self.rng = rng
        self.usual_s = 0.0
        """How long it takes, one way; each write is spread by up to as much again."""
        self.slow_s = 0.0
        self.slow_until = 0.0
        """How long it takes until a loop time."""
        self.stalled_until = 0.0
        """Loop time before which nothing arrives."""
        self.dark_until = 0.0
        """Loop time before which connection attempts are never answered."""
        self.refusing_until = 0.0
        """Loop time before which connection attempts are refused."""
        self.dribbling_until = 0.0
        """Loop time before which writes arrive in pieces."""

    def due(self, now: float) -> float:
        """When something sent now arrives."""
        delay_s = self.slow_s if now < self.slow_until else self.usual_s
        return max(now + delay_s * (1 + self.rng.random()), self.stalled_until)


class Wire:
    """One direction of a connection; what async_solipsism's sockets call a queue."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._transit: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._arrived = bytearray()
        self._ended = False
        self._reset = False
        self._deserted = False
        self.cut_after: int | None = None
        """Bytes that still pass before the connection is cut."""

    def write(self, data: bytes) -> int | None:
        """Take what an end writes; None if it must wait."""
        if self._reset:
            raise ConnectionResetError(errno.ECONNRESET, "cut")
        if self._connection.is_hole:
            return len(data)
        if self._deserted:
            raise BrokenPipeError(errno.EPIPE, "nobody reads")
        if len(self._arrived) >= CAPACITY:
            return None
        taken = bytes(data)
        if self.cut_after is not None:
            taken, self.cut_after = taken[: self.cut_after], self.cut_after - len(taken)
        for piece in self._pieces(taken):
            self._send(piece)
        if self.cut_after is not None and self.cut_after <= 0:
            due = self._connection.path.due(self._loop.time())
            self._loop.call_at(due + 1e-3, self._connection.cut)
        return len(data)

    def write_eof(self) -> None:
        """The writing end has closed."""
        if not self._connection.is_hole:
            self._send(None)

    def desert(self) -> None:
        """The reading end has closed."""
        self._deserted = not self._connection.is_hole
        self._arrived.clear()

    def reset(self) -> None:
        """Cut: what is on its way is lost."""
        self._reset = True
        self._transit.clear()

    def lose(self) -> None:
        """What is on its way never arrives."""
        self._transit.clear()

    def read(self, size: int) -> bytes:
        """Give what has arrived; empty at the end."""
        if self._arrived:
            given = bytes(self._arrived[:size])
            del self._arrived[:size]
            return given
        if self._reset:
            raise ConnectionResetError(errno.ECONNRESET, "cut")
        if self._ended:
            return b""
        raise BlockingIOError

    def read_ready(self) -> bool:
        """Whether `read` gives or raises something."""
        return bool(self._arrived) or self._ended or self._reset

    def write_ready(self) -> bool:
        """Whether `write` takes something."""
        return self._reset or self._deserted or len(self._arrived) < CAPACITY

    def _pieces(self, data: bytes) -> list[bytes]:
        path = self._connection.path
        if self._loop.time() >= path.dribbling_until or len(data) < 2:
            return [data]
        borders = sorted({path.rng.randrange(1, len(data)) for _ in range(MAX_PIECES - 1)})
        return [data[a:b] for a, b in zip([0, *borders], [*borders, len(data)], strict=True)]

    def _send(self, piece: bytes | None) -> None:
        due = self._connection.path.due(self._loop.time())
        if due <= self._loop.time() and not self._transit:
            self._take(piece)
            return
        if self._transit:
            due = max(due, self._transit[-1][0])
        self._transit.append((due, piece))
        self._arm()

    def _arm(self) -> None:
        if self._timer is None and self._transit:
            self._timer = self._loop.call_at(self._transit[0][0], self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        now = max(self._loop.time(), self._connection.path.stalled_until)
        if now > self._loop.time():  # stalled since it was sent
            self._transit = deque((max(due, now), piece) for due, piece in self._transit)
        while self._transit and self._transit[0][0] <= self._loop.time():
            self._take(self._transit.popleft()[1])
        self._arm()

    def _take(self, piece: bytes | None) -> None:
        if piece is None:
            self._ended = True
        elif not self._deserted:
            self._arrived += piece


class End(Socket):  # type: ignore[misc]  # it has no type hints
    """A socket: closing it tells the other end on the wire, and not by magic."""

    _read_queue: Wire | None
    _write_queue: Wire | None

    def close(self) -> None:
        if self._write_queue is not None:
            self._write_queue.write_eof()
        if self._read_queue is not None:
            self._read_queue.desert()
        self._read_queue = None
        self._write_queue = None

    def read_ready(self) -> bool:
        wire = self._read_queue
        return wire is None or wire.read_ready()

    @property
    def is_open(self) -> bool:
        """Whether the program still has it."""
        return self._write_queue is not None


class Connection:
    """Two wires and two ends."""

    def __init__(self, path: Path, names: tuple[object, object], opened_at: float) -> None:
        self.path = path
        self.opened_at = opened_at
        self.is_hole = False
        self.up, self.down = Wire(self), Wire(self)
        self.client = End(self.down, self.up, sockname=names[0], peername=names[1])
        self.server = End(self.up, self.down, sockname=names[1], peername=names[0])

    def cut(self) -> None:
        """Reset: both ends learn it at once."""
        self.up.reset()
        self.down.reset()

    def swallow(self) -> None:
        """From now on nothing arrives, and neither end is told."""
        self.is_hole = True
        self.up.lose()
        self.down.lose()


class Listening(ListenSocket):  # type: ignore[misc]  # it has no type hints
    """A listening socket that also accepts what comes over the network."""

    def __init__(self, sockname: object) -> None:
        super().__init__(sockname)
        self._dialed: deque[Connection] = deque()

    def arrive(self, connection: Connection) -> None:
        """Have a connection accepted."""
        self._dialed.append(connection)

    def read_ready(self) -> bool:
        return bool(self._dialed) or bool(super().read_ready())

    def accept(self) -> object:
        if self._dialed:
            connection = self._dialed.popleft()
            return connection.server, connection.client.getsockname()
        return super().accept()


class Network:
    """All paths of a world. `on_dial` is told of every attempt to connect."""

    def __init__(self, labels: list[str], rng: Random) -> None:
        self.paths: dict[tuple[str, Kind], Path] = {
            (label, kind): Path(label, kind, Random(rng.random()))
            for label in labels
            for kind in KINDS
        }
        self.hosts = {f"127.7.{n // 250}.{n % 250 + 1}": label for n, label in enumerate(labels)}
        self.listening: dict[int, Listening] = {}
        self.connections: list[Connection] = []
        """Every connection that was made and whose client's end is not closed yet."""
        self.on_dial: list[Callable[[str, Kind], None]] = []
        self._next_port = 20_000

    def host(self, label: str) -> str:
        """The address by which an account reaches the broker."""
        return next(host for host, owner in self.hosts.items() if owner == label)

    def is_ours(self, host: object) -> bool:
        """Whether an address leads over this network."""
        return host in self.hosts

    def open(self, label: str | None = None, kind: Kind | None = None) -> list[Connection]:
        """Connections whose client's end is open, oldest first."""
        self.connections = [c for c in self.connections if c.client.is_open]
        return [
            c
            for c in self.connections
            if label in (None, c.path.label) and kind in (None, c.path.kind)
        ]

    async def dial(self, host: str, port: int, kind: Kind) -> End:
        """Connect, as a client does."""
        path = self.paths[self.hosts[host], kind]
        for tell in self.on_dial:
            tell(path.label, kind)
        loop = asyncio.get_running_loop()
        if loop.time() < path.dark_until:
            await loop.create_future()  # until the client loses patience
        await asyncio.sleep(2 * (path.due(loop.time()) - loop.time()))
        listening = self.listening.get(port)
        if loop.time() < path.refusing_until or listening is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{host}:{port} refuses")
        self._next_port += 1
        names = (("::1", self._next_port, 0, 0), listening.getsockname())
        connection = Connection(path, names, loop.time())
        self.connections.append(connection)
        listening.arrive(connection)
        return connection.client

    def heal(self) -> None:
        """End every fault of the net; holes stay holes until their sockets are given up."""
        for path in self.paths.values():
            path.stalled_until = path.slow_until = path.dribbling_until = 0.0
            path.dark_until = path.refusing_until = 0.0
