"""One enabled account as it runs, and what all of them share on their way to the broker."""

import asyncio
import math
import random
import ssl
from collections.abc import Callable
from functools import partial

import aiohttp
from msgspec import structs

from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.config.settings import AccountSettings, stream_url
from realtime.core.model import AccountLabel
from realtime.errors import LinkError
from realtime.orders.trading_accounts import TradingAccount
from realtime.runtime.account_tasks import AccountTasks
from realtime.runtime.risk_settings import account_risk_rules
from realtime.store.store import Store
from realtime.sync.balances import RefreshLimiter
from realtime.sync.flows import FlowReader
from realtime.sync.intervals import intervals_for
from realtime.sync.supervisor import AccountSupervisor, SyncTarget

MIN_READ_INTERVAL_S = 2.0
"""Between two reads that clients request: 30 a minute, of about five requests each."""

READ_TIMEOUT_S = 20.0
"""Limit of such a read; a client waits for it."""

MAX_REST_IN_FLIGHT = 64
"""Concurrent REST requests, over all accounts: more would only queue inside the event loop."""


class BrokerResources:
    """What all accounts share on their way to the broker."""

    def __init__(self, http: aiohttp.ClientSession, startup_concurrency: int) -> None:
        self.http = http
        self.fleet_limiter = FleetLimiter(reads=MAX_REST_IN_FLIGHT)
        self.connect_limiter = ConnectLimiter(startup_concurrency)
        self.refresh_limiter = RefreshLimiter()
        self._tls: ssl.SSLContext | None = None

    def tls_for(self, url: str) -> ssl.SSLContext | None:
        """Return the TLS context of all streams, created on first use: that takes 40 ms. None if
        the address (of REST or of a stream) is not encrypted."""
        if not url.startswith(("https:", "wss:")):
            return None
        self._tls = self._tls or ssl.create_default_context()
        return self._tls


class RunningAccount:
    """The supervisor that keeps an account synced, and what trades it with the same keys."""

    def __init__(
        self,
        supervisor: AccountSupervisor,
        trading_account: TradingAccount,
        rest: RestClient,
        flow_reader: FlowReader,
        *,
        reads_flows: bool,
    ) -> None:
        self.rest = rest
        self.supervisor = supervisor
        self.trading_account = trading_account
        self._flow_reader = flow_reader
        self._reads_flows = reads_flows
        """Whether it has an `initial_balance`: only then are flows read."""
        self._read_lock = asyncio.Lock()
        self._read_started_at = -math.inf
        """Loop time of the last read by `read_now`."""
        self.tasks: list[asyncio.Task[None]] = []
        """Its tasks, once it was started."""

    def start(self, tasks: AccountTasks, label: str) -> None:
        """Connect, and keep the account synced until `stop`."""
        self.tasks = [tasks.start(self.supervisor.keep_synced(), name=f"account:{label}")]
        if self._reads_flows:
            self.tasks.append(tasks.start(self._flow_reader.run(), name=f"flows:{label}"))

    async def read_now(self) -> None:
        """Read the account again; requests that arrive meanwhile share one more read.

        Raises a `RealtimeError`.
        """
        loop = asyncio.get_running_loop()
        requested_at = loop.time()
        async with self._read_lock:
            if self._read_started_at >= requested_at:
                return
            await asyncio.sleep(self._read_started_at + MIN_READ_INTERVAL_S - loop.time())
            self._read_started_at = loop.time()
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    await self.supervisor.read_now()
            except TimeoutError:
                raise LinkError(f"no complete read within {READ_TIMEOUT_S:.0f} s") from None

    def change_rules(self, account: AccountSettings, tasks: AccountTasks) -> None:
        """Apply settings that no connection depends on."""
        if account.initial_balance is not None and not self._reads_flows:
            self._reads_flows = True
            name = f"flows:{account.label}"
            self.tasks.append(tasks.start(self._flow_reader.run(), name=name))
        self.trading_account = structs.replace(
            self.trading_account, rules=account_risk_rules(account), tier=account.tier
        )


class AccountFactory:
    """Creates running accounts. `clock` returns epoch seconds; `rng` seeds each account's own.

    `check_change` is called with the label before a request that may change something leaves.
    """

    def __init__(
        self,
        store: Store,
        resources: BrokerResources,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        check_change: Callable[[str], None] | None = None,
    ) -> None:
        self._check_change = check_change
        self._store = store
        self._resources = resources
        self._clock = clock
        self._rng = rng

    def create(
        self,
        account: AccountSettings,
        account_number: str | None,
        *,
        taken_slot_until: float = -math.inf,
    ) -> RunningAccount | None:
        """Return an account that is not started; None if it is disabled.

        `account_number`: the number that the key must belong to, if known. `taken_slot_until`: see
        `AccountSupervisor`.
        """
        credentials = account.credentials
        if not account.enabled or credentials is None:
            return None
        resources = self._resources
        limiter = RateLimiter(resources.fleet_limiter, orders_at_once=account.max_connections)
        rest = RestClient(
            resources.http, account.trading_url, credentials, limiter, clock=self._clock
        )
        target = SyncTarget(
            label=AccountLabel(account.label),
            stream_url=stream_url(account.trading_url),
            ssl_context=resources.tls_for(account.trading_url),
            credentials=credentials,
            account_number=account_number,
        )
        supervisor = AccountSupervisor(
            target,
            store=self._store,
            rest=rest,
            connect_limiter=resources.connect_limiter,
            clock=self._clock,
            # Its own: an account's random numbers do not depend on how many others there are.
            rng=random.Random(f"{self._rng.random()}:{account.label}"),
            intervals=lambda: intervals_for(len(self._store)),
            refresh_limiter=resources.refresh_limiter,
            taken_slot_until=taken_slot_until,
        )
        if self._check_change is not None:
            rest.http.check_change = partial(self._check_change, account.label)
        trading_account = TradingAccount(
            rules=account_risk_rules(account),
            tier=account.tier,
            http_client=rest.http,
            on_order=supervisor.apply_order,
        )
        flow_reader = FlowReader(
            target.label,
            store=self._store,
            rest=rest,
            limiter=resources.refresh_limiter,
            clock=self._clock,
        )
        return RunningAccount(
            supervisor,
            trading_account,
            rest,
            flow_reader,
            reads_flows=account.initial_balance is not None,
        )
