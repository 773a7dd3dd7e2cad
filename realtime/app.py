"""The daemon put together: store, readers' edge, one follower an account; start and stop in order.

Start: the way to the broker, the listening socket, then the followers: readers are told "starting"
from the first moment. Stop: close the listening socket, end the followers, close the way to the
broker; every stage has its limit.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp
from msgspec import Struct

from realtime import __version__
from realtime.alpaca.gate import Gate
from realtime.alpaca.pacing import Farm, Pacer
from realtime.alpaca.rest import Rest
from realtime.auth.verifier import Verifier
from realtime.config.settings import AccountSettings, Settings, stream_url
from realtime.config.values import is_loopback
from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.live.follower import Follower, Target
from realtime.logs import get_logger
from realtime.orders.floor import Floor, open_floor
from realtime.orders.seats import Seat
from realtime.seating import permit_of, rules_of
from realtime.secret import Credentials
from realtime.server.access import AccessRules
from realtime.server.app import build
from realtime.server.listen import serve
from realtime.store import Profile, Store
from realtime.views.documents import Views

log = get_logger()

REST_IN_FLIGHT = 64
"""Requests to the broker under way at once, farm-wide: more only queue inside the event loop."""

MONEY_EVERY_S = 15.0
"""How old prices in positions and account may grow without a fill; two requests each time."""

MONEY_FARM_S = 0.05
"""But an account's turn comes once in this many seconds for each account of the farm: at 1000
accounts every 50 s, 40 requests a second for all."""

GOODBYE_S = 2.5
"""How long followers may take to close their sockets in order; longer than `stream.CLOSE_S`."""

STOP_S = 3.0
"""Limit for all followers to close their sockets; the process must end within 5 s of a signal."""


class World(Struct, frozen=True, kw_only=True):
    """Where time and chance come from: the real ones, or those of a test."""

    clock: Callable[[], float]
    """Epoch seconds."""
    chance: random.Random
    make_connector: Callable[[], aiohttp.BaseConnector]


class Edge(Struct, frozen=True, kw_only=True):
    """What all accounts share on their way to the broker."""

    http: aiohttp.ClientSession
    farm: Farm
    gate: Gate
    tls: ssl.SSLContext | None


class Daemon:
    """What runs: its store, the floor where orders are placed, the port its readers connect to."""

    def __init__(self, store: Store, floor: Floor, port: int) -> None:
        self.store = store
        self.floor = floor
        self.port = port


@asynccontextmanager
async def running(settings: Settings, world: World) -> AsyncIterator[Daemon]:
    """Run the daemon inside the block. Enabled accounts have credentials (`config` saw to it)."""
    started_at = world.clock()
    store = Store(boot=f"{world.chance.getrandbits(48):012x}")
    for account in settings.accounts:
        store.add(_profile(account), now=started_at, link=_first_link(account, started_at))
    log.info("daemon.started", accounts=len(store), config=str(settings.path), version=__version__)
    async with (
        aiohttp.ClientSession(
            connector=world.make_connector(), cookie_jar=aiohttp.DummyCookieJar()
        ) as http,
        _trading(settings, store, http, world) as (floor, begin),
        serve(
            build(
                store,
                Views(),
                clock=world.clock,
                version=__version__,
                started_at=started_at,
                cors_origins=settings.server.cors_origins,
                hosts=_hosts(settings),
                connections_per_address=settings.limits.connections_per_address,
                access=_access(settings),
                trading=floor,
            ),
            settings.server.host,
            settings.server.port,
        ) as port,
    ):
        # Not before the port is ours: a second daemon, started by mistake, must not take the
        # accounts' only connections from the first.
        begin()
        yield Daemon(store, floor, port)
    log.info("daemon.stopped", uptime_s=round(world.clock() - started_at, 1))


@asynccontextmanager
async def _trading(
    settings: Settings, store: Store, http: aiohttp.ClientSession, world: World
) -> AsyncIterator[tuple[Floor, Callable[[], None]]]:
    """Take orders for every enabled account while the block runs, and follow it from `begin`."""
    edge = Edge(
        http=http,
        farm=Farm(reads=REST_IN_FLIGHT),
        gate=Gate(settings.alpaca.startup_concurrency),
        tls=_tls(settings),
    )
    followers, seats = {}, {}
    for account in settings.accounts:
        if account.enabled and account.credentials is not None:
            rest = _rest(account, account.credentials, edge, world)
            follower = _follower(account, account.credentials, rest, store, edge, world)
            followers[account.label] = follower
            seats[account.label] = Seat(
                permit=permit_of(account),
                tier=account.tier,
                channel=rest.channel,
                learn=follower.learn,
            )
    async with (
        _following(followers) as begin,
        open_floor(
            seats,
            rules=rules_of(settings.orders),
            audit_log=settings.orders.audit_log,
            clock=world.clock,
            chance=random.Random(world.chance.random()),
            store=store,
        ) as floor,
    ):
        yield floor, begin


@asynccontextmanager
async def _following(followers: Mapping[str, Follower]) -> AsyncIterator[Callable[[], None]]:
    """Follow while the block runs, from when it calls what it is given."""
    following: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as tasks:

            def begin() -> None:
                for label, follower in followers.items():
                    task = tasks.create_task(follower.keep_live(), name=f"account:{label}")
                    following.append(task)

            try:
                yield begin
            finally:
                await _end(following)
    except BaseExceptionGroup as group:
        # Followers keep their failures to themselves: what arrives here is the block's own error.
        raise group.exceptions[0] from None


def _hosts(settings: Settings) -> frozenset[str] | None:
    """Names that readers may call us by. On loopback any other is a page's own (DNS rebinding)."""
    server = settings.server
    if not is_loopback(server.host) and not server.hosts:
        return None
    return frozenset((*server.hosts, server.host))


