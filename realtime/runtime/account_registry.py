"""Which accounts are followed and traded, and how that changes while the daemon runs.

Each account is a task of its own. A change touches the accounts that it is about, and no other:
there is no moment at which the fleet as a whole is stopped or started.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress

import aiohttp
from msgspec import Struct, structs

from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.config.settings import AccountSettings, Settings, stream_url
from realtime.config.settings_diff import SettingsDiff
from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.orders.trading_accounts import TradingAccount
from realtime.orders.trading_service import TradingService
from realtime.runtime.risk_settings import permit_of
from realtime.store.store import Change, Profile, Store
from realtime.sync.intervals import intervals_for
from realtime.sync.refresh_limiter import RefreshLimiter
from realtime.sync.supervisor import AccountSupervisor, SyncTarget
from realtime.telemetry.log import get_logger

log = get_logger()

REST_IN_FLIGHT = 64
"""Requests to the broker under way at once, fleet-wide: more only queue inside the event loop."""

STOP_S = 3.0
"""Limit for all followers to close their sockets; the process must end within 5 s of a signal."""

GOODBYE_S = 1.5
"""Of it, until whoever has not heard the first word of it is told once more."""

ROTATED_WITHIN_S = 30.0
"""How long the next account whose keys were changed waits for the one before to be live again."""

SETTLED = ("synced", "waiting", "refused")
"""Link states in which an account no longer holds up the next one."""


class BrokerResources:
    """What all accounts share on their way to the broker."""

    def __init__(self, http: aiohttp.ClientSession, startup_concurrency: int) -> None:
        self.http = http
        self.fleet = FleetLimiter(reads=REST_IN_FLIGHT)
        self.connect_limiter = ConnectLimiter(startup_concurrency)
        self.refresh_limiter = RefreshLimiter()
        self._tls: ssl.SSLContext | None = None

    def tls_for(self, trading_url: str) -> ssl.SSLContext | None:
        """What encrypted streams share; made when the first is needed, for it takes 40 ms."""
        if not trading_url.startswith("https:"):
            return None
        self._tls = self._tls or ssl.create_default_context()
        return self._tls


class RunningAccount(Struct):
    """One account as it runs."""

    follower: AccountSupervisor
    task: asyncio.Task[None] | None = None


class AccountRegistry:
    """All accounts. `clock` gives epoch seconds; `chance` seeds each account's own."""

    def __init__(
        self,
        store: Store,
        broker_resources: BrokerResources,
        *,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.trading_accounts: dict[str, TradingAccount] = {}
        """label → where it is traded, of every enabled account."""
        self._store = store
        self._broker_resources = broker_resources
        self._clock = clock
        self._rng = rng
        self._followed: dict[str, RunningAccount] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._trading_service: TradingService | None = None
        self._to_rotate: dict[str, AccountSettings] = {}
        self._rotation: asyncio.Task[None] | None = None

    def add(self, account: AccountSettings) -> None:
        """Take an account into the store, ready to be followed."""
        now = self._clock()
        self._store.add(_profile(account), now=now, link=_first_link(account, now))
        self._prepare(account, account.account_number)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow while the block runs, from `begin` on."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                try:
                    yield
                finally:
                    await self._end_all()
        except BaseExceptionGroup as group:
            # Followers keep their failures to themselves: this is the block's own error.
            raise group.exceptions[0] from None

    def begin(self, trading_service: TradingService) -> None:
        """Follow every account that has been added."""
        self._trading_service = trading_service
        for label in self._followed:
            self._start(label)

    async def change(self, settings: Settings, changes: SettingsDiff) -> None:
        """Make it so. Rotated keys are taken up afterwards, one account after another."""
        accounts = {account.label: account for account in settings.accounts}
        await self._end([*changes.removed, *changes.exchanged, *changes.restarted])
        for label in (*changes.removed, *changes.exchanged):
            self._forget(label)
        for label in (*changes.exchanged, *changes.added):
            self.add(accounts[label])
            self._take_seat(label)
            self._start(label)
        for label in changes.restarted:
            self._restart(accounts[label])
        for label in changes.described:
            self._describe(accounts[label])
        self._to_rotate |= {label: accounts[label] for label in changes.rotated}
        if self._to_rotate and (self._rotation is None or self._rotation.done()):
            assert self._tasks is not None, "the daemon runs"
            self._rotation = self._tasks.create_task(self._rotate(), name="rotation")

    async def _rotate(self) -> None:
        """One account after another, so that the fleet is never without all of them."""
        while self._to_rotate:
            label = next(iter(self._to_rotate))
            account = self._to_rotate.pop(label)
            if label not in self._followed:
                continue  # it left meanwhile
            await self._end([label])
            self._restart(account)
            await self._settled(label)
            record = self._store.get(label)
            state = None if record is None else record.link.state
            log.info("account.key_rotated", account=label, state=state)

    async def _settled(self, label: str) -> None:
        """Wait until an account is live, or has failed with a reason, or took too long."""
        settled = asyncio.Event()

        def look(_: Change | None) -> None:
            record = self._store.get(label)
            if record is None or record.link.state in SETTLED:
                settled.set()

        unsubscribe = self._store.subscribe(look)
        try:
            look(None)
            with suppress(TimeoutError):
                async with asyncio.timeout(ROTATED_WITHIN_S):
                    await settled.wait()
        finally:
            unsubscribe()

    def _restart(self, account: AccountSettings) -> None:
        """Begin anew with other settings; what is known stays, stale, until it is read again."""
        label, now = account.label, self._clock()
        record = self._store.get(label)
        assert record is not None, f"{label} was running"
        self._store.describe(_profile(account), now=now)
        link = _first_link(account, now)
        if account.enabled and record.has_data:
            link = structs.replace(link, stale_reason="reconnecting: the configuration changed")
        self._store.update(AccountLabel(label), now=now, link=link)
        known = record.state.account
        number = account.account_number or (None if known is None else known.account_number)
        self._prepare(account, number)
        self._take_seat(label)
        self._start(label)

    def _describe(self, account: AccountSettings) -> None:
        self._store.describe(_profile(account), now=self._clock())
        trading_account = self.trading_accounts.get(account.label)
        if trading_account is not None:
            self.trading_accounts[account.label] = structs.replace(
                trading_account, permit=permit_of(account), tier=account.tier
            )
            self._take_seat(account.label)

    def _prepare(self, account: AccountSettings, account_number: str | None) -> None:
        """Make what follows and trades an account. A disabled one has neither."""
        self._followed.pop(account.label, None)
        self.trading_accounts.pop(account.label, None)
        credentials = account.credentials
        if not account.enabled or credentials is None:
            return
        limiter = RateLimiter(self._broker_resources.fleet, orders_at_once=account.max_connections)
        rest = RestClient(
            self._broker_resources.http, account.trading_url, credentials, limiter, wall=self._clock
        )
        target = SyncTarget(
            label=AccountLabel(account.label),
            stream_url=stream_url(account.trading_url),
            credentials=credentials,
            account_number=account_number,
        )
        follower = AccountSupervisor(
            target,
            store=self._store,
            rest=rest,
            connect_limiter=self._broker_resources.connect_limiter,
            tls=self._broker_resources.tls_for(account.trading_url),
            clock=self._clock,
            # Its own source of chance: one's luck does not depend on the others' number.
            rng=random.Random(f"{self._rng.random()}:{account.label}"),
            intervals=lambda: intervals_for(len(self._store)),
            refresh_limiter=self._broker_resources.refresh_limiter,
        )
        self._followed[account.label] = RunningAccount(follower)
        self.trading_accounts[account.label] = TradingAccount(
            permit=permit_of(account),
            tier=account.tier,
            channel=rest.channel,
            learn=follower.learn,
        )

    def _take_seat(self, label: str) -> None:
        assert self._trading_service is not None, "the daemon runs"
        if label in self.trading_accounts:
            self._trading_service.trading_accounts.take(label, self.trading_accounts[label])
        else:
            self._trading_service.trading_accounts.leave(label)

    def _start(self, label: str) -> None:
        assert self._tasks is not None, "the daemon runs"
        followed = self._followed.get(label)
        if followed is not None:
            followed.task = self._tasks.create_task(
                followed.follower.keep_synced(), name=f"account:{label}"
            )

    def _forget(self, label: str) -> None:
        self._followed.pop(label, None)
        self.trading_accounts.pop(label, None)
        self._to_rotate.pop(label, None)
        self._take_seat(label)
        self._store.remove(AccountLabel(label))

    async def _end(self, labels: Collection[str]) -> None:
        found = [self._followed[label].task for label in labels if label in self._followed]
        await _stopped(task for task in found if task is not None)

    async def _end_all(self) -> None:
        if self._rotation is not None:
            await _stopped([self._rotation])
        await self._end(list(self._followed))


async def _stopped(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel, and once more: before Python 3.13 a TaskGroup that ends by an error loses the
    cancellation that comes in the same moment, as when the broker goes together with us."""
    unfinished = set(tasks)
    for limit_s in (GOODBYE_S, STOP_S - GOODBYE_S):
        for task in unfinished:
            task.cancel()
        if unfinished:
            _, unfinished = await asyncio.wait(unfinished, timeout=limit_s)
    if unfinished:
        names = sorted(task.get_name() for task in unfinished)
        log.warning("daemon.stop_slow", tasks=names[:20], count=len(names))


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
