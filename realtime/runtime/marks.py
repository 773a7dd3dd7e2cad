"""Marks put together: the engine, its prices, the exchange's calendar, and the store.

Without `[market]`, or with `marks = false`, nothing of it is imported or started.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from realtime.analytics.live_books import LiveBooks
from realtime.api.history.client import HistoryClient
from realtime.core.trading_day import NEW_YORK
from realtime.errors import RealtimeError
from realtime.market.marks.engine import MarkEngine
from realtime.market.marks.feed import PriceFeed
from realtime.market.marks.sessions import TradingCalendar, parse_calendar
from realtime.market.marks.status import MarksStatus, get_status
from realtime.market.stream.market_streams import MarketStreams
from realtime.runtime.account_registry import AccountRegistry
from realtime.runtime.mark_books import keep_books
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

TICK_S = 0.05
"""Between two looks at what has changed: a price is in a mark within this time, or within the
quarter of a second that its account waits after a mark."""

MIN_WAIT_S = 0.001
"""Between two looks when accounts are due: those of a millisecond are marked together."""

CALENDAR_DAYS = 14
"""Days before and after today: longer than any closure of the exchange."""

CALENDAR_S = 6 * 3600.0
CALENDAR_RETRY_S = 60.0

RESTART_S = 5.0
"""After a failure of marks, before they begin again."""


class Marks:
    """Marks of one daemon. `clock` gives epoch seconds; `books`: book → prefix."""

    def __init__(
        self,
        streams: MarketStreams,
        store: Store,
        registry: AccountRegistry,
        *,
        clock: Callable[[], float],
        books: Mapping[str, str],
        history: HistoryClient | None = None,
    ) -> None:
        self._streams = streams
        self._store = store
        self._registry = registry
        self._clock = clock
        self._books = books
        self._history = history if books else None
        self._failures = 0
        self._engine = self._make_engine()
        self._feed = PriceFeed(self._engine, streams)

    def status(self) -> MarksStatus:
        """How marks are doing."""
        return get_status(self._engine, self._feed.status, self._clock(), self._failures)

    async def run(self) -> None:
        """Mark every account to market, until cancelled.

        A failure ends all marks: none is shown until they are computed from the start.
        """
        while True:
            try:
                await self._run_engine()
            except Exception:
                self._failures += 1
                log.exception("marks.failed")
                for record in list(self._store):
                    self._store.remove_mark(record.profile.label, now=self._clock())
            finally:
                self._engine.close()
                self._feed.close()
            await asyncio.sleep(RESTART_S)
            self._engine = self._make_engine()
            self._feed = PriceFeed(self._engine, self._streams)

    def _make_engine(self) -> MarkEngine:
        def make_books() -> LiveBooks | None:
            return LiveBooks(self._books) if self._books else None

        return MarkEngine(
            self._store,
            clock=self._clock,
            feed="iex",
            calendar=TradingCalendar([]),
            make_books=make_books,
        )

    async def _run_engine(self) -> None:
        engine = self._engine
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed.run(), name="marks:prices")
            tasks.create_task(
                _keep_calendar(engine, self._registry, self._clock), name="marks:calendar"
            )
            if self._history is not None:
                tasks.create_task(
                    keep_books(engine, self._store, self._history, self._books, self._clock),
                    name="marks:books",
                )
            await _tick(engine, self._store, self._clock)


async def _tick(engine: MarkEngine, store: Store, clock: Callable[[], float]) -> None:
    """Publish new marks, in slices that let other tasks run."""
    while True:
        for mark in engine.tick():
            store.set_mark(mark, now=clock())
        for label in engine.pop_withdrawn():
            store.remove_mark(label, now=clock())
        due_at = engine.get_next_due()
        wait_s = TICK_S if due_at is None else min(TICK_S, max(MIN_WAIT_S, due_at - clock()))
        await asyncio.sleep(0.0 if engine.has_more else wait_s)


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
