"""The demo once all accounts are ready: faults, queries, comparison, summary."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp
from msgspec import Struct

from realtime.cli.demo.comparison import compare
from realtime.cli.demo.demo_page import DemoPage, DemoStep
from realtime.cli.demo.narrator import Narrator
from realtime.cli.demo.simulator_control import SimulatorControl, query_repeatedly
from realtime.cli.demo.statistics import DemoStatistics
from realtime.store.store import Store

SCENARIO_S = 60.0
"""The schedule is made for a minute; a shorter demo runs through it faster."""

COMPARISON_S = 3.0
"""The comparison starts this long before the summary is due: money is confirmed in two."""

MAX_DIFFERENCES = 10
MAX_LABELS = 10

Fault = Mapping[str, object]


class FaultStep(Struct, frozen=True):
    """What happens to one account, and when: seconds after all accounts are ready."""

    at_s: float
    account: int
    text: str
    about: str
    """The same for the page."""
    faults: tuple[Fault, ...]
    orders: int = 0
    """Orders placed meanwhile by another program, so that there are fills to recover."""


SCHEDULE = (
    FaultStep(
        20,
        0,
        "chaos: cutting {}, and trading meanwhile",
        "{} loses its connection while it trades",
        ({"kind": "cut"},),
        orders=3,
    ),
    # Reconnecting takes a while: REST responds with 429 to the first read after the cut.
    FaultStep(
        35,
        1,
        "chaos: 429 for {}",
        "{} is rate limited",
        ({"kind": "rate_limited", "for_s": 15}, {"kind": "cut"}),
    ),
    FaultStep(
        45, 2, "chaos: {}'s key is refused", "{} has its key revoked", ({"kind": "key_revoked"},)
    ),
)


async def scheduled_faults(labels: Sequence[str], scale: float) -> AsyncIterator[FaultStep]:
    """Yield each step at its time, for accounts that exist. At `scale` 1 it takes a minute."""
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    for step in SCHEDULE:
        if step.account < len(labels):
            await asyncio.sleep(started_at + step.at_s * scale - loop.time())
            yield step


class Scenario:
    """One run. `store` is only counted; what is compared is read over HTTP."""

    def __init__(
        self,
        labels: Sequence[str],
        store: Store,
        narrator: Narrator,
        *,
        page: DemoPage,
        has_chaos: bool,
    ) -> None:
        self.statistics = DemoStatistics(updates=narrator.lags)
        self._labels = labels
        self._store = store
        self._narrator = narrator
        self._has_chaos = has_chaos
        self._page = page
        self._is_report_due = True

    async def run(
        self,
        broker_url: str,
        daemon_url: str,
        *,
        restart_account: Callable[[str], Awaitable[None]],
        activity: float,
        duration_s: float | None,
    ) -> None:
        """Run for `duration_s`, or until cancelled.

        `restart_account` makes the daemon try a refused account again.
        """
        self._narrator.start()
        end_s = SCENARIO_S if duration_s is None else min(SCENARIO_S, duration_s)
        if self._has_chaos:
            self._page.start(self._steps(end_s), now=time.time(), ends_at_s=end_s)
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as group:
            control = SimulatorControl(http, broker_url)
            if self._has_chaos:
                group.create_task(self._cause_faults(control, end_s / SCENARIO_S), name="chaos")
            async with self._query(http, daemon_url):
                await asyncio.sleep(end_s - min(COMPARISON_S, end_s / 6))
            # Not measured: no client requests everything at once.
            async with control.quiet(activity):
                await self._compare(http, broker_url, daemon_url)
            async with self._query(http, daemon_url):
                await asyncio.sleep(end_s - self._narrator.elapsed_s)
                self.report()
                self._narrator.has_fills = False
                if self._has_chaos:
                    await self._restore(control, restart_account)
                self._narrator.write(f"open {daemon_url}")
                if duration_s is None or duration_s > end_s:
                    self._is_report_due = True
                    await _sleep_until_end(duration_s, self._narrator)

    def report(self) -> None:
        """Print the figures so far, unless they were just printed."""
        if self._is_report_due:
            counts = self._store.counts.items()
            events = sum(count for name, count in counts if name.startswith("events."))
            summary = self.statistics.summary(self._narrator.elapsed_s, events)
            self._narrator.write(summary)
            self._page.finish(summary, is_lost=bool(self.statistics.lost))
        self._is_report_due = False

    @asynccontextmanager
    async def _query(self, http: aiohttp.ClientSession, daemon_url: str) -> AsyncIterator[None]:
        """Query and measure while the block runs."""
        async with asyncio.TaskGroup() as group:
            queries = query_repeatedly(http, daemon_url, self._labels, self.statistics)
            task = group.create_task(queries, name="queries")
            yield
            task.cancel()

    async def _cause_faults(self, control: SimulatorControl, scale: float) -> None:
        async for step in scheduled_faults(self._labels, scale):
            label = self._labels[step.account]
            self._narrator.write_line(step.text.format(label))
            accepted = [await control.add_fault({**f, "account": label}) for f in step.faults]
            if all(accepted):
                self.statistics.faults += 1
            else:
                self._narrator.write_line("the simulator did not accept the fault")
            for _ in range(step.orders):
                await control.buy(label)

    def _steps(self, end_s: float) -> list[DemoStep]:
        return [
            DemoStep(step.at_s * end_s / SCENARIO_S, step.about.format(self._labels[step.account]))
            for step in SCHEDULE
            if step.account < len(self._labels)
        ]

    async def _restore(
        self, control: SimulatorControl, restart_account: Callable[[str], Awaitable[None]]
    ) -> None:
        """End all faults, and have the accounts tried again whose key was revoked."""
        await control.clear_faults()
        for record in list(self._store):
            if record.link.state == "refused":
                self._narrator.write_line(f"{record.profile.label} has its key back")
                await restart_account(record.profile.label)

    async def _compare(self, http: aiohttp.ClientSession, broker_url: str, daemon_url: str) -> None:
        """Count the differences, and name the accounts that cannot be compared."""
        synced = [record.profile.label for record in self._store if record.link.is_synced]
        others = [
            f"{record.profile.label} ({record.link.state})"
            for record in self._store
            if not record.link.is_synced
        ]
        if others:
            names = ", ".join(others[:MAX_LABELS])
            self._narrator.write_line(f"not synced, so not compared: {names}")
        if not synced:
            return
        try:
            differences = await compare(http, broker_url, daemon_url, synced)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._narrator.write_line(f"not compared with the broker's books: {error}")
            return
        self.statistics.lost = len(differences)
        self.statistics.compared_at_s = self._narrator.elapsed_s
        for difference in differences[:MAX_DIFFERENCES]:
            self._narrator.write_line(f"lost: {difference}")


async def _sleep_until_end(duration_s: float | None, narrator: Narrator) -> None:
    if duration_s is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(duration_s - narrator.elapsed_s)
