"""`[cluster] engine` while the daemon runs: the coordinator over etcd, and what this daemon owns.

Imported only where the section is in the configuration.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b

import aiohttp

from realtime import __version__
from realtime.cluster.coordinator import Member
from realtime.cluster.etcd_coordinator import EtcdCoordinator
from realtime.cluster.etcd_gateway import EtcdGateway, EtcdUser
from realtime.cluster.etcd_types import EtcdClient
from realtime.config.settings import EngineSettings
from realtime.errors import ConfigError
from realtime.orders.trading_service import TradingService
from realtime.runtime.account_registry import AccountRegistry
from realtime.runtime.environment import Environment
from realtime.runtime.ownership import Ownership, Peers


class Engine:
    """The coordinator of this daemon, and its ownership once it runs."""

    def __init__(
        self, coordinator: EtcdCoordinator, gateway: EtcdGateway | None, member: Member, nodes: int
    ) -> None:
        self.coordinator = coordinator
        self.gateway = gateway
        """None: a test's model."""
        self.nodes = nodes
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
            task = asyncio.create_task(ownership.run(), name="ownership")
            try:
                yield
            finally:
                task.cancel()
                await asyncio.wait([task])


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
