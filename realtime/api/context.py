"""What the routes work with: store, views, clock; and the account a reader asks for."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from realtime.analytics.recorder import Recorder
from realtime.api.documents.document_cache import RowCache
from realtime.api.documents.documents import Documents
from realtime.api.documents.health import FleetCounts, count_fleet
from realtime.api.documents.timestamps import http_date, instant
from realtime.api.events.broadcaster import Broadcaster
from realtime.api.metrics.exposition import Metrics
from realtime.api.nearest import nearest
from realtime.api.problems import Problem, shown
from realtime.store.store import Record, Records
from realtime.telemetry.loop_monitor import LoopMonitor

ChangesWith = Literal["account", "fleet", "clock"]
"""What an answer depends on: the version of the account asked for, of the fleet, or the moment."""


class ApiContext:
    """One a set of accounts that a reader may know of. `clock` gives epoch seconds."""

    def __init__(
        self,
        store: Records,
        views: Documents,
        *,
        clock: Callable[[], float],
        version: str,
        started_at: float,
        broadcast: Broadcaster,
        recorder: Recorder,
        loop_monitor: LoopMonitor,
        metrics: Metrics,
        lists: Documents | None = None,
        only: frozenset[str] | None = None,
    ) -> None:
        self.store = store
        self.views = views
        self.clock = clock
        self.version = version
        self.started_at = started_at
        self.broadcast = broadcast
        self.recorder = recorder
        self.loop_monitor = loop_monitor
        self.metrics = metrics
        self.lists = lists or views
        """Renders what is about many accounts, of this desk's alone."""
        self.only = only
        """Labels that may be asked for here; None: all."""
        self._is_ready = False
        self._freshness = RowCache(self._freshness_of)
        self._fleet_freshness: tuple[int, dict[str, str]] = (-1, {})

    def record(self, label: str) -> Record:
        """The record of an account. Raises the problem `unknown_account`."""
        record = self.store.get(label)
        if record is None:
            raise self.unknown_account(label)
        return record

    def unknown_account(self, label: str) -> Problem:
        """The problem of a label that no account has, naming the nearest one that exists."""
        meant = nearest(label, self.store.records)
        return Problem(
            "unknown_account",
            f"no account '{shown(label)}'",
            remedy=f"did you mean {meant}? Labels match exactly" if meant else None,
        )

    def freshness(self, record: Record) -> dict[str, str]:
        """The headers that tell which version of a record this is; not to be changed."""
        self._freshness.forget_strangers(self.store)
        return self._freshness.of(record)

    def fleet_freshness(self) -> dict[str, str]:
        """The same for an answer over all accounts."""
        if self._fleet_freshness[0] != self.store.version:
            changed_at = max((record.as_of for record in self.store), default=self.started_at)
            self._fleet_freshness = (
                self.store.version,
                {
                    "ETag": f'"{self.store.boot}-{self.store.version}"',
                    "Cache-Control": "no-cache",
                    "Last-Modified": http_date(changed_at),
                    "X-Realtime-As-Of": instant(changed_at),
                },
            )
        return self._fleet_freshness[1]

    def mark(
        self, changes_with: ChangesWith, call: "RequestContext"
    ) -> Callable[[], object] | None:
        """What gives equal values as long as the answer to a call is the same; None: never."""
        if changes_with == "account":
            return lambda: record.version if (record := self.store.get(call.account_id)) else None
        return (lambda: self.store.version) if changes_with == "fleet" else None

    def _freshness_of(self, record: Record) -> dict[str, str]:
        headers = {
            "ETag": f'"{self.store.boot}-{record.version}"',
            "Cache-Control": "no-cache",
            "Last-Modified": http_date(record.as_of),
            "X-Realtime-As-Of": instant(record.as_of),
            "X-Realtime-Stale": "true" if record.link.is_stale else "false",
        }
        if record.state.provisional:
            headers["X-Realtime-Provisional"] = ", ".join(sorted(record.state.provisional))
        return headers

    def census(self) -> tuple[FleetCounts, bool]:
        """The fleet counted, and whether it is ready.

        Ready means that every enabled account has been tried once. That stays true when an account
        is added later: one newcomer must not take the others from their readers.
        """
        census = count_fleet(self.store)
        self._is_ready = self._is_ready or not census.untried
        return census, self._is_ready


class RequestContext(Struct, frozen=True):
    """What a reader says beside the query."""

    account_id: str = ""
    if_none_match: str | None = None
    last_event_id: str | None = None
    accept: str | None = None
