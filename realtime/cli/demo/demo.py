"""`realtime demo`: a simulator in its own process, and the daemon that follows it in this one.

Journal and history are written to a temporary directory: those in the working directory may belong
to another daemon, whose halts are not those of the demo.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar

from msgspec import Struct, structs
from rich.console import Console

from realtime.cli.demo.demo_page import DemoPage
from realtime.cli.demo.narrator import Narrator
from realtime.cli.demo.scenario import Scenario
from realtime.cli.demo.simulator_process import (
    LOOPBACK,
    SimulatorOptions,
    SimulatorProcess,
    check_port_is_free,
    run_simulator,
)
from realtime.cli.formatting import format_quantity
from realtime.config.settings import (
    AccountSettings,
    HistorySettings,
    MarketSettings,
    OrdersSettings,
    ServerSettings,
    Settings,
    TierBounds,
)
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.runtime.environment import real_environment
from realtime.runtime.process import (
    freeze_memory,
    raise_descriptor_limit,
    run_in_loop,
    stop_signals,
)
from realtime.runtime.progress_bar import is_terminal, loading_bar
from realtime.runtime.readiness import Readiness, wait_until_ready
from realtime.secret import Credentials, Secret
from realtime.simulator.account_presets import account_specs, tier_name
from realtime.simulator.credentials import key_id_for, secret_for
from realtime.simulator.exchange.engine import AccountSpec
from realtime.web.files import publish_demo

DEMO_BOOKS = {"momentum": "mom-", "pairs": "prs-", "reversion": "mrv-"}
"""The strategies of the invented past; what the traffic trades is `other`."""

DEMO_TIERS = {
    "cash": TierBounds(risk_pct="4", max_contracts=2),
    "basic": TierBounds(risk_pct="8", max_contracts=3),
}
"""Bounds that some accounts exceed after a while: they are watched, nothing is stopped."""

One = TypeVar("One")
Other = TypeVar("Other")


class DemoOptions(Struct, frozen=True, kw_only=True):
    """What to show; `duration_s` None is until Ctrl-C."""

    simulator: SimulatorOptions
    port: int
    has_chaos: bool
    duration_s: float | None


def run_demo(options: DemoOptions, write: Callable[[str], None]) -> bool:
    """Run the demo to its end; return whether nothing was lost, as far as that was measured."""
    check_port_is_free(options.port, "--port")
    check_port_is_free(options.simulator.port, "--sim-port")
    descriptors = raise_descriptor_limit(options.simulator.accounts)
    if descriptors.is_short:
        write(descriptors.warning)
    return run_in_loop(Demo(options, write).run())


class Demo:
    """One demo."""

    def __init__(self, options: DemoOptions, write: Callable[[str], None]) -> None:
        self._options = options
        self._write = write
        self._specs = account_specs(options.simulator.accounts)
        self._narrator = Narrator(write)
        self._scenario: Scenario | None = None
        """None until all accounts are ready."""

    async def run(self) -> bool:
        """Run until the end or a stop signal; the last line is the summary."""
        self._narrator.receive_log()
        with stop_signals(lambda _: None) as stop:
            await first_result(self._run_with_simulator(), stop.wait())
        if self._scenario is None:
            self._write("stopped before all accounts were ready")
            return stop.is_set()
        self._scenario.report()
        return stop.is_set() or not self._scenario.statistics.lost

    async def _run_with_simulator(self) -> None:
        options = self._options.simulator
        async with run_simulator(options) as simulator:
            accounts = format_quantity(options.accounts, "account")
            self._write(f"simulator on :{simulator.port}, {accounts}, seed {options.seed}")
            if options.past_days:
                self._write(f"{options.past_days} days of trading before now are invented")
            failure = await first_result(
                self._run_with_daemon(simulator), simulator.wait_for_exit()
            )
            if failure is not None:
                raise failure

    async def _run_with_daemon(self, simulator: SimulatorProcess) -> None:
        options = self._options
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        folder = TemporaryDirectory(prefix="realtime-demo-", ignore_cleanup_errors=True)
        settings = demo_settings(self._specs, simulator.url, options.port, Path(folder.name))
        environment = real_environment(Random(f"{options.simulator.seed}:daemon"))
        current = settings

        async def read_settings() -> Settings:
            return current

        with folder:
            async with run_daemon(settings, environment, read_settings) as daemon:
                readiness = await self._wait_until_ready(daemon)
                freeze_memory()
                url = f"http://{LOOPBACK}:{daemon.port}"
                self._write(f"ready in {loop.time() - started_at:.1f} s: {readiness} · open {url}")
                self._write(f"try: curl -s {url}/realtime/positions/{self._specs[0].label}")

                async def restart_account(label: str) -> None:
                    nonlocal current
                    for is_enabled in (False, True):
                        current = set_enabled(settings, label, is_enabled=is_enabled)
                        await daemon.reload()

                self._scenario = Scenario(
                    [spec.label for spec in self._specs],
                    daemon.store,
                    self._narrator,
                    page=DemoPage(publish_demo),
                    has_chaos=options.has_chaos,
                )
                await self._scenario.run(
                    simulator.url,
                    url,
                    restart_account=restart_account,
                    activity=options.simulator.activity,
                    duration_s=options.duration_s,
                )

    async def _wait_until_ready(self, daemon: Daemon) -> Readiness:
        if not is_terminal():
            return await wait_until_ready(daemon.store, lambda _: None)
        with loading_bar(Console(highlight=False), len(self._specs)) as set_count:
            return await wait_until_ready(daemon.store, set_count)


def demo_settings(
    specs: Sequence[AccountSpec], trading_url: str, port: int, folder: Path
) -> Settings:
    """Return settings for these accounts of a simulator; journal and history are in a folder.

    Prices come from the simulator's market data, with the first account's key.
    """
    accounts = tuple(_account_settings(spec, trading_url) for spec in specs)
    credentials = accounts[0].credentials
    assert credentials is not None, "the simulator knows its keys"
    return Settings(
        path=Path("demo"),
        server=ServerSettings(port=port),
        orders=OrdersSettings(audit_log=folder / "orders.jsonl"),
        history=HistorySettings(path=folder / "history"),
        books=DEMO_BOOKS,
        tiers=DEMO_TIERS,
        market=MarketSettings(
            account=accounts[0].label,
            credentials=credentials,
            data_url=trading_url,
            stream_url=trading_url.replace("http", "ws", 1),
        ),
        accounts=accounts,
    )


def set_enabled(settings: Settings, label: str, *, is_enabled: bool) -> Settings:
    """Return the settings with one account enabled or disabled."""
    accounts = tuple(
        structs.replace(account, enabled=is_enabled) if account.label == label else account
        for account in settings.accounts
    )
    return structs.replace(settings, accounts=accounts)


def _account_settings(spec: AccountSpec, trading_url: str) -> AccountSettings:
    return AccountSettings(
        label=spec.label,
        name=spec.label.replace("_", " ").capitalize(),
        tier=tier_name(spec),
        initial_balance=format(spec.cash, "f"),
        account_number=spec.account_number,
        trading_url=trading_url,
        credentials=Credentials(
            Secret(key_id_for(spec.label)), Secret(secret_for(spec.label)), "demo"
        ),
    )


async def first_result(
    one: Coroutine[object, object, One], other: Coroutine[object, object, Other]
) -> One | Other:
    """Run both until one has ended, then cancel the other; return the result of the first."""
    async with asyncio.TaskGroup() as group:
        first, second = group.create_task(one), group.create_task(other)
        await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
        first.cancel()
        second.cancel()
    return second.result() if first.cancelled() else first.result()
