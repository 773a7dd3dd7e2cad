"""`[cluster] engine` while the daemon runs: the coordinator over etcd, and what this daemon owns.

Imported only where the section is in the configuration.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b

import aiohttp

from realtime import __version__
from realtime.api.documents.cluster import EngineDocument, EngineFigures, MemberRow
from realtime.cluster.coordinator import Member
from realtime.cluster.etcd_coordinator import EtcdCoordinator
from realtime.cluster.etcd_gateway import LATENCY_BOUNDS_S, EtcdGateway, EtcdUser
from realtime.cluster.etcd_types import EtcdClient
from realtime.config.settings import EngineSettings
from realtime.errors import ConfigError
from realtime.orders.trading_service import TradingService
from realtime.runtime.account_registry import AccountRegistry
from realtime.runtime.environment import Environment
from realtime.runtime.ownership import Ownership, Peers
from realtime.telemetry.histogram import Histogram

COUNT_INTERVAL_S = 10.0
"""Between two looks at which nodes of etcd answer."""


class Engine:
    """The coordinator of this daemon, and its ownership once it runs."""

    def __init__(
        self, coordinator: EtcdCoordinator, gateway: EtcdGateway | None, member: Member, nodes: int
    ) -> None:
        self.coordinator = coordinator
        self.gateway = gateway
        """None: a test's model."""
        self.nodes = self.nodes_up = nodes
        """Of etcd, in the configuration."""
        self._member = member
        self.ownership: Ownership | None = None

    @property
    def name(self) -> str:
        """This daemon's in the fleet."""
        return self._member.name

    @property
    def knows_owners(self) -> bool:
        """Whether every enabled account has an owner, as far as this daemon knows."""
        ownership = self.ownership
        return ownership is not None and ownership.has_owners

    def get_epoch(self, label: str) -> int:
        """Return the epoch of an account's assignment."""
        assignment = self.coordinator.assignments.get(label)
        return 0 if assignment is None else assignment.epoch

    def get_lease(self) -> tuple[float, bool]:
        """Return for how long the lease may be relied on, and whether the engine answers."""
        lease = self.coordinator.lease
        return max(0.0, lease.remaining_s), lease.holds()

    def get_document(self) -> EngineDocument:
        """Return what is known of the fleet, and what this daemon owns."""
        coordinator, ownership = self.coordinator, self.ownership
        members, owners = coordinator.members, coordinator.owners
        counts = Counter(owners.values())
        enabled = [] if ownership is None else ownership.enabled
        return EngineDocument(
            member=self.name,
            reachable=coordinator.lease.holds(),
            nodes=self.nodes,
            nodes_up=self.nodes_up,
            lease_s=max(-1e6, round(coordinator.lease.remaining_s, 1)),
            accounts=counts[self.name],
            unowned=sum(1 for label in enabled if label not in owners),
            moving=0 if ownership is None else ownership.moving,
            draining=ownership is not None and ownership.is_draining,
            alone=coordinator.is_alone,
            cut_off=ownership is not None and ownership.is_cut_off,
            members=[
                MemberRow(
                    member=name,
                    address=member.address,
                    version=member.version,
                    accounts=counts[name],
                    draining=member.is_draining,
                    same_accounts=member.accounts == self._member.accounts,
                )
                for name, member in sorted(members.items())
            ],
        )

    def get_figures(self) -> EngineFigures:
        """Return what is counted since the start."""
        ownership, intents, gateway = self.ownership, self.coordinator.intents, self.gateway
        return EngineFigures(
            latency=Histogram(LATENCY_BOUNDS_S) if gateway is None else gateway.latency,
            failures=0 if gateway is None else gateway.failures,
            leases_lost=self.coordinator.lease.losses,
            taken_over=0 if ownership is None else ownership.taken_over,
            handed_over=0 if ownership is None else ownership.handed_over,
            intents_recorded=intents.recorded,
            intents_refused=intents.refused,
        )

    async def drain(self, principal: str) -> None:
        """Hand over all accounts, on behalf of a principal. Raises `EngineUnreachable`."""
        assert self.ownership is not None, "it runs"
        await self.ownership.drain(principal)

    def go_alone(self, principal: str) -> None:
        """Go on without the engine, on behalf of a principal. Raises `NotSent` if it answers."""
        assert self.ownership is not None, "it runs"
        self.ownership.go_alone(principal)

    async def _count_nodes(self) -> None:
        while self.gateway is not None:
            self.nodes_up = await self.gateway.count_nodes()
            await asyncio.sleep(COUNT_INTERVAL_S)

    def check_change(self, label: str) -> None:
        """Raise `NotOwner` if a request that changes something must not leave: the last moment."""
        self.coordinator.check(label, reduces_risk=True)

    @asynccontextmanager
    async def run(
        self, registry: AccountRegistry, trading: TradingService, peers: Peers
    ) -> AsyncIterator[None]:
        """Be a member, and follow what this daemon owns, while the block runs.

        Raises `ConfigError` if the fleet does not accept this daemon.
        """
        ownership = Ownership(
            self.coordinator, registry, trading, name=self._member.name, peers=peers
        )
        self.ownership = ownership
        async with self.coordinator.join(self._member):
            tasks = [
                asyncio.create_task(ownership.run(), name="ownership"),
                asyncio.create_task(self._count_nodes(), name="engine:nodes"),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)


@asynccontextmanager
async def open_engine(
    settings: EngineSettings,
    environment: Environment,
    *,
    fleet: str,
    member: str,
    address: str,
    labels: Sequence[str],
    run: str,
) -> AsyncIterator[Engine]:
    """Hold connections to etcd while the block runs. Raises `ConfigError` for TLS files that cannot
    be used."""
    # Not the session for the broker: its proxies are not for etcd.
    async with aiohttp.ClientSession(connector=environment.make_connector()) as session:
        client: EtcdClient
        gateway = None
        if environment.make_engine_client is not None:
            client = environment.make_engine_client(member)
        else:
            user = None
            if settings.user is not None and settings.password is not None:
                user = EtcdUser(settings.user, settings.password)
            client = gateway = EtcdGateway(
                session, settings.addresses, tls=_make_tls(settings), user=user
            )
        coordinator = EtcdCoordinator(
            client,
            fleet=fleet,
            name=member,
            run=run,
            boottime=environment.boottime,
            wall_clock=environment.wall_clock or environment.clock,
        )
        described = Member(
            name=member, address=address, version=__version__, accounts=make_digest(labels)
        )
        yield Engine(coordinator, gateway, described, len(settings.addresses))


def make_digest(labels: Sequence[str]) -> str:
    """Return a short hash of the accounts that a daemon knows."""
    return blake2b("\n".join(sorted(labels)).encode(), digest_size=8).hexdigest()


def _make_tls(settings: EngineSettings) -> ssl.SSLContext | None:
    if not any(address.startswith("https:") for address in settings.addresses):
        return None
    try:
        tls = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file is not None:
            tls.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cluster: the TLS files of the engine cannot be used: {error}",
            remedy="check engine_ca_file, engine_certificate_file and engine_key_file",
        ) from error
    return tls
