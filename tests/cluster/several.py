"""Several daemons of one fleet, one simulator and the model of etcd, in one loop of virtual time.

Every daemon reaches the broker over its own addresses, so that it can be cut off or killed alone,
and so that the simulator can tell who sent a request.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from realtime.cluster.coordinator import Assignment
from realtime.cluster.etcd_coordinator import EtcdCoordinator
from realtime.config.settings import (
    AccountSettings,
    ClusterSettings,
    EngineSettings,
    OrdersSettings,
    ServerSettings,
    Settings,
)
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.runtime.environment import Environment
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from realtime.store.records import Record
from tests.cluster.coordinator_model import EtcdModel, ModelClient
from tests.virtual import VirtualConnector, nanosecond_clock, wall_clock
from tests.world.loop import WorldConnector, WorldLoop
from tests.world.network import Network

SECRET = Secret("0123456789abcdef0123456789abcdef")
DAEMONS = ("beta", "gamma", "delta")
BROKER_PORT = 8091
MESH_PORT = 18_101
NEVER = float("inf")
LIMIT_S = 3600.0

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


class Sent(Struct):
    """An order as it arrived at the broker."""

    at: float
    daemon: str
    account: str
    client_order_id: str
    status: int = 0
    """Of the response; 0: there was none."""


SENT = web.RequestKey("sent", Sent)


class RecordingBroker(Simulator):
    """Notes which daemon sent each order."""

    def __init__(self, network: Network, **more: Any) -> None:
        super().__init__(clock=nanosecond_clock, **more)
        self._network = network
        self.sent: list[Sent] = []

    def is_slot_taken(self, label: str) -> bool:
        """Whether the broker would refuse another connection of an account."""
        return self._broadcaster.is_slot_taken(label) or bool(self._broadcaster.sockets(label))

    def _application(self) -> web.Application:
        app = super()._application()
        app.middlewares.insert(0, self._note)  # before any fault delays or drops the request
        return app

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST" and request.path == "/v2/orders":
            daemon, _, account = self._network.hosts[request.url.host or ""].partition("/")
            now = asyncio.get_running_loop().time()
            body = json.loads(await request.read())
            sent = Sent(now, daemon, account, str(body.get("client_order_id")))
            self.sent.append(sent)
            request[SENT] = sent
        return await handler(request)

    async def _set_response_headers(
        self, request: web.Request, response: web.StreamResponse
    ) -> None:
        await super()._set_response_headers(request, response)
        if (sent := request.get(SENT)) is not None:
            sent.status = response.status


class Reply(Struct, frozen=True):
    """What a daemon answered."""

    status: int
    headers: dict[str, str]
    json: Any  # documents of every shape


class Several:
    """The fleet. Daemons are started by name."""

    def __init__(self, broker: RecordingBroker, network: Network, folder: Path, seed: int) -> None:
        self.broker = broker
        self.network = network
        self.model = EtcdModel()
        self.clients: dict[str, ModelClient] = {}
        self.daemons: dict[str, Daemon] = {}
        self._folder = folder
        self._seed = seed
        self._starts = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stops: dict[str, asyncio.Event] = {}
        self._http: aiohttp.ClientSession | None = None
        self.meshes: dict[str, int] = {}
        """daemon → port of its mesh, for those that have one"""

    @property
    def labels(self) -> list[str]:
        """The accounts."""
        return list(self.broker.exchange.labels)

    async def start(self, *names: str) -> None:
        """Start daemons, all at once; returns when they listen."""
        await asyncio.gather(*map(self._start, names))

    async def _start(self, name: str) -> None:
        ready = asyncio.Event()
        self._stops[name] = asyncio.Event()
        task = asyncio.create_task(self._run(name, ready, self._stops[name]), name=name)
        self._tasks[name] = task
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()

    async def stop(self, name: str) -> None:
        """Stop a daemon in order."""
        self._stops[name].set()
        task = self._tasks.pop(name)
        await task
        self.daemons.pop(name, None)

    async def kill(self, name: str, *, is_machine: bool = False) -> None:
        """End a daemon without a word. `is_machine`: its connections are not even closed."""
        self.clients[name].cut_until = NEVER
        for connection in self.network.open():
            if connection.path.label.startswith(f"{name}/"):
                if is_machine:
                    connection.swallow()
                else:
                    connection.cut()
        task = self._tasks.pop(name)
        self.daemons.pop(name, None)
        task.cancel()
        await asyncio.wait([task])

    def cut_from_engine(self, name: str, seconds: float) -> None:
        """Cut a daemon off from etcd."""
        self.clients[name].cut_until = asyncio.get_running_loop().time() + seconds

    async def _run(self, name: str, ready: asyncio.Event, stop: asyncio.Event) -> None:
        self._starts += 1
        loop = asyncio.get_running_loop()

        def connect(_: str) -> ModelClient:
            client = ModelClient(self.model, Random(f"{self._seed}:{name}:{self._starts}"))
            self.clients[name] = client
            return client

        environment = Environment(
            clock=wall_clock,
            rng=Random(f"daemon:{self._seed}:{name}:{self._starts}"),
            make_connector=lambda: WorldConnector(limit=0),
            boottime=loop.time,
            make_engine_client=connect,
        )
        async with run_daemon(self._settings(name), environment) as daemon:
            self.daemons[name] = daemon
            ready.set()
            await stop.wait()

    def _settings(self, name: str) -> Settings:
        port = self.meshes.get(name)
        return Settings(
            path=Path("accounts.toml"),
            server=ServerSettings(port=0),
            orders=OrdersSettings(audit_log=self._folder / f"orders-{name}.jsonl"),
            cluster=ClusterSettings(
                fleet="main",
                member=name,
                secrets=(SECRET,),
                listen=None if port is None else ("127.0.0.1", port),
                engine=EngineSettings(addresses=("http://127.0.0.1:2379",)),
            ),
            accounts=tuple(
                AccountSettings(
                    label=label,
                    trading_url=f"http://{self.network.host(f'{name}/{label}')}:{BROKER_PORT}",
                    credentials=Credentials(
                        key_id=Secret(f"demo-{label}"), secret_key=Secret(f"demo-secret-{label}")
                    ),
                )
                for label in self.labels
            ),
        )

    # what is known

    def coordinator(self, name: str) -> EtcdCoordinator:
        """The coordinator of a daemon."""
        engine = self.daemons[name].engine
        assert engine is not None, "it has one"
        return engine.coordinator

    def owners(self, label: str) -> list[str]:
        """The daemons that may order for an account now."""
        return [name for name in self.daemons if self.coordinator(name).owns(label)]

    def owner(self, label: str) -> str:
        """The one owner of an account."""
        (owner,) = self.owners(label)
        return owner

    def assignment(self, name: str, label: str) -> Assignment:
        """An assignment as a daemon has it."""
        return self.coordinator(name).assignments[label]

    def record(self, name: str, label: str) -> Record:
        """What a daemon knows of an account."""
        record = self.daemons[name].store.get(label)
        assert record is not None, "it is configured"
        return record

    def is_synced(self, label: str) -> bool:
        """Whether the one owner of an account has it synced."""
        owners = self.owners(label)
        return len(owners) == 1 and self.record(owners[0], label).link.is_synced

    def all_synced(self) -> bool:
        """Whether every account has one owner that has it synced."""
        return all(self.is_synced(label) for label in self.labels)

    async def until(self, holds: Callable[[], bool], within_s: float = 120.0) -> float:
        """Let time pass until something holds; return how much."""
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        while not holds():
            assert loop.time() - started_at < within_s, f"not within {within_s} s"
            await asyncio.sleep(0.01)
        return loop.time() - started_at

    async def order(self, name: str, label: str, client_order_id: str, **more: object) -> Reply:
        """Place an order at a daemon."""
        body = {**ORDER, "account_id": label, "client_order_id": client_order_id, **more}
        return await self.ask(name, "POST", "/orders", body)

    async def ask(self, name: str, method: str, path: str, body: object = None) -> Reply:
        """Send a request to a daemon."""
        assert self._http is not None, "it is open"
        url = f"http://127.0.0.1:{self.daemons[name].port}{path}"
        async with self._http.request(method, url, json=body) as answer:
            document = await answer.json(content_type=None) if answer.status != 204 else None
            return Reply(answer.status, dict(answer.headers), document)

    async def post_fault(self, **fault: object) -> None:
        """Switch a fault of the broker on."""
        assert self._http is not None, "it is open"
        async with self._http.post(f"{self.broker.url}/_sim/faults", json=fault) as answer:
            assert answer.status < 300, await answer.text()

    def ids_at_broker(self, label: str) -> list[str]:
        """The client order ids that the exchange has of an account, a duplicate twice."""
        rows = self.broker.exchange.orders(label, {"status": "all", "limit": "500"})
        return [str(row["client_order_id"]) for row in rows]

    async def close(self) -> None:
        """Stop every daemon that still runs."""
        for name in list(self._tasks):
            await self.stop(name)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hold the clients' connections while the block runs."""
        async with aiohttp.ClientSession(connector=VirtualConnector(limit=0)) as self._http:
            yield


