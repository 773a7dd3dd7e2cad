"""How long accounts are out of sync: for notices after a while, and for the day's digest."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from realtime.core.model import AccountLabel
from realtime.store.records import Change, Record
from realtime.store.store import Store


class Outage(Struct):
    """One account that is out of sync."""

    since: float
    noticed: set[int] = set()
    """Limits, in seconds, after which it was reported."""


class SyncWatch:
    """All accounts. `clock` gives epoch seconds, the clock of the store."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._outages: dict[AccountLabel, Outage] = {}
        self._spent: dict[AccountLabel, float] = {}
        """Account → seconds out of sync today, without the outage under way."""
        self._day_began = clock()
        for record in store:
            self._update(record)

    def handle_change(self, change: Change) -> tuple[Record, Outage, float] | None:
        """Follow a change; returns account, outage and seconds when an outage has ended."""
        record = change.after
        if record is None:
            self._outages.pop(change.label, None)
            self._spent.pop(change.label, None)
            return None
        if change.before is not None and change.before.link is record.link:
            return None
        return self._update(record)

    def find_overdue(self, limits: frozenset[int]) -> Iterator[tuple[Record, int, float]]:
        """Yield accounts that are out of sync for longer than a limit, once for each limit."""
        now = self._clock()
        for label, outage in self._outages.items():
            record = self._store.get(label)
            for limit in limits - outage.noticed:
                if record is not None and now - outage.since >= limit:
                    outage.noticed.add(limit)
                    yield record, limit, now - outage.since

    def measure_day(self) -> dict[AccountLabel, float]:
        """Account → seconds out of sync since the last call; begins a new day."""
        now = self._clock()
        day = dict(self._spent)
        for label, outage in self._outages.items():
            day[label] = day.get(label, 0.0) + now - max(outage.since, self._day_began)
        self._spent.clear()
        self._day_began = now
        return day

    def _update(self, record: Record) -> tuple[Record, Outage, float] | None:
        label, link = record.profile.label, record.link
        is_out = link.is_stale and link.state != "disabled"
        if is_out:
            since = self._clock() if link.stale_since is None else link.stale_since
            self._outages.setdefault(label, Outage(since, set()))
            return None
        outage = self._outages.pop(label, None)
        if outage is None or link.state == "disabled":
            return None
        now = self._clock()
        begun = max(outage.since, self._day_began)
        self._spent[label] = self._spent.get(label, 0.0) + max(0.0, now - begun)
        return record, outage, now - outage.since
