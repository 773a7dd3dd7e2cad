"""The files change while the daemon runs: which accounts are affected, and which are not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from msgspec import Struct, structs

from realtime.config.settings import AccountSettings, Settings, TierBounds
from realtime.config.settings_diff import SettingsDiff
from realtime.core.model import AccountLabel, Position, Symbol
from realtime.errors import ConfigError
from realtime.runtime.account_registry import MAX_ROTATION_S
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from realtime.store.records import Change
from tests import virtual
from tests.fleet import settings_for


class Scene(Struct):
    """A daemon with files that the test writes."""

    simulator: Simulator
    daemon: Daemon
    files: list[Settings | ConfigError]
    changes: list[Change]

    async def until_synced(self, *labels: str) -> None:
        async with asyncio.timeout(60):
            while not all(  # noqa: ASYNC110 - virtual time
                self.daemon.store.records[AccountLabel(x)].link.is_synced for x in labels
            ):
                await asyncio.sleep(0.01)

    async def write(self, *accounts: AccountSettings) -> SettingsDiff:
        """Put other accounts into the files, and make the daemon read them."""
        self.files.append(structs.replace(self.daemon.settings, accounts=accounts))
        self.changes.clear()
        return await self.daemon.reload()

    @property
    def accounts(self) -> dict[str, AccountSettings]:
        return {account.label: account for account in self.daemon.settings.accounts}

    def state(self, label: str) -> str:
        return self.daemon.store.records[AccountLabel(label)].link.state

    def affected(self) -> set[str]:
        """Return the accounts whose link changed since the last reload."""
        return {
            each.label
            for each in self.changes
            if each.before is None or each.after is None or each.before.link != each.after.link
        }


@asynccontextmanager
async def scene(labels: tuple[str, ...] | None = None) -> AsyncIterator[Scene]:
    async with Simulator(accounts=4, seed=3, clock=virtual.nanosecond_clock) as simulator:
        all_labels = list(simulator.exchange.labels)
        settings = settings_for(simulator, labels or all_labels, {})
        files: list[Settings | ConfigError] = [settings]

        async def read_settings() -> Settings:
            latest = files[-1]
            if isinstance(latest, ConfigError):
                raise latest
            return latest

        async with run_daemon(settings, virtual.world(3), read_settings) as daemon:
            made = Scene(simulator, daemon, files, [])
            daemon.store.subscribe(made.changes.append)
            await made.until_synced(*(account.label for account in settings.accounts))
            yield made


def keys_of(label: str) -> Credentials:
    return Credentials(Secret(f"demo-{label}"), Secret(f"demo-secret-{label}"))


def test_equal_files_change_nothing() -> None:
    async def play() -> None:
        async with scene() as made:
            changes = await made.write(*made.accounts.values())
            assert (changes.is_empty, changes.unchanged) == (True, 4)
            await asyncio.sleep(5)
            assert made.affected() == set()

    virtual.run(play)


def test_accounts_are_added_and_removed_without_affecting_others() -> None:
    async def play() -> None:
        async with scene() as made:
            first, second, *rest = made.accounts.values()
            changes = await made.write(second, *rest)
            assert changes.removed == (first.label,)
            assert made.daemon.store.get(first.label) is None
            assert first.label not in made.daemon.trading_service.labels
            changes = await made.write(second, *rest, first)
            assert changes.added == (first.label,)
            await made.until_synced(first.label)
            assert first.label in made.daemon.trading_service.labels
            assert made.affected() == {first.label}
            assert made.simulator.counters.get(second.label)["authorized"] == 1
            assert made.simulator.counters.get(first.label)["authorized"] == 2

    virtual.run(play)


def test_an_account_is_disabled_and_enabled() -> None:
    async def play() -> None:
        async with scene() as made:
            first, *rest = made.accounts.values()
            await made.write(structs.replace(first, enabled=False, credentials=None), *rest)
            assert made.state(first.label) == "disabled"
            record = made.daemon.store.records[AccountLabel(first.label)]
            assert record.has_data, "what was known stays, and is marked"
            assert record.link.stale_reason == "disabled"
            assert first.label not in made.daemon.trading_service.labels
            await made.write(first, *rest)
            await made.until_synced(first.label)
            assert made.affected() == {first.label}

    virtual.run(play)


def test_a_new_name_needs_no_reconnect() -> None:
    async def play() -> None:
        async with scene() as made:
            first, *rest = made.accounts.values()
            await made.write(structs.replace(first, name="New", tier="gold"), *rest)
            profile = made.daemon.store.records[AccountLabel(first.label)].profile
            assert (profile.name, profile.tier) == ("New", "gold")
            assert made.affected() == set()
            assert made.state(first.label) == "synced"

    virtual.run(play)


def test_accounts_with_rotated_keys_reconnect_one_after_another() -> None:
    """New keys that work; at no moment is more than one account not live."""

    async def play() -> None:
        async with scene() as made:
            old = made.accounts
            for label in list(old)[:3]:
                made.simulator.credentials.rotate(label, f"new-{label}")
            fresh = [
                structs.replace(
                    old[label],
                    credentials=Credentials(Secret(f"new-{label}"), Secret(f"demo-secret-{label}")),
                )
                for label in list(old)[:3]
            ]
            most_down = 0

            def look(_: Change) -> None:
                nonlocal most_down
                down = sum(not record.link.is_synced for record in made.daemon.store)
                most_down = max(most_down, down)

            made.daemon.store.subscribe(look)
            changes = await made.write(*fresh, *list(old.values())[3:])
            assert changes.rotated == tuple(list(old)[:3])
            async with asyncio.timeout(60):
                while made.affected() != set(changes.rotated):  # noqa: ASYNC110 - virtual time
                    await asyncio.sleep(0.05)
            await made.until_synced(*old)
            assert most_down == 1
            authorized = [made.simulator.counters.get(label)["authorized"] for label in old]
            assert authorized == [2, 2, 2, 1]

    virtual.run(play)


def test_a_key_of_another_account_is_refused() -> None:
    """Although no account_number is written: the daemon remembers whose data it has."""

    async def play() -> None:
        async with scene(labels=None) as made:
            first, second, *rest = made.accounts.values()
            await made.write(first, *rest)
            strange = structs.replace(first, credentials=keys_of(second.label))
            equity = made.daemon.store.records[AccountLabel(first.label)].state.account
            await made.write(strange, *rest)
            async with asyncio.timeout(MAX_ROTATION_S + 5):
                while made.state(first.label) != "refused":  # noqa: ASYNC110 - virtual time
                    await asyncio.sleep(0.1)
            record = made.daemon.store.records[AccountLabel(first.label)]
            assert "the key belongs to" in (record.link.last_error_message or "")
            assert record.state.account == equity, "nothing of the other account was taken"
            await made.write(first, *rest)
            await made.until_synced(first.label)

    virtual.run(play)


def test_nothing_of_the_former_account_remains_where_a_number_names_another() -> None:
    """As after the reset of a paper account: new keys, and its number, which was not written."""

    async def play() -> None:
        async with scene(labels=None) as made:
            first, second, *rest = made.accounts.values()
            label = AccountLabel(first.label)
            order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market"}
            made.simulator.exchange.submit(label, {**order, "time_in_force": "day"})
            while not made.daemon.store.records[label].state.executions:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            former = made.daemon.store.records[label].state
            other = made.daemon.store.records[AccountLabel(second.label)].state
            await made.write(first, *rest)
            assert other.account is not None
            number = other.account.account_number
            reset = structs.replace(first, account_number=number, credentials=keys_of(second.label))
            await made.write(reset, *rest)
            await made.until_synced(first.label)
            state = made.daemon.store.records[label].state
            assert state.account is not None
            assert state.account.account_number == number
            assert not former.orders.keys() & state.orders.keys()
            assert not former.executions.keys() & state.executions.keys()
            assert not state.positions

    virtual.run(play)


def test_an_invalid_file_changes_nothing_and_is_reported() -> None:
    async def play() -> None:
        async with scene() as made:
            before = made.daemon.settings
            made.files.append(ConfigError("accounts.toml, line 3: not TOML", remedy="mend it"))
            made.changes.clear()
            with pytest.raises(ConfigError, match="line 3"):
                await made.daemon.reload()
            await asyncio.sleep(5)
            assert made.daemon.settings is before
            assert made.affected() == set()

    virtual.run(play)


def test_concurrent_reloads_run_one_after_another() -> None:
    async def play() -> None:
        async with scene() as made:
            first, second, *rest = made.accounts.values()
            await asyncio.gather(
                made.write(second, *rest), made.write(first, second, *rest), made.write(first)
            )
            assert list(made.daemon.store.records) == [first.label]
            await made.until_synced(first.label)

    virtual.run(play)


def test_a_reload_while_keys_rotate() -> None:
    """Whoever leaves meanwhile is not brought back by its turn."""

    async def play() -> None:
        async with scene() as made:
            old = made.accounts
            wrong = [
                structs.replace(a, credentials=Credentials(Secret("no"), Secret(f"no-{a.label}")))
                for a in old.values()
            ]
            await made.write(*wrong)
            await made.write(*list(old.values())[:1])
            await asyncio.sleep(60)
            assert list(made.daemon.store.records) == list(old)[:1]
            assert made.state(next(iter(old))) == "synced"

    virtual.run(play)


def test_books_and_tiers_apply_at_once() -> None:
    async def play() -> None:
        async with scene() as made:
            label = next(iter(made.accounts))
            tiny = structs.replace(made.accounts[label], tier="tiny", initial_balance="1")
            held = Position(symbol=Symbol("AAPL"), qty="1", market_value="100")
            record = made.daemon.store.records[AccountLabel(label)]
            state = structs.replace(record.state, positions={held.symbol: held})
            before = structs.replace(
                made.daemon.settings,
                accounts=(tiny, *list(made.accounts.values())[1:]),
                tiers={"tiny": TierBounds(risk_pct="5")},
                books={"momentum": "mom-"},
            )
            made.files.append(before)
            assert (await made.daemon.reload()).needs_restart == ()
            made.daemon.store.update(AccountLabel(label), now=record.as_of, state=state)
            await asyncio.sleep(1)
            async with aiohttp.ClientSession(connector=virtual.VirtualConnector()) as session:
                url = f"http://127.0.0.1:{made.daemon.port}/alerts"
                async with session.get(url) as response:
                    over = (await response.json())["over"]
                assert [alert["account_id"] for alert in over] == [label]
                made.files.append(structs.replace(before, tiers={}))
                await made.daemon.reload()
                await asyncio.sleep(1)
                async with session.get(url) as response:
                    document = await response.json()
            assert (document["watched"], document["over"]) == (False, [])

    virtual.run(play)
