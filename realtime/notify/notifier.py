"""Notifications for people: from store and log to the targets, and a digest after the close.

Everything that the store's writer and the loggers call only appends; targets send on their own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from realtime.api.documents.notify import TargetRow
from realtime.config.settings import NotifySettings
from realtime.core.trading_day import NEW_YORK, TradingDay, find_next_close, make_usual_days
from realtime.errors import RealtimeError
from realtime.notify.apprise_sender import AppriseSender, Deliver
from realtime.notify.digest import make_digest
from realtime.notify.notices import (
    LOG_NOTICES,
    Notice,
    make_change_notices,
    make_log_notice,
    make_sync_notice,
)
from realtime.notify.sync_watch import SyncWatch
from realtime.notify.target import NotifyTarget
from realtime.store.records import Change
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

SYNC_INTERVAL_S = 1.0
"""How often it is looked whether an account is out of sync for too long."""

DIGEST_DELAY_S = 300.0
"""After the close, so that fills of its auction and a read of the money are in."""

MAX_SLEEP_S = 900.0
"""The calendar is read again, and the clock looked at, at least this often."""

CALENDAR_DAYS = 8

ReadCalendar = Callable[[date, date], Awaitable[Sequence[TradingDay]]]
"""Reads the broker's calendar between two days. Raises `RealtimeError`."""


class Notifier:
    """All targets. `clock` is the store's, `wall_clock` the machine's; epoch seconds."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        read_calendar: ReadCalendar,
        deliver: Deliver | None = None,
    ) -> None:
        self._store = store
        self._wall_clock = wall_clock
        self._read_calendar = read_calendar
        self._deliver = deliver
        self._targets: dict[str, NotifyTarget] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._watch = SyncWatch(store, clock)
        self._is_calendar_known = False

    @property
    def rows(self) -> list[TargetRow]:
        """How each target goes."""
        return [target.make_row() for target in self._targets.values()]

    def apply(self, settings: Iterable[NotifySettings]) -> None:
        """Use these settings from now on. What a changed target has collected is kept."""
        wanted = {target.name: target for target in settings}
        for name in [name for name in self._targets if name not in wanted]:
            del self._targets[name]
            if (task := self._tasks.pop(name, None)) is not None:
                task.cancel()
        for name, changed in wanted.items():
            known = self._targets.get(name)
            if known is not None and known.settings == changed:
                continue
            sender = AppriseSender(changed, self._deliver)
            if known is not None:
                known.replace(changed, sender)
                continue
            self._targets[name] = NotifyTarget(changed, sender, self._wall_clock)
            self._start(name)

    async def run(self) -> None:
        """Notify until cancelled."""
        loop = asyncio.get_running_loop()

        def observe(event: str, facts: Mapping[str, object]) -> None:
            loop.call_soon_threadsafe(self._handle_log, event, dict(facts))

        end_store = self._store.subscribe(self.handle_change)
        end_log = log.observe(frozenset(LOG_NOTICES), observe)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for name in self._targets:
                    self._start(name)
                group.create_task(self._watch_sync(), name="notify-sync")
                group.create_task(self._send_digests(), name="notify-digest")
        finally:
            self._group = None
            end_log()
            end_store()

    def handle_change(self, change: Change) -> None:
        """Add the notices of a change of the store: the subscriber. Returns at once."""
        for notice in make_change_notices(change):
            self._add(notice)
        ended = self._watch.handle_change(change)
        if ended is not None:
            record, outage, down_s = ended
            notice = make_sync_notice(record, down_s, is_back=True)
            for target in self._targets.values():
                if target.settings.out_of_sync_s in outage.noticed:
                    target.add(notice)

    def _handle_log(self, event: str, facts: Mapping[str, object]) -> None:
        notice = make_log_notice(event, facts, self._store)
        if notice is not None:
            self._add(notice)

    def _add(self, notice: Notice) -> None:
        for target in self._targets.values():
            target.add(notice)

    def _start(self, name: str) -> None:
        if self._group is not None:
            self._tasks[name] = self._group.create_task(
                self._targets[name].run(), name=f"notify:{name}"
            )

    async def _watch_sync(self) -> None:
        while True:
            await asyncio.sleep(SYNC_INTERVAL_S)
            limits = frozenset(t.settings.out_of_sync_s for t in self._targets.values())
            for record, limit, down_s in list(self._watch.find_overdue(limits)):
                notice = make_sync_notice(record, down_s, is_back=False)
                for target in self._targets.values():
                    if target.settings.out_of_sync_s == limit:
                        target.add(notice)

    async def _send_digests(self) -> None:
        """Send a digest after every close."""
        close: datetime | None = None
        delay = timedelta(seconds=DIGEST_DELAY_S)
        while True:
            now = datetime.fromtimestamp(self._wall_clock(), UTC)
            if close is not None and now >= close + delay:
                self._add_digests(close.astimezone(NEW_YORK).date())
            close = await self._find_close(now - delay)
            left_s = MAX_SLEEP_S if close is None else (close + delay - now).total_seconds()
            await asyncio.sleep(min(MAX_SLEEP_S, max(1.0, left_s)))

    async def _find_close(self, after: datetime) -> datetime | None:
        """The next close by the broker's calendar, or by the usual hours where it is unknown."""
        today = after.astimezone(NEW_YORK).date()
        try:
            days = await self._read_calendar(today, today + timedelta(days=CALENDAR_DAYS))
            close = find_next_close(days, after)
            self._is_calendar_known = True
        except (RealtimeError, ValueError) as error:
            if self._is_calendar_known:
                log.warning("notify.calendar_failed", reason=str(error).partition("\n")[0])
            self._is_calendar_known = False
            close = find_next_close(make_usual_days(today, CALENDAR_DAYS), after)
        return close

    def _add_digests(self, day: date) -> None:
        outages = self._watch.measure_day()
        for target in self._targets.values():
            selects = target.settings.selects
            records = [r for r in self._store if selects(r.profile.label, r.profile.tier)]
            text = make_digest(records, outages, day, is_calendar_known=self._is_calendar_known)
            target.add(Notice(type="digest", severity="info", text=text))