def _access(settings: Settings) -> AccessRules:
    if settings.auth is None:
        return AccessRules()
    return AccessRules(
        verifier=Verifier(settings.auth.rules, settings.auth.keys),
        open_ops=settings.auth.open_ops,
        requests_per_s=settings.limits.requests_per_s,
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """What all encrypted streams share; None if there are none, for it takes 40 ms to make."""
    wanted = any(account.trading_url.startswith("https:") for account in settings.accounts)
    return ssl.create_default_context() if wanted else None


async def _end(following: Sequence[asyncio.Task[None]]) -> None:
    """Cancel, and once more: before Python 3.13 a TaskGroup that ends by an error loses the
    cancellation that comes in the same moment, as when the broker goes together with us."""
    unfinished = set(following)
    for limit_s in (GOODBYE_S, STOP_S - GOODBYE_S):
        for task in unfinished:
            task.cancel()
        if unfinished:
            _, unfinished = await asyncio.wait(unfinished, timeout=limit_s)
    if unfinished:
        names = sorted(task.get_name() for task in unfinished)
        log.warning("daemon.stop_slow", tasks=names[:20], count=len(names))


def _rest(account: AccountSettings, credentials: Credentials, edge: Edge, world: World) -> Rest:
    pacer = Pacer(edge.farm, orders_at_once=account.max_connections)
    return Rest(edge.http, account.trading_url, credentials, pacer, wall=world.clock)


def _follower(
    account: AccountSettings,
    credentials: Credentials,
    rest: Rest,
    store: Store,
    edge: Edge,
    world: World,
) -> Follower:
    target = Target(
        label=AccountLabel(account.label),
        stream_url=stream_url(account.trading_url),
        credentials=credentials,
        account_number=account.account_number,
    )
    return Follower(
        target,
        store=store,
        rest=rest,
        gate=edge.gate,
        tls=edge.tls,
        clock=world.clock,
        # Its own source of chance: one account's luck does not depend on the others' number.
        chance=random.Random(f"{world.chance.random()}:{account.label}"),
        money_every_s=max(MONEY_EVERY_S, MONEY_FARM_S * len(store)),
    )


def _profile(account: AccountSettings) -> Profile:
    return Profile(
        label=AccountLabel(account.label),
        name=account.name,
        tier=account.tier,
        paper=account.paper,
        initial_balance=account.initial_balance,
    )


def _first_link(account: AccountSettings, now: float) -> Link:
    if account.enabled:
        return Link(since=now, stale_since=now)
    return Link(state="disabled", since=now, stale_since=now, stale_reason="disabled")
