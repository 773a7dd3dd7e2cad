"""The accounts of the daemon, and how they change while it runs.

Each account has its own task. A change affects the accounts that it names and no other: the fleet
as a whole is never stopped or started.
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from msgspec import structs

from realtime.cluster.coordinator import Coordinator
from realtime.config.settings import AccountSettings, Settings
from realtime.config.settings_diff import SettingsDiff
from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.errors import LinkError, NotOwner
from realtime.orders.trading_accounts import TradingAccounts
from realtime.runtime.account_tasks import AccountTasks, stop_tasks
from realtime.runtime.running_account import AccountFactory, RunningAccount
from realtime.store.records import Change, Profile
from realtime.store.store import Store
from realtime.telemetry.log import get_logger, set_account_tier

log = get_logger()

MAX_ROTATION_S = 30.0
"""How long the next account with new keys waits until the one before is synced again."""

NO_OWNER = "-"
"""In the place of an owner's name: this daemon does not keep the account in sync, and does not know
which one does. No member has this name."""

BUDGET_WINDOW_S = 60.0
"""The broker counts requests by the minute."""

SETTLED_STATES = ("synced", "waiting", "refused")
"""Link states in which an account no longer delays the next one."""


class AccountRegistry:
    """Label → running account. Disabled accounts are in the store only.

    `accounts` are not started yet; the store and `trading_accounts` know them already. Only those
    that this daemon owns are connected, as `coordinator` has it.
    """

    def __init__(
        self,
        accounts: dict[str, RunningAccount],
        *,
        store: Store,
        factory: AccountFactory,
        trading_accounts: TradingAccounts,
        tasks: AccountTasks,
        settings: Sequence[AccountSettings],
        coordinator: Coordinator,
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._factory = factory
        self._trading_accounts = trading_accounts
        self._tasks = tasks
        self._coordinator = coordinator
        self._settings = {account.label: account for account in settings}
        self._clock = clock
        self._to_rotate: dict[str, AccountSettings] = {}
        self._rotation: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[tuple[str, RunningAccount]]:
        return iter(self._accounts.items())

    def start_all(self) -> None:
        """Connect every account that this daemon owns."""
        for label, account in self._accounts.items():
            if self._is_owned(label):
                account.start(self._tasks, label)
            else:
                self._set_owner(label, NO_OWNER, "no daemon is known to own it yet")

    async def apply(self, settings: Settings, diff: SettingsDiff) -> None:
        """Apply changed settings. New keys are used afterwards, one account after another."""
        accounts = {account.label: account for account in settings.accounts}
        self._settings = accounts
        renumbered = [x for x in diff.restarted if self._is_renumbered(accounts[x])]
        exchanged = [*diff.exchanged, *renumbered]
        await self._stop([*diff.removed, *diff.exchanged, *diff.restarted])
        for label in (*diff.removed, *exchanged):
            self._remove(label)
        for label in (*exchanged, *diff.added):
            self._add(accounts[label])
        for label in diff.restarted:
            if label not in renumbered:
                self._restart(accounts[label])
        for label in diff.described:
            self._describe(accounts[label])
        self._to_rotate |= {label: accounts[label] for label in diff.rotated}
        if self._to_rotate and (self._rotation is None or self._rotation.done()):
            self._rotation = self._tasks.start(self._rotate(), name="rotation")

    async def _rotate(self) -> None:
        """One account after another, so that the fleet never loses all of them."""
        while self._to_rotate:
            label = next(iter(self._to_rotate))
            account = self._to_rotate.pop(label)
            if label not in self._accounts:
                continue  # removed meanwhile
            await self._stop([label])
            self._restart(account)
            await self._wait_until_settled(label)
            record = self._store.get(label)
            state = None if record is None else record.link.state
            log.info("account.key_rotated", account=label, state=state)

    async def _wait_until_settled(self, label: str) -> None:
        """Wait until an account is synced, or has failed with a reason, or took too long."""
        settled = asyncio.Event()

        def check(_: Change | None) -> None:
            record = self._store.get(label)
            if record is None or record.link.state in SETTLED_STATES:
                settled.set()

        unsubscribe = self._store.subscribe(check)
        try:
            check(None)
            with suppress(TimeoutError):
                async with asyncio.timeout(MAX_ROTATION_S):
                    await settled.wait()
        finally:
            unsubscribe()

    def _add(self, account: AccountSettings) -> None:
        add_to_store(self._store, account, self._clock())
        self._run(account, account.account_number)

    def __contains__(self, label: object) -> bool:
        return label in self._accounts

    def set_budget(self, label: str, remaining: int) -> None:
        """Count on so many requests in the next minute, until the broker reports another number."""
        running = self._accounts.get(label)
        if running is not None:
            limiter = running.trading_account.http_client.limiter
            limiter.update_from_headers(remaining=remaining, reset_in_s=BUDGET_WINDOW_S)

    @property
    def enabled(self) -> list[str]:
        """The accounts of the configuration that may be connected."""
        return list(self._accounts)

    def is_followed(self, label: str) -> bool:
        """Whether this daemon connects the account."""
        running = self._accounts.get(label)
        return running is not None and bool(running.tasks)

    def follow(self, label: str, *, taken_slot_until: float = -math.inf) -> None:
        """Connect an account that this daemon owns from now on.

        `taken_slot_until`: until when the broker may count the former owner's connection (loop
        time).
        """
        account = self._settings.get(label)
        if account is not None and label in self._accounts:
            reason = "connecting: this daemon owns it from now on"
            record = self._store.get(label)
            if record is not None and record.owner is not None:
                self._store.put(structs.replace(record, owner=None))
            self._restart(account, reason, taken_slot_until=taken_slot_until)

    async def release(self, label: str, *, reason: str, owner: str | None) -> None:
        """Disconnect an account that another daemon may own: its stream is closed in order, so that
        the broker frees the connection at once. What is known stays, stale for this reason."""
        await self._stop([label])
        account, record = self._settings.get(label), self._store.get(label)
        if account is None or record is None or label not in self._accounts:
            return
        known = record.state.account
        number = account.account_number or (None if known is None else known.account_number)
        running = self._factory.create(account, number)
        if running is None:
            return
        self._accounts[label] = running
        self._trading_accounts.add(label, running.trading_account)
        self._set_owner(label, owner or NO_OWNER, reason)

    def _set_owner(self, label: str, owner: str, reason: str) -> None:
        """Mark an account as another daemon's: what is known of it is stale for this reason."""
        record, now = self._store.get(label), self._clock()
        if record is not None:
            since = record.link.stale_since if record.link.is_stale else now
            link = Link(state="waiting", since=now, stale_since=since, stale_reason=reason)
            self._store.put(structs.replace(record, owner=owner, link=link, as_of=now))

    def _restart(
        self,
        account: AccountSettings,
        reason: str = "reconnecting: the configuration changed",
        *,
        taken_slot_until: float = -math.inf,
    ) -> None:
        """Start again with other settings; the known state stays, stale, until it is read again."""
        label, now = account.label, self._clock()
        record = self._store.get(label)
        if record is None:
            return
        self._store.set_profile(profile_of(account), now=now)
        link = _first_link(account, now)
        if account.enabled and record.has_data:
            link = structs.replace(link, stale_reason=reason)
        self._store.update(AccountLabel(label), now=now, link=link)
        known = record.state.account
        number = account.account_number or (None if known is None else known.account_number)
        self._run(account, number, taken_slot_until=taken_slot_until)

    def _is_renumbered(self, account: AccountSettings) -> bool:
        """Whether the settings name another account than the one whose state is known: nothing of
        that one may remain, for its orders and positions are not of this one."""
        record = self._store.get(account.label)
        known = None if record is None else record.state.account
        number = account.account_number
        return None not in (known, number) and known is not None and known.account_number != number

    def _describe(self, account: AccountSettings) -> None:
        set_account_tier(account.label, account.tier)
        self._store.set_profile(profile_of(account), now=self._clock())
        running = self._accounts.get(account.label)
        if running is not None:
            running.change_rules(account, self._tasks)
            self._trading_accounts.add(account.label, running.trading_account)

    def _run(
        self,
        account: AccountSettings,
        account_number: str | None,
        *,
        taken_slot_until: float = -math.inf,
    ) -> None:
        """Run an account with new settings, or no longer if it was disabled."""
        label = account.label
        running = self._factory.create(account, account_number, taken_slot_until=taken_slot_until)
        if running is None:
            self._accounts.pop(label, None)
            self._trading_accounts.remove(label)
            return
        self._accounts[label] = running
        self._trading_accounts.add(label, running.trading_account)
        if self._is_owned(label):
            running.start(self._tasks, label)
        else:
            self._set_owner(label, NO_OWNER, "no daemon is known to own it yet")

    def _is_owned(self, label: str) -> bool:
        try:
            self._coordinator.check(label)
        except NotOwner:
            return False
        return True

    def _remove(self, label: str) -> None:
        self._accounts.pop(label, None)
        self._to_rotate.pop(label, None)
        self._trading_accounts.remove(label)
        self._store.remove(AccountLabel(label))
        set_account_tier(label, None)

    def request_balances(self, label: str) -> None:
        """Read an account's positions and money soon, if it runs."""
        running = self._accounts.get(label)
        if running is not None:
            running.supervisor.request_balances()

    async def read_now(self, label: str) -> None:
        """Read an account again. Raises a `RealtimeError`."""
        running = self._accounts.get(label)
        if running is None:
            raise LinkError(f"account {label} is not running")
        await running.read_now()

    async def _stop(self, labels: list[str]) -> None:
        running = [self._accounts[label] for label in labels if label in self._accounts]
        await stop_tasks(task for account in running for task in account.tasks)


def add_to_store(store: Store, account: AccountSettings, now: float) -> None:
    """Add an account to the store, not connected yet."""
    set_account_tier(account.label, account.tier)
    store.add(profile_of(account), now=now, link=_first_link(account, now))


def profile_of(account: AccountSettings) -> Profile:
    """Return what clients may see of an account's settings."""
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
