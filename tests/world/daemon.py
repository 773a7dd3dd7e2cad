"""The daemon under test: started, watched, stopped, killed and started again."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from msgspec import Struct

from realtime.config.settings import (
    AccountSettings,
    AlpacaSettings,
    OrdersSettings,
    ServerSettings,
    Settings,
)
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.runtime.environment import Environment
from realtime.runtime.steady_clock import SteadyClock
from realtime.secret import Credentials, Secret
from realtime.store.records import Change, Record
from tests.world.broker import Broker
from tests.world.loop import WorldConnector
from tests.world.network import Network

STOP_S = 20.0
"""An orderly stop takes at most this; the daemon promises 5 s to its operator."""


_DIRECTORY = TemporaryDirectory(prefix="realtime-world-")
_NUMBERS = count()
"""A folder for each daemon's audit log: it survives a restart of the daemon, not the process."""


class Start(Struct, frozen=True):
    """One run of the daemon."""

    number: int
    at: float


class Keeper:
    """Whoever starts the daemon. `on_record` is told of every change of its store,
    `on_start` before each run."""

    def __init__(self, broker: Broker, network: Network, seed: int) -> None:
        self._broker = broker
        self._network = network
        self._seed = seed
        self._directory = Path(_DIRECTORY.name) / str(next(_NUMBERS))
        self._directory.mkdir()
        self._rng = Random(f"kill:{seed}")
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self.daemon: Daemon | None = None
        self.starts: list[Start] = []
        self.on_record: list[Callable[[Record], None]] = []
        self.on_start: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Start the daemon; returns when it listens."""
        assert self._task is None, "it runs already"
        loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        ready = asyncio.Event()
        self.starts.append(Start(len(self.starts) + 1, loop.time()))
        for tell in self.on_start:
            tell()
        self._task = asyncio.create_task(self._run(ready), name="daemon")
        await asyncio.wait(
            [self._task, waiting := asyncio.create_task(ready.wait())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        waiting.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self, *, kill: bool) -> None:
        """Stop in order, or as if the process were gone: sockets cut, no last words."""
        task, self._task = self._task, None
        assert task is not None, "it does not run"
        if kill:
            for connection in self._network.open():
                connection.cut()
            for _ in range(self._rng.randrange(3)):
                await asyncio.sleep(0)
            task.cancel()
        self._stop.set()
        self.daemon = None
        async with asyncio.timeout(STOP_S):
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def _run(self, ready: asyncio.Event) -> None:
        number = len(self.starts)
        world = Environment(
            clock=SteadyClock(self._broker.clocks.daemon, asyncio.get_running_loop().time),
            rng=Random(f"daemon:{self._seed}:{number}"),
            make_connector=lambda: WorldConnector(limit=0),
        )
        async with run_daemon(self._settings(), world) as daemon:
            daemon.store.subscribe(self._changed)
            self.daemon = daemon
            ready.set()
            await self._stop.wait()

    def _changed(self, change: Change) -> None:
        if change.after is not None:
            for tell in self.on_record:
                tell(change.after)

    def _settings(self) -> Settings:
        return Settings(
            path=Path("accounts.toml"),
            server=ServerSettings(port=0),
            alpaca=AlpacaSettings(),
            orders=OrdersSettings(audit_log=self._directory / "orders.jsonl"),
            accounts=tuple(self._account(label) for label in self._broker.exchange.labels),
        )

    def _account(self, label: str) -> AccountSettings:
        return AccountSettings(
            label=label,
            trading_url=f"http://{self._network.host(label)}:{self._broker.port}",
            credentials=Credentials(
                key_id=Secret(f"demo-{label}"), secret_key=Secret(f"demo-secret-{label}")
            ),
        )