def play(
    scene: Callable[[Several], Coroutine[Any, Any, None]],
    *,
    accounts: int = 6,
    seed: int = 1,
    slot_s: float = 90.0,
    daemons: tuple[str, ...] = DAEMONS,
    has_mesh: bool = False,
) -> None:
    """Play a scene from its beginning to its end."""

    async def main(loop: WorldLoop) -> None:
        async with asyncio.timeout(LIMIT_S):
            await _play(loop, scene, accounts, seed, slot_s, daemons, has_mesh)

    with asyncio.Runner(loop_factory=WorldLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, WorldLoop)
        runner.run(main(loop))


async def _play(
    loop: WorldLoop,
    scene: Callable[[Several], Coroutine[Any, Any, None]],
    accounts: int,
    seed: int,
    slot_s: float,
    daemons: tuple[str, ...],
    has_mesh: bool,
) -> None:
    labels = list(Simulator(accounts=accounts, seed=seed).exchange.labels)
    network = loop.network = Network(
        [f"{daemon}/{label}" for daemon in daemons for label in labels], Random(f"net:{seed}")
    )
    for path in network.paths.values():
        path.usual_s = 0.005
    broker = RecordingBroker(network, accounts=accounts, seed=seed, activity=0, step_s=1.0)
    with TemporaryDirectory(prefix="realtime-several-") as folder:
        await broker.start(port=BROKER_PORT)
        async with broker:
            several = Several(broker, network, Path(folder), seed)
            if has_mesh:
                several.meshes = {name: MESH_PORT + n for n, name in enumerate(daemons)}
            async with several.open():
                try:
                    await several.post_fault(kind="second_connection", release_s=slot_s)
                    await scene(several)
                finally:
                    await several.close()
