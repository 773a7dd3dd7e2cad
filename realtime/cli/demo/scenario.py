"""The demo from the moment that all accounts are ready: trouble, queries, comparison, figures."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
from msgspec import Struct

from realtime.cli.demo.chaos import SHOW_S, acts
from realtime.cli.demo.comparison import compare
from realtime.cli.demo.narrator import Narrator
from realtime.cli.demo.simulator_control import SimulatorControl, query_for_ever
from realtime.cli.demo.statistics import DemoStatistics
from realtime.store.store import Store

COMPARING_S = 3.0
"""The comparison begins so long before the figures are due: money is confirmed in two."""

DIFFERENCES_SHOWN = 10
LABELS_SHOWN = 10


class ScenarioOptions(Struct, frozen=True, kw_only=True):
    """Where it takes place."""

    labels: Sequence[str]
    activity: float
    has_chaos: bool
    duration_s: float | None
    """Until when; None is until somebody ends it."""


class Scenario:
    """One run of it."""

    def __init__(
        self, stage: ScenarioOptions, say: Callable[[str], None], narrator: Narrator
    ) -> None:
        self.figures = DemoStatistics(updates=narrator.lags)
        self._stage = stage
        self._say = say
        self._narrator = narrator
        self._store: Store | None = None
        self._summary_is_due = True

    async def play(self, store: Store, broker_url: str, daemon_url: str) -> None:
        """Show everything. `store` is only counted; what is compared is asked over HTTP."""
        self._store = store
        self._narrator.begin()
        duration_s = self._stage.duration_s
        mark_s = SHOW_S if duration_s is None else min(SHOW_S, duration_s)
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as tasks:
            control = SimulatorControl(http, broker_url)
            if self._stage.has_chaos:
                tasks.create_task(self._make_trouble(control, mark_s / SHOW_S), name="chaos")
            async with self._querying(http, daemon_url):
                await asyncio.sleep(mark_s - min(COMPARING_S, mark_s / 6))
            # Not measured: asking for everything at once is no reader's way.
            async with control.quiet(self._stage.activity):
                await self._compare(http, broker_url, daemon_url)
            async with self._querying(http, daemon_url):
                await asyncio.sleep(mark_s - self._narrator.elapsed_s)
                self.tell_figures()
                self._narrator.tells_fills = False
                if duration_s is None or duration_s > mark_s:
                    self._summary_is_due = True
                    await _sleep_until_stopped(duration_s, self._narrator)

    @asynccontextmanager
    async def _querying(self, http: aiohttp.ClientSession, daemon_url: str) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            asking = query_for_ever(http, daemon_url, self._stage.labels, self.figures)
            querying = tasks.create_task(asking, name="queries")
            yield
            querying.cancel()

    def tell_figures(self) -> None:
        """Say the summary, unless it has just been said."""
        if self._store is None:
            self._say("stopped before all accounts were ready")
        elif self._summary_is_due:
            events = sum(n for name, n in self._store.counts.items() if name.startswith("events."))
            self._say(self.figures.summary(self._narrator.elapsed_s, events))
        self._summary_is_due = False

    async def _make_trouble(self, control: SimulatorControl, intervals: float) -> None:
        async for act in acts(self._stage.labels, intervals):
            label = self._stage.labels[act.account]
            self._narrator.tell(act.sentence.format(label))
            if all([await control.switch({**fault, "account": label}) for fault in act.faults]):
                self.figures.faults += 1
            else:
                self._narrator.tell("the simulator did not take the fault")
            for _ in range(act.trades):
                await control.buy(label)

    async def _compare(self, http: aiohttp.ClientSession, broker_url: str, daemon_url: str) -> None:
        """Count what the daemon has not right, and say which accounts cannot be judged."""
        assert self._store is not None, "the show is on"
        live = [record.profile.label for record in self._store if record.link.is_synced]
        others = [
            f"{record.profile.label} ({record.link.state})"
            for record in self._store
            if not record.link.is_synced
        ]
        if others:
            self._narrator.tell(f"not synced, so not compared: {', '.join(others[:LABELS_SHOWN])}")
        if not live:
            return
        try:
            found = await compare(http, broker_url, daemon_url, live)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._narrator.tell(f"not compared with the broker's books: {error}")
            return
        self.figures.lost, self.figures.lost_at_s = len(found), self._narrator.elapsed_s
        for difference in found[:DIFFERENCES_SHOWN]:
            self._narrator.tell(f"lost: {difference}")


async def _sleep_until_stopped(duration_s: float | None, narrator: Narrator) -> None:
    if duration_s is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(duration_s - narrator.elapsed_s)
