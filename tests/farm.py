"""Simulator and daemon together, as their users meet them: over HTTP and websockets only."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from msgspec import Struct

from realtime.app import Daemon, World, running
from realtime.config.settings import (
    AccountSettings,
    AlpacaSettings,
    Credentials,
    ServerSettings,
    Settings,
)
from realtime.secret import Secret
from realtime.simulator.app import Simulator
from realtime.store import Record


class Farm(Struct, frozen=True):
    """A running pair and a client for asking either."""

    simulator: Simulator
    daemon: Daemon
    http: aiohttp.ClientSession

    async def broker(self, path: str) -> object:
        """What the simulator answers under `/_sim`: never counted against a budget."""
        async with self.http.get(f"{self.simulator.url}/_sim{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def reader(self, path: str) -> object:
        """What the daemon answers."""
        async with self.http.get(f"http://127.0.0.1:{self.daemon.port}{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def fault(self, **fault: object) -> None:
        """Switch a fault on."""
        async with self.http.post(f"{self.simulator.url}/_sim/faults", json=fault) as answer:
            assert answer.status < 300, await answer.text()

    async def until(self, settled: object) -> None:
        raise NotImplementedError

    @property
    def records(self) -> Sequence[Record]:
        """The daemon's records of all accounts."""
        return tuple(self.daemon.store)


def settings_for(simulator: Simulator, labels: Sequence[str]) -> Settings:
    """What `realtime sim --write-config` would write."""
    return Settings(
        path=Path("accounts.toml"),
        server=ServerSettings(port=0),
        alpaca=AlpacaSettings(),
        accounts=tuple(
            AccountSettings(
                label=label,
                trading_url=simulator.url,
                credentials=Credentials(
                    key_id=Secret(f"demo-{label}"), secret_key=Secret(f"demo-secret-{label}")
                ),
            )
            for label in labels
        ),
    )


@asynccontextmanager
async def farm(simulator: Simulator, world: World) -> AsyncIterator[Farm]:
    """Run the daemon against a simulator that has been started."""
    settings = settings_for(simulator, list(simulator.exchange.labels))
    async with (
        running(settings, world) as daemon,
        aiohttp.ClientSession(connector=world.make_connector()) as http,
    ):
        yield Farm(simulator, daemon, http)
