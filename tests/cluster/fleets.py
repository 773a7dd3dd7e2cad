"""Fleets for the tests of coordinators: in the model, on real servers, and of one daemon alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Protocol

import aiohttp

from realtime.cluster.alone import Alone
from realtime.cluster.coordinator import Coordinator, Intent, Latch, Member
from realtime.cluster.etcd_coordinator import EtcdCoordinator
from realtime.cluster.etcd_gateway import EtcdGateway
from realtime.cluster.etcd_types import EtcdClient
from tests.cluster.coordinator_model import EtcdModel, ModelClient
from tests.virtual import run

HALT = Latch(reason="strange fills", principal="ops", since="2026-09-21T14:13:20Z")

WAIT_S = 30.0


def make_intent(account: str = "alpha", number: int = 1, **more: object) -> Intent:
    """Return the intent of an order for one share."""
    values: dict[str, object] = {
        "account": account,
        "client_order_id": f"order-{number}",
        "fingerprint": f"print-{number}",
        "symbol": "AAPL",
        "side": "buy",
        "qty": "1",
        **more,
    }
    return Intent(**values)  # type: ignore[arg-type]  # the tests' own


class FleetOfTests(Protocol):
    """Daemons of one fleet."""

    def member(self, name: str) -> AbstractAsyncContextManager[Coordinator]: ...


class EtcdFleet:
    """Daemons over etcd: the model, or real servers. `clients` has the connection of each."""

    def __init__(
        self, connect: Callable[[str], EtcdClient], clock: Callable[[], float], name: str = "test"
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._name = name
        self._runs = 0
        self.paused_s: dict[str, float] = {}
        """By how much the clock of a daemon is ahead: as if it had been suspended."""

    @asynccontextmanager
    async def member(self, name: str) -> AsyncIterator[EtcdCoordinator]:
        """Run a member while the block runs."""
        coordinator = self.create(name)
        async with coordinator.join(Member(name=name)):
            yield coordinator

    def create(self, name: str) -> EtcdCoordinator:
        """Return a member that has not joined."""
        self._runs += 1
        return EtcdCoordinator(
            self._connect(name),
            fleet=self._name,
            name=name,
            run=f"run{self._runs}",
            boottime=lambda: self._clock() + self.paused_s.get(name, 0.0),
            wall_clock=time.time,
        )


class ModelFleet(EtcdFleet):
    """Daemons over the model, in virtual time."""

    def __init__(self, seed: int = 1) -> None:
        self.model = EtcdModel()
        self.clients: dict[str, ModelClient] = {}

        def connect(name: str) -> EtcdClient:
            client = ModelClient(self.model, Random(f"{seed}:{name}"))
            self.clients[name] = client
            return client

        super().__init__(connect, lambda: asyncio.get_running_loop().time())


class AloneFleet:
    """One daemon without an engine."""

    @asynccontextmanager
    async def member(self, name: str) -> AsyncIterator[Alone]:
        """Run it while the block runs."""
        coordinator = Alone()
        async with coordinator.join(Member(name=name)):
            yield coordinator


def run_on_model(main: Callable[[ModelFleet], Awaitable[None]], *, seed: int = 1) -> None:
    """Run a test in virtual time."""

    async def start() -> None:
        await main(ModelFleet(seed))

    run(start)


def run_on_etcd(
    main: Callable[[EtcdFleet], Awaitable[None]], endpoints: list[str], name: str
) -> None:
    """Run a test on real servers; `name` is that of its fleet, so that tests share servers."""

    async def start() -> None:
        async with aiohttp.ClientSession() as session:
            fleet = EtcdFleet(
                lambda _: EtcdGateway(session, endpoints),
                lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
                name,
            )
            async with asyncio.timeout(WAIT_S * 4):
                await main(fleet)

    asyncio.run(start())


async def wait_for(condition: Callable[[], bool], limit_s: float = WAIT_S) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - a view that follows a server has no event
            await asyncio.sleep(0.01)
