"""`[cluster]` while the daemon runs: the feed of its accounts, and the feeds that it follows.

Imported only where the section is in the configuration.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random

import aiohttp
from aiohttp import web

from realtime import __version__
from realtime.api.documents.cluster import ClusterDocument, EngineFigures, FeedFigures, OwnerRow
from realtime.api.documents.timestamps import format_millis
from realtime.api.fastpath.runner import CONNECTION_LIMITER
from realtime.api.listener import serve
from realtime.api.security.client_limits import ConnectionCounter, ConnectionLimiter
from realtime.cluster.feed_client import FeedClient, FeedStatus, make_client_tls
from realtime.cluster.feed_server import FEED_PATH, FeedIdentity, FeedServer
from realtime.cluster.front_accounts import FrontAccounts
from realtime.cluster.mesh import MeshGate, make_mesh_application
from realtime.config.settings import ClusterSettings
from realtime.core.model import AccountLabel
from realtime.errors import ConfigError
from realtime.runtime.engine import Engine
from realtime.runtime.environment import Environment
from realtime.runtime.hops import Hops, add_forwarded_requests
from realtime.runtime.member_follower import MemberFollower
from realtime.runtime.ownership import Peers
from realtime.store.store import Store

MAX_CONNECTIONS_PER_ADDRESS = 64
"""To the mesh: a front holds one, and one for each order on its way."""

COMPLETE_TIMEOUT_S = 30.0
"""How long the start waits for owners; after that the daemon answers without them."""


class Cluster:
    """This daemon as a member: built before the application, then run."""

    def __init__(
        self,
        settings: ClusterSettings,
        store: Store,
        environment: Environment,
        rng: Random,
        *,
        has_own_accounts: bool,
        engine: Engine | None = None,
    ) -> None:
        clock = environment.clock
        self._settings = settings
        self._engine = engine
        self._store = store
        self._environment = environment
        self._rng = rng
        coordinator = None if engine is None else engine.coordinator
        self._accounts = FrontAccounts(
            store,
            clock=clock,
            is_own=None if coordinator is None else coordinator.owns,
            keeps=lambda label: coordinator is not None and label in self._configured,
            handle_successor=(lambda label, owner, epoch: None)
            if coordinator is None
            else coordinator.handle_successor,
            feeds=settings.of,
        )
        self._configured = {record.profile.label for record in store}
        self._gate = MeshGate(settings.secrets, clock)
        self._feed: FeedServer | None = None
        if settings.listen is not None:
            identity = FeedIdentity(
                fleet=settings.fleet, member=settings.member, version=__version__, url=settings.url
            )
            self._feed = FeedServer(
                store,
                identity,
                clock=clock,
                get_epoch=lambda label: 0 if engine is None else engine.get_epoch(label),
                get_lease=lambda: None if engine is None else engine.get_lease(),
            )
        self._clients: list[FeedClient] = []
        self._has_own_accounts = has_own_accounts
        self.forwarder: Hops | None = None
        """Passes requests on to owners; None: no other daemon is followed."""
        self.mesh_port: int | None = None
        """Where other members connect; None while it does not listen."""

    @property
    def statuses(self) -> list[FeedStatus]:
        """Of the feeds that are followed, in the order of the configuration."""
        return [client.status for client in self._clients]

    @property
    def is_complete(self) -> bool:
        """Whether every owner was received once, with all of its accounts."""
        are_joined = all(status.has_joined for status in self.statuses)
        if self._engine is not None:
            return are_joined and self._engine.knows_owners
        return are_joined and len(self._clients) == len(self._settings.of)

    @property
    def missing(self) -> str:
        """What is not received yet."""
        names = [
            f"{status.member or status.address}: {status.error}"
            for status in self.statuses
            if not status.has_joined
        ]
        return "; ".join(names) or "nothing"

    async def wait_until_complete(self) -> None:
        """Wait until every owner was received once, or until that has taken too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(COMPLETE_TIMEOUT_S):
                for client in self._clients:
                    await client.joined.wait()

    def get_document(self) -> ClusterDocument:
        """Which daemons this one follows, and how many follow it."""
        return ClusterDocument(
            fleet=self._settings.fleet,
            member=self._settings.member,
            fronts=0 if self._feed is None else self._feed.fronts,
            owners=[self._make_row(status) for status in self.statuses],
            engine=None if self._engine is None else self._engine.get_document(),
        )

    def get_engine_figures(self) -> EngineFigures | None:
        """What is counted of the engine; None: there is none."""
        return None if self._engine is None else self._engine.get_figures()

    def _make_row(self, status: FeedStatus) -> OwnerRow:
        return OwnerRow(
            member=status.member,
            address=status.address,
            url=status.url,
            connected=status.is_current,
            since=format_millis(status.since),
            accounts=self._accounts.count(status.address),
            error=status.error,
            skew_s=status.skew_s,
        )

    def get_figures(self) -> FeedFigures:
        """What is counted."""
        feed = self._feed
        return FeedFigures(
            fronts=0 if feed is None else feed.fronts,
            sent_frames=0 if feed is None else feed.counts.frames,
            sent_bytes=0 if feed is None else feed.counts.bytes,
            joined=0 if feed is None else feed.counts.joined,
            resumed=0 if feed is None else feed.counts.resumed,
            cut=0 if feed is None else feed.counts.cut,
            rejected=self._gate.rejected,
            dropped={str(reason): n for reason, n in self._accounts.dropped.items()},
        )

    @property
    def peers(self) -> Peers:
        """What this daemon knows of the other members without the engine."""

        def suspected() -> list[str]:
            return [
                status.member
                for status in self.statuses
                if status.member is not None and status.has_joined and not status.is_current
            ]

        def may_reach_engine() -> bool:
            current = [status for status in self.statuses if status.is_current]
            return not current or any(status.is_engine_reachable for status in current)

        def handle_handed(label: str, owner: str, epoch: int) -> None:
            if self._feed is not None:
                self._feed.hand_over(AccountLabel(label), owner=owner, epoch=epoch)

        return Peers(
            suspected=suspected,
            may_reach_engine=may_reach_engine,
            handle_handed=handle_handed,
            handle_owned=self._accounts.leave,
        )

    @asynccontextmanager
    async def run(self, client_app: web.Application, host: str) -> AsyncIterator[None]:
        """Listen for fronts and follow owners while the block runs.

        `client_app` answers what fronts pass on; `host` is a name by which it is called.
        """
        async with AsyncExitStack() as stack:
            if self._feed is not None:
                mesh = make_mesh_application(self._gate)
                mesh.router.add_get(FEED_PATH, self._feed.serve, allow_head=False)
                add_forwarded_requests(mesh, client_app, host)
                await stack.enter_async_context(self._listen(self._feed, mesh))
            if self._settings.of or self._engine is not None:
                await stack.enter_async_context(self._follow())
            yield

    @asynccontextmanager
    async def _listen(self, feed: FeedServer, app: web.Application) -> AsyncIterator[None]:
        assert self._settings.listen is not None, "a feed has an address"
        host, port = self._settings.listen
        limiter = ConnectionLimiter(
            ConnectionCounter(MAX_CONNECTIONS_PER_ADDRESS, counts_loopback=True)
        )
        app[CONNECTION_LIMITER] = limiter
        async with _run_all([feed.run(), limiter.sweep()]):
            try:
                async with serve(app, host, port, certificate=self._settings.tls) as mesh_port:
                    self.mesh_port = mesh_port
                    try:
                        yield
                    finally:
                        feed.close()
            except ConfigError as error:
                raise ConfigError(
                    f"cluster: {error.message}", remedy="choose another `listen` in [cluster]"
                ) from error

    @asynccontextmanager
    async def _follow(self) -> AsyncIterator[None]:
        settings = self._settings
        # With an engine the addresses are not known yet.
        addresses = settings.of or (() if settings.tls is None else ("https://",))
        tls = make_client_tls(settings.ca_file, addresses)
        # Not the session for the broker: its proxies are not for other members.
        async with aiohttp.ClientSession(connector=self._environment.make_connector()) as session:

            def make_client(address: str) -> FeedClient:
                return FeedClient(
                    address,
                    self._accounts,
                    session,
                    fleet=settings.fleet,
                    secret=settings.secrets[0],
                    clock=self._environment.clock,
                    rng=self._rng,
                    tls=tls,
                )

            self._clients = [make_client(address) for address in settings.of]
            self.forwarder = Hops(
                self._accounts,
                session,
                get_statuses=lambda: self.statuses,
                has_own_accounts=self._has_own_accounts,
                are_halts_shared=self._engine is not None,
                secret=settings.secrets[0],
                tls=tls,
            )
            if self._engine is not None:
                follower = MemberFollower(self._engine, self._clients, make_client)
                async with _run_all([follower.run()]):
                    yield
                return
            async with _run_all([client.run() for client in self._clients]):
                yield


@asynccontextmanager
async def _run_all(runs: Sequence[Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Run tasks while the block runs; they are cancelled at its end."""
    tasks = [asyncio.create_task(run, name="cluster") for run in runs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
