"""Alpaca's API at a daemon in front of the simulator, with the interface of `Broker`.

The same tests run against either.
"""

import asyncio
import re
import tempfile
import urllib.request
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec import structs

from realtime.config.settings import AccountSettings, OrdersSettings, ServerSettings, Settings
from realtime.core.timestamps import to_rest_precision
from realtime.runtime.account_registry import AccountRegistry
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.runtime.environment import real_environment
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from tests.compat.background import LIMIT_S, Background
from tests.compat.broker import Broker, tuesday
from tests.processes.proxy import Proxy, proxy

T = TypeVar("T")

LISTENS = re.compile(r"realtime_trading_stream_listens_total ([0-9.]+)")

FIELDS = ("status", "filled_qty", "replaced_by", "qty")
"""Members of an order that say whether the daemon has its newest version."""


class Localhost(Background):
    """One daemon for the whole suite; `follow` adds the account of a test."""

    def __init__(self, broker: Broker, clock: Callable[[], int] | None = None) -> None:
        super().__init__("localhost")
        self._broker = broker
        self._now = clock or tuesday()
        self._daemon: Daemon
        self._clock: Callable[[], float] = lambda: self._now() / 1_000_000_000
        self._wire: Proxy
        self._accounts: list[AccountSettings] = []
        self._label = ""
        self.url = ""
        self.stream_url = broker.stream_url

    def follow(self, label: str) -> None:
        """Follow an account from now on, as after an edit of the files."""
        self._label = label
        self._accounts = [*self._accounts[-20:], self._make_account(label)]
        self._run(self._daemon.reload())
        self._wait(lambda: self._daemon.store.records[label].link.is_synced)  # type: ignore[index]

    def call(self, act: Callable[[Simulator], T]) -> T:
        """Call a function with the simulator on its own thread; return its result."""
        return self._broker.call(act)

    def until(self, is_so: Callable[[Simulator], bool]) -> None:
        """Wait for an effect of a client's action; raises TimeoutError."""
        self._broker.until(is_so)

    def step(self, times: int = 1) -> None:
        """Match resting orders, and let the daemon see what that did."""
        self._broker.step(times)
        self._wait(self._has_newest_orders)

    def settle(self) -> None:
        """Step until everything that can trade has traded."""
        self._broker.settle()
        self._wait(self._has_newest_orders)

    def price(self, symbol: str) -> str:
        """The last price of a symbol."""
        return self._broker.price(symbol)

    def pin(self, symbol: str, price: str) -> None:
        """Set a price and match orders; positions are read again."""
        self._broker.pin(symbol, price)
        self._wait(self._has_newest_orders)
        read_at = self._clock()
        registry: AccountRegistry = self._daemon.reloader._registry
        self._loop.call_soon_threadsafe(registry.request_balances, self._label)
        self._wait(lambda: (self._record().confirmed_at or 0.0) >= read_at)

    def fault(self, kind: str, **parameters: object) -> None:
        """Add a fault of the simulator."""
        self._broker.fault(kind, **parameters)

    def count_listens(self, label: str) -> int:
        """How often a client has begun to listen at the daemon, to any account."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=LIMIT_S) as response:
            found = LISTENS.search(response.read().decode())
        assert found is not None, "the metric is there from the start"
        return int(float(found[1]))

    def cut(self, label: str, *, clean: bool = False) -> None:
        """Reset every socket of the daemon's clients."""
        self._loop.call_soon_threadsafe(self._wire.reset)

    def _has_newest_orders(self) -> bool:
        query = {"status": "all", "limit": "500"}
        theirs = self._broker.call(lambda sim: sim.exchange.orders(self._label, query))
        ours = self._record().state.orders
        return all(
            (known := ours.get(order["id"])) is not None
            and known.updated_at == to_rest_precision(str(order["updated_at"]))
            and all(getattr(known, name) == order[name] for name in FIELDS)
            for order in theirs
            if order["order_class"] != "mleg"
        )

    def _record(self) -> Any:
        return self._daemon.store.get(self._label)

    def _wait(self, is_so: Callable[[], bool]) -> None:
        async def waiting() -> None:
            async with asyncio.timeout(LIMIT_S):
                while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - another process's
                    await asyncio.sleep(0.005)

        self._run(waiting())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(2 * LIMIT_S)

    def _make_account(self, label: str) -> AccountSettings:
        keys = Credentials(Secret(f"demo-{label}"), Secret(f"demo-secret-{label}"))
        return AccountSettings(label=label, trading_url=self._broker.url, credentials=keys)

    async def live(self) -> None:
        """Run the daemon."""
        environment = structs.replace(real_environment(), clock=self._clock, wall_clock=None)
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                path=Path(folder) / "accounts.toml",
                accounts=(),
                server=ServerSettings(port=0),
                orders=OrdersSettings(audit_log=Path(folder) / "orders.jsonl"),
            )

            async def read_settings() -> Settings:
                return structs.replace(settings, accounts=tuple(self._accounts))

            async with run_daemon(settings, environment, read_settings) as self._daemon:
                self.url = f"http://127.0.0.1:{self._daemon.port}"
                async with proxy(self._daemon.port) as self._wire:
                    self.stream_url = f"ws://127.0.0.1:{self._wire.port}/stream"
                    await self.serve_until_left()


EITHER = pytest.mark.parametrize("target", ["broker", "localhost"], indirect=True)
"""Marks tests that run against the simulator and against the daemon."""


def skip_at_localhost(target: object, reason: str) -> None:
    """Skip a test where the daemon differs on purpose; docs/localhost.md lists these."""
    if isinstance(target, Localhost):
        pytest.skip(reason)
