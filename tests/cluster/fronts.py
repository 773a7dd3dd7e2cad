"""An owner with its simulator, and fronts, all in one loop and over their own protocols."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs
from yarl import URL

from realtime.cluster.feed_client import FeedStatus
from realtime.config.settings import ClusterSettings, ServerSettings, Settings
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.runtime.environment import Environment
from realtime.secret import Secret
from realtime.simulator.app import Simulator
from tests.cluster.relay import Relay
from tests.fleet import Fleet, fleet

SECRET = Secret("0123456789abcdef0123456789abcdef")
MESH_PORT = 18_095
RELAY_PORT = MESH_PORT + 1


def owner_settings(member: str = "beta", *, port: int = MESH_PORT) -> ClusterSettings:
    return ClusterSettings(
        fleet="main", member=member, secrets=(SECRET,), listen=("127.0.0.1", port)
    )


def as_owner(member: str = "beta", *, port: int = MESH_PORT) -> Callable[[Settings], Settings]:
    """Change settings of a daemon so that fronts may follow it."""
    return lambda settings: structs.replace(settings, cluster=owner_settings(member, port=port))


def front_settings(*ports: int, secret: Secret = SECRET, fleet_name: str = "main") -> Settings:
    return Settings(
        path=Path("front.toml"),
        accounts=(),
        server=ServerSettings(port=0),
        cluster=ClusterSettings(
            fleet=fleet_name,
            member="front",
            secrets=(secret,),
            of=tuple(f"http://127.0.0.1:{port}" for port in ports or (MESH_PORT,)),
        ),
    )


class Pair(Struct, frozen=True):
    """An owner, and a front that follows it."""

    owner: Fleet
    front: Daemon
    relay: Relay

    @property
    def status(self) -> FeedStatus:
        """How the front's feed is doing."""
        assert self.front.cluster is not None
        return self.front.cluster.statuses[0]

    async def until(self, holds: Callable[[], bool], *, within_s: float = 60.0) -> float:
        return await self.owner.until(holds, within_s=within_s)

    def is_equal(self) -> bool:
        """Whether the front has every record as the owner has it now."""
        theirs = {r.profile.label: r for r in self.owner.daemon.store}
        ours = {r.profile.label: r for r in self.front.store}
        return list(theirs) == list(ours) and all(
            structs.replace(record, version=0, owner=None, state=ours[label].state)
            == structs.replace(ours[label], version=0, owner=None)
            and record.state.orders == ours[label].state.orders
            and record.state.account == ours[label].state.account
            for label, record in theirs.items()
        )

    async def read(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """What the front answers."""
        async with self.owner.http.get(f"http://127.0.0.1:{self.front.port}{path}") as response:
            return response.status, dict(response.headers), await response.read()

    async def send(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """What the front answers to a request with a JSON body; header names with underscores."""
        async with self.owner.http.request(
            method,
            URL(f"http://127.0.0.1:{self.front.port}{path}", encoded=True),
            data=body if isinstance(body, bytes) else None,
            json=None if isinstance(body, bytes) else body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        ) as response:
            content = await response.read()
            document = msgspec.json.decode(content) if content else None
            return response.status, dict(response.headers), document

    async def read_both(self, path: str) -> tuple[bytes, bytes]:
        """What owner and front answer to the same request."""
        async with self.owner.http.get(
            f"http://127.0.0.1:{self.owner.daemon.port}{path}"
        ) as response:
            theirs = await response.read()
        return theirs, (await self.read(path))[2]


@asynccontextmanager
async def pair(
    simulator: Simulator,
    world: Environment,
    front_world: Environment,
    *,
    configure: Callable[[Settings], Settings] = lambda settings: settings,
    configure_front: Callable[[Settings], Settings] = lambda settings: settings,
) -> AsyncIterator[Pair]:
    """Run both against a simulator that has been started."""
    make_owner = as_owner()
    async with (
        fleet(simulator, world, configure=lambda s: configure(make_owner(s))) as owner,
        Relay(RELAY_PORT, MESH_PORT) as relay,
        run_daemon(configure_front(front_settings(RELAY_PORT)), front_world) as front,
    ):
        yield Pair(owner, front, relay)
