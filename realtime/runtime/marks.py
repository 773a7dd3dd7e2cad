"""Marks put together: the engine, its prices, the exchange's calendar, and the store.

Without `[market]`, or with `marks = false`, nothing of it is imported or started.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from realtime.errors import RealtimeError
from realtime.market.marks.engine import MarkEngine
from realtime.market.marks.feed import PriceFeed
from realtime.market.marks.sessions import NEW_YORK, TradingCalendar, parse_calendar
from realtime.market.marks.status import MarksStatus, get_status
from realtime.market.stream.market_streams import MarketStreams
from realtime.runtime.account_registry import AccountRegistry
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

TICK_S = 0.05
"""Between two looks at what has changed: a price is in a mark within this time, or within the
quarter of a second that its account waits after a mark."""

CALENDAR_DAYS = 14
"""Days before and after today: longer than any closure of the exchange."""

CALENDAR_S = 6 * 3600.0
CALENDAR_RETRY_S = 60.0


class Marks:
    """Marks of one daemon. `clock` gives epoch seconds."""

    def __init__(
        self,
        streams: MarketStreams,
        store: Store,
        registry: AccountRegistry,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._engine = MarkEngine(store, clock=clock, feed="iex", calendar=TradingCalendar([]))
        self._feed = PriceFeed(self._engine, streams)
        self._store = store
        self._registry = registry
        self._clock = clock

    def status(self) -> MarksStatus:
        """How marks are doing."""
        return get_status(self._engine, self._feed.status, self._clock())

    async def run(self) -> None:
        """Mark every account to market, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._feed.run(), name="marks:prices")
                tasks.create_task(
                    _keep_calendar(self._engine, self._registry, self._clock), name="marks:calendar"
                )
                await _tick(self._engine, self._store, self._clock)
        finally:
            self._engine.close()


async def _tick(engine: MarkEngine, store: Store, clock: Callable[[], float]) -> None:
    """Publish new marks, in slices that let other tasks run."""
    while True:
        for mark in engine.tick():
            store.set_mark(mark, now=clock())
        await asyncio.sleep(0.0 if engine.has_more else TICK_S)


async def _keep_calendar(
    engine: MarkEngine, registry: AccountRegistry, clock: Callable[[], float]
) -> None:
    """Read the exchange's calendar a few times a day, with the key of any account."""
    while True:
        calendar = await _read_calendar(registry, clock())
        if calendar is not None:
            engine.calendar = calendar
        await asyncio.sleep(CALENDAR_RETRY_S if calendar is None else CALENDAR_S)


async def _read_calendar(registry: AccountRegistry, now: float) -> TradingCalendar | None:
    today = datetime.fromtimestamp(now, NEW_YORK).date()
    days = timedelta(days=CALENDAR_DAYS)
    for label, account in list(registry)[:3]:
        try:
            rows = await account.rest.fetch_calendar(
                start=(today - days).isoformat(), end=(today + days).isoformat()
            )
            return parse_calendar(rows)
        except (RealtimeError, ValueError) as error:
            log.info("marks.calendar_not_read", account=label, reason=str(error))
    return None
