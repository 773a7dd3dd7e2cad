"""The accounts of `realtime top`, updated by a thread that follows the daemon's events."""

import random
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec
from msgspec import Struct

from realtime.api.documents.accounts import AccountRow
from realtime.api.documents.events import AccountRemovedEvent, LinkEvent
from realtime.api.documents.status import LinkRow
from realtime.cli.client import DaemonClient
from realtime.cli.event_follower import EventFollower, EventsLost
from realtime.cli.formatting import parse_decimal
from realtime.cli.sse_parser import ServerSentEvent
from realtime.errors import RealtimeError

SORT_COLUMNS: dict[str, str] = {"e": "equity", "p": "positions", "d": "day_pl", "n": "account_id"}
"""Key → the column that it sorts by; figures largest first, unknown ones last."""

TROUBLE_ORDER = {"refused": 0, "waiting": 1, "deaf": 2}
"""Before all others, in this order; an account that is behind comes next."""

UNKNOWN_AMOUNT = Decimal("-Infinity")
"""Sorts what is unknown last."""


class Totals(Struct, frozen=True):
    """Sums over accounts of one kind of money; those that were not read are only counted."""

    accounts: int
    unread: int
    equity: Decimal
    day_pl: Decimal
    last_equity: Decimal
    has_day_pl: bool
    """Whether the day's result of every account that was read is known."""


class AccountRows:
    """Label → figures and link. One thread writes, another reads: values are replaced."""

    def __init__(self) -> None:
        self.figures: dict[str, AccountRow] = {}
        self.links: dict[str, LinkRow] = {}
        self.lost: str | None = "connecting"
        """Why no events arrive; None while they do."""
        self.failure: RealtimeError | None = None
        """Why the thread has ended."""

    def apply(self, event: ServerSentEvent | EventsLost) -> None:
        """Apply an event."""
        if isinstance(event, EventsLost):
            self.lost = event.reason
            return
        match event.name:
            case "row":
                row = msgspec.json.decode(event.data, type=AccountRow)
                self.figures[row.account_id] = row
            case "link":
                link = msgspec.json.decode(event.data, type=LinkEvent)
                self.links[link.account_id] = link.link
            case "gone":
                label = msgspec.json.decode(event.data, type=AccountRemovedEvent).account_id
                self.figures.pop(label, None)
                self.links.pop(label, None)
            case "resync":
                self.figures.clear()
                self.links.clear()
            case "ready":
                self.lost = None

    def select(self, filter_text: str, sort: str, *, troubles_first: bool) -> list[AccountRow]:
        """Return the rows whose label, name or tier contains the text, sorted."""
        rows = [row for row in list(self.figures.values()) if _matches(row, filter_text)]
        rows.sort(key=lambda row: row.account_id)
        if sort != "account_id":
            rows.sort(key=lambda row: _amount(getattr(row, sort)), reverse=True)
        if troubles_first:
            rows.sort(key=self._trouble)
        return rows

    def state_of(self, label: str) -> str:
        """Return the state to show: `stale` for a synced account that is behind."""
        link = self.links.get(label)
        if link is None or self.lost is not None:
            return "unknown"
        return "stale" if link.state == "synced" and self.figures[label].stale else link.state

    def reason_of(self, label: str) -> str:
        """Return why an account is not synced; empty if it is."""
        link = self.links.get(label)
        if link is None or self.state_of(label) in ("synced", "disabled"):
            return ""
        return link.last_error_message or link.stale_reason or ""

    def _trouble(self, row: AccountRow) -> int:
        state = self.state_of(row.account_id)
        if state in ("synced", "disabled"):
            return len(TROUBLE_ORDER) + 1
        return TROUBLE_ORDER.get(state, len(TROUBLE_ORDER))


def sum_totals(rows: Sequence[AccountRow], *, paper: bool) -> Totals | None:
    """Sum the rows of one kind of money; None if there are none of it."""
    kind = [row for row in rows if row.paper == paper]
    if not kind:
        return None
    equity = [parse_decimal(row.equity) for row in kind]
    read = [row for row, value in zip(kind, equity, strict=True) if value is not None]
    day_pl = [parse_decimal(row.day_pl) for row in read]
    last_equity = [parse_decimal(row.last_equity) for row in read]
    return Totals(
        accounts=len(kind),
        unread=len(kind) - len(read),
        equity=sum((value for value in equity if value is not None), Decimal()),
        day_pl=sum((value for value in day_pl if value is not None), Decimal()),
        last_equity=sum((value for value in last_equity if value is not None), Decimal()),
        has_day_pl=bool(read) and None not in day_pl and None not in last_equity,
    )


def _matches(row: AccountRow, text: str) -> bool:
    return any(text in (value or "").lower() for value in (row.account_id, row.name, row.tier))


def _amount(value: str | int | None) -> Decimal:
    number = Decimal(value) if isinstance(value, int) else parse_decimal(value)
    return UNKNOWN_AMOUNT if number is None else number


def follow_rows(daemon: DaemonClient, rows: AccountRows) -> Callable[[], None]:
    """Follow the daemon in a thread; return a function that stops it."""
    stopped = threading.Event()
    types = "row,link"
    rng = random.Random()
    follower = EventFollower(daemon, first=types, types=types, rng=rng, pause=stopped.wait)

    def follow() -> None:
        try:
            for event in follower.events():
                rows.apply(event)
                if stopped.is_set():
                    return
        except RealtimeError as error:
            rows.failure = error

    # A daemon thread: it may wait for a heartbeat, and quitting must not wait for that.
    threading.Thread(target=follow, name="follower", daemon=True).start()
    return stopped.set
