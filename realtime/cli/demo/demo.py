"""`realtime demo`: a simulator in a process of its own and the daemon that follows it in this one.

Nothing is written to disk, so nothing is left behind, whatever ends us.
"""

import asyncio
from collections.abc import Callable
from random import Random

from msgspec import Struct
from rich.console import Console

from realtime.cli.demo.narrator import Narrator
from realtime.cli.demo.scenario import Scenario, ScenarioOptions
from realtime.cli.demo.settings import settings_for
from realtime.cli.demo.simulator_child import LOOPBACK, ChildOptions
from realtime.cli.demo.simulator_process import SimulatorProcess, broker
from realtime.cli.ports import must_be_free
from realtime.cli.racing import first_of
from realtime.cli.text_format import counted
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
from realtime.simulator.account_presets import account_specs


class DemoOptions(Struct, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    accounts: int
    seed: int
    port: int
    sim_port: int
    activity: float
    has_chaos: bool
    duration_s: float | None


def demonstrate(wishes: DemoOptions, say: Callable[[str], None]) -> bool:
    """Run the demo to its end; says whether nothing was lost, as far as that was measured."""
    must_be_free(LOOPBACK, wishes.port, "--port")
    must_be_free(LOOPBACK, wishes.sim_port, "--sim-port")
    descriptors = raise_descriptor_limit(wishes.accounts)
    if descriptors.is_short:
        say(descriptors.warning)
    return run_in_loop(Demo(wishes, say).run())


class Demo:
    """One demo."""

    def __init__(self, wishes: DemoOptions, say: Callable[[str], None]) -> None:
        self._wishes = wishes
        self._say = say
        self._specs = account_specs(wishes.accounts)
        self._narrator = Narrator(say)
        stage = ScenarioOptions(
            labels=[spec.label for spec in self._specs],
            activity=wishes.activity,
            has_chaos=wishes.has_chaos,
            duration_s=wishes.duration_s,
        )
        self._show = Scenario(stage, say, self._narrator)

    async def run(self) -> bool:
        """Show everything until the end or until told to stop; the last line is the summary."""
        self._narrator.listen()
        with stop_signals(lambda _: None) as stop:
            await first_of(self._with_broker(), stop.wait())
            self._show.tell_figures()
        return stop.is_set() or not self._show.figures.lost

    async def _with_broker(self) -> None:
        wishes = self._wishes
        order = ChildOptions(wishes.accounts, wishes.seed, wishes.sim_port, wishes.activity)
        async with broker(order) as simulator:
            accounts = counted(wishes.accounts, "account")
            self._say(f"simulator on :{simulator.port}, {accounts}, seed {wishes.seed}")
            failure = await first_of(self._with_daemon(simulator), simulator.ended())
            if failure is not None:
                raise failure

    async def _with_daemon(self, simulator: SimulatorProcess) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        settings = settings_for(self._specs, simulator.url, self._wishes.port)
        world = real_environment(Random(f"{self._wishes.seed}:daemon"))
        async with run_daemon(settings, world) as daemon:
            ready = await self._until_ready(daemon)
            freeze_memory()
            url = f"http://{LOOPBACK}:{daemon.port}"
            self._tell_ready(ready, loop.time() - began, url)
            await self._show.play(daemon.store, simulator.url, url)

    async def _until_ready(self, daemon: Daemon) -> Readiness:
        if not is_terminal():
            return await wait_until_ready(daemon.store, lambda _: None)
        with loading_bar(Console(highlight=False), self._wishes.accounts) as advanced:
            return await wait_until_ready(daemon.store, advanced)

    def _tell_ready(self, ready: Readiness, took_s: float, url: str) -> None:
        label = self._specs[0].label
        self._say(f"ready in {took_s:.1f} s: {ready} · open {url}")
        self._say(f"try: curl -s {url}/realtime/positions/{label}")
