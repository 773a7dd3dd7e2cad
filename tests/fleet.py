"""Simulator and daemon together, as their users meet them: over HTTP and websockets only."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from msgspec import Struct

from realtime.config.settings import (
    AccountSettings,
    AlpacaSettings,
    OrdersSettings,
    ServerSettings,
    Settings,
)
from realtime.core.link import Link
from realtime.core.state import LAG_S
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.runtime.environment import Environment
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from realtime.store.records import Record

_DIRECTORY = TemporaryDirectory(prefix="realtime-fleet-")
_journals = count(1)

ENDS_OF_ATTEMPTS = ("authorized", "unauthorized", "auth_unanswered", "sessions_refused")


class Fleet(Struct, frozen=True):
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

    async def refresh(self, label: str) -> None:
        """Have the daemon read an account now."""
        path = f"/realtime/accounts/{label}/refresh"
        async with self.http.post(f"http://127.0.0.1:{self.daemon.port}{path}") as answer:
            assert answer.status == 200, await answer.text()

    async def fault(self, **fault: object) -> None:
        """Switch a fault on."""
        async with self.http.post(f"{self.simulator.url}/_sim/faults", json=fault) as answer:
            assert answer.status < 300, await answer.text()

    async def until(self, holds: Callable[[], bool], *, within_s: float = 60.0) -> float:
        """Let virtual time pass until `holds()`; give the seconds it took."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        while not holds():
            assert loop.time() - start < within_s, f"not so within {within_s} s: {self.links}"
            await asyncio.sleep(0.01)
        return loop.time() - start

    def record(self, label: str) -> Record:
        """What the daemon knows of an account."""
        record = self.daemon.store.get(label)
        assert record is not None
        return record

    @property
    def links(self) -> dict[str, Link]:
        """label → link"""
        return {record.profile.label: record.link for record in self.daemon.store}

    def all_synced(self) -> bool:
        """Whether every account is live."""
        return all(record.link.is_synced for record in self.daemon.store)

    def settled(self) -> bool:
        """Whether every account is live and has everything confirmed."""
        return self.all_synced() and not any(r.state.provisional for r in self.daemon.store)

    def working(self, label: str) -> list[str]:
        """Orders that the exchange has not finished."""
        rows = self.simulator.exchange.orders(label, {"status": "open", "limit": "500"})
        return [str(row["id"]) for row in rows]

    async def until_done(self, label: str) -> None:
        """Let the exchange finish an account's orders, and the daemon confirm what it knows."""
        await self.until(lambda: not self.working(label))
        await asyncio.sleep(LAG_S)
        await self.until(self.settled)

    def requests(self, label: str) -> int:
        """REST requests that the simulator has counted for an account."""
        return self.simulator.counters.get(label).get("requests", 0)

    def attempts(self, label: str) -> int:
        """How often an account has asked to be let in, granted or not: a handshake names nobody."""
        counts = self.simulator.counters.get(label)
        attempts = sum(counts.get(what, 0) for what in ENDS_OF_ATTEMPTS)
        assert attempts > 0, "who is followed has asked at least once"
        return attempts

    def buy(self, label: str, symbol: str = "AAPL", qty: str = "1", **more: object) -> str:
        """Place an order at the exchange, as another program would; give its id."""
        body = {"symbol": symbol, "qty": qty, "side": "buy", "type": "market"}
        order = self.simulator.exchange.submit(label, {**body, "time_in_force": "day", **more})
        return str(order["id"])


def settings_for(
    simulator: Simulator,
    labels: Sequence[str],
    numbers: Mapping[str, str],
    initial_balance: str | None = None,
) -> Settings:
    """What `realtime sim --write-config` would write; `numbers`: label → account number."""
    return Settings(
        path=Path("accounts.toml"),
        server=ServerSettings(port=0),
        alpaca=AlpacaSettings(),
        # Two daemons may not share an audit log.
        orders=OrdersSettings(audit_log=Path(_DIRECTORY.name) / f"orders-{next(_journals)}.jsonl"),
        accounts=tuple(
            AccountSettings(
                label=label,
                trading_url=simulator.url,
                account_number=numbers.get(label),
                initial_balance=initial_balance,
                credentials=Credentials(
                    key_id=Secret(f"demo-{label}"), secret_key=Secret(f"demo-secret-{label}")
                ),
            )
            for label in labels
        ),
    )


@asynccontextmanager
async def fleet(
    simulator: Simulator,
    world: Environment,
    *,
    numbers: Mapping[str, str] | None = None,
    initial_balance: str | None = None,
    configure: Callable[[Settings], Settings] = lambda settings: settings,
) -> AsyncIterator[Fleet]:
    """Run the daemon against a simulator that has been started."""
    settings = settings_for(
        simulator, list(simulator.exchange.labels), numbers or {}, initial_balance
    )
    async with (
        run_daemon(configure(settings), world) as daemon,
        aiohttp.ClientSession(connector=world.make_connector()) as http,
    ):
        yield Fleet(simulator, daemon, http)
