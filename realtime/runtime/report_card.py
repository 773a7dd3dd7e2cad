"""Counts the quality of each account's connection, and writes it into the history."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from realtime.analytics.report_card import (
    LATENCY_BOUNDS_S,
    ReportDay,
    count_cause,
    first_days,
)
from realtime.broker.rest_client import RestClient
from realtime.core.link import Link
from realtime.core.timestamps import nanoseconds
from realtime.history.directory import HistoryDirectory
from realtime.history.exact import DAY_US, US, day_number
from realtime.history.queue import HistoryQueue, ReportRow
from realtime.history.reading import FileReader
from realtime.store.records import Change
from realtime.store.store import Store
from realtime.telemetry.histogram import Histogram

INTERVAL_S = 20.0
DAY_S = 86_400
MAX_CAUSE_LENGTH = 80
SILENT_STATE = "deaf"


class _AccountCard:
    """One account's day so far."""

    __slots__ = ("counted_until", "day", "has_synced", "is_silent", "push", "rest_seen", "since")

    def __init__(self, day: ReportDay) -> None:
        self.day = day
        self.push = Histogram(LATENCY_BOUNDS_S)
        self.has_synced = False
        self.since: float | None = None
        """Since when it is out of sync, epoch seconds."""
        self.counted_until = 0.0
        self.is_silent = False
        """Whether it is because the socket was open and delivered nothing."""
        self.rest_seen: tuple[list[int], dict[str, int], dict[str, int]] | None = None
        """What was counted of its requests at the last look."""


class ReportCard:
    """One for the daemon. `clock` gives epoch seconds."""

    def __init__(
        self,
        store: Store,
        queue: HistoryQueue,
        *,
        clients: Callable[[], Iterable[tuple[str, RestClient]]],
        clock: Callable[[], float],
        known: dict[str, ReportDay] | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clients = clients
        self._clock = clock
        self._known = known or {}
        """What was written of today before a restart."""
        self._cards: dict[str, _AccountCard] = {}
        self._day = day_number(round(clock() * US))

    async def run(self) -> None:
        """Write every `INTERVAL_S`, until cancelled; then once more."""
        end = self._store.subscribe(self.handle_change)
        try:
            while True:
                await asyncio.sleep(INTERVAL_S)
                self.write()
        finally:
            end()
            self.write()

    def handle_change(self, change: Change) -> None:
        """Count what a change says of the connection."""
        after = change.after
        if after is None:
            self._cards.pop(change.label, None)
            return
        if change.updates:
            card = self._card(change.label)
            for update in change.updates:
                at = nanoseconds(update.timestamp or update.at)
                if at:
                    card.push.observe(max(0.0, after.as_of - at / 1e9))
        if change.recovered:
            self._card(change.label).day.recovered += len(change.recovered)
        before = change.before
        if before is None or before.link is not after.link:
            self._handle_link(self._card(change.label), after.link)

    def write(self) -> None:
        """Hand every account's day to the history."""
        now = self._clock()
        day = day_number(round(now * US))
        midnight = day * DAY_US / US
        for label, rest in self._clients():
            self._count_requests(self._card(label), rest)
        for label, card in self._cards.items():
            self._count_time(card, min(now, midnight) if day != self._day else now)
            card.day.push = _added(card.day.push, card.push.counts)
            card.push = Histogram(LATENCY_BOUNDS_S)
            body = msgspec.json.encode(card.day).decode()
            self._queue.add_report(ReportRow(label=label, day=self._day, body=body))
            if day != self._day:
                card.day = ReportDay()
        self._day = day

    def _card(self, label: str) -> _AccountCard:
        card = self._cards.get(label)
        if card is None:
            card = self._cards[label] = _AccountCard(self._known.pop(label, ReportDay()))
        return card

    def _handle_link(self, card: _AccountCard, link: Link) -> None:
        now = self._clock()
        if not link.is_stale:
            card.has_synced = True
            self._count_time(card, now)
            card.since = None
            return
        if not card.has_synced or link.state == "disabled":
            return
        if card.since is None:
            card.since = card.counted_until = now
            card.day.outages += 1
            card.is_silent = link.state == SILENT_STATE
            card.day.silent += card.is_silent
            cause = link.last_error_message or link.stale_reason or "unknown"
            count_cause(card.day, cause[:MAX_CAUSE_LENGTH])

    def _count_time(self, card: _AccountCard, until: float) -> None:
        if card.since is None or until <= card.counted_until:
            return
        card.day.not_synced_s += until - card.counted_until
        if card.is_silent:
            card.day.silent_s += until - card.counted_until
        card.day.longest_s = max(card.day.longest_s, until - card.since)
        card.counted_until = until

    def _count_requests(self, card: _AccountCard, rest: RestClient) -> None:
        counts = list(rest.http.latency.counts)
        limited = {str(lane): n for lane, n in rest.http.limiter.rate_limited.items()}
        errors = dict(rest.http.errors)
        before = card.rest_seen or ([0] * len(counts), {}, {})
        card.rest_seen = (counts, limited, errors)
        if sum(counts) < sum(before[0]):  # another client: the account was started again
            before = ([0] * len(counts), {}, {})
        risen = [now - then for now, then in zip(counts, before[0], strict=True)]
        card.day.rest = _added(card.day.rest, risen)
        for lane, count in limited.items():
            if more := count - before[1].get(lane, 0):
                known = card.day.rate_limited
                card.day.rate_limited = {**known, lane: known.get(lane, 0) + more}
        hour = int(self._clock() % DAY_S // 3600)
        for status, count in errors.items():
            if more := count - before[2].get(status, 0):
                day = card.day
                day.http_errors = {**day.http_errors, status: day.http_errors.get(status, 0) + more}
                day.error_hours = {**day.error_hours, hour: day.error_hours.get(hour, 0) + more}


def read_known(path: Path, now: float) -> dict[str, ReportDay]:
    """What was written of today before a restart. Reads a file."""
    rows = FileReader(HistoryDirectory(path)).read_ledger(
        "SELECT label, body FROM report JOIN account ON account.n = acc WHERE day = ?",
        (day_number(round(now * US)),),
    )
    return first_days(dict(rows))


def _added(counts: list[int], more: Iterable[int]) -> list[int]:
    values = list(more)
    if not any(values):
        return counts
    return values if not counts else [a + b for a, b in zip(counts, values, strict=True)]
