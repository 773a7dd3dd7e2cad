"""What `realtime top` knows of the accounts, kept by a thread that follows the daemon."""

import random
import threading
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import msgspec
from msgspec import Struct

from realtime.cli.client import DaemonClient
from realtime.cli.event_follower import EventFollower, EventsLost
from realtime.cli.event_format import Link, LinkNews
from realtime.cli.sse_parser import ServerSentEvent
from realtime.errors import RealtimeError

SORTS: dict[str, str] = {"e": "equity", "p": "positions", "d": "day_pl", "n": "account_id"}
"""Key → what it sorts by; figures largest first."""


class RowFigures(Struct, frozen=True):
    """What is used of event `row`."""

    account_id: str
    equity: str | None = None
    day_pl: str | None = None
    cash: str | None = None
    positions: int | None = None
    open_orders: int | None = None
    stale: bool = False
    paper: bool = True


class Named(Struct, frozen=True):
    """An event of which only the account matters."""

    account_id: str


class AccountRows:
    """label → figures and link. Written by one thread, read by another: values are replaced."""

    def __init__(self) -> None:
        self.figures: dict[str, RowFigures] = {}
        self.links: dict[str, Link] = {}
        self.lost: str | None = "connecting"
        """Why nothing is heard; None while something is."""
        self.failure: RealtimeError | None = None
        """What ended the following for good."""

    def take(self, event: ServerSentEvent | EventsLost) -> None:
        """Note an event."""
        if isinstance(event, EventsLost):
            self.lost = event.reason
            return
        match event.name:
            case "row":
                row = msgspec.json.decode(event.data, type=RowFigures)
                self.figures[row.account_id] = row
            case "link":
                news = msgspec.json.decode(event.data, type=LinkNews)
                self.links[news.account_id] = news.link
            case "gone":
                label = msgspec.json.decode(event.data, type=Named).account_id
                self.figures.pop(label, None)
                self.links.pop(label, None)
            case "resync":
                self.figures.clear()
                self.links.clear()
            case "ready":
                self.lost = None

    def shown(self, words: str, sort: str) -> list[RowFigures]:
        """The rows whose label holds the words, sorted; what is unknown comes last."""
        rows = [row for row in list(self.figures.values()) if words in row.account_id.lower()]
        if sort == "account_id":
            return sorted(rows, key=lambda row: row.account_id)
        return sorted(rows, key=lambda row: (-_amount(getattr(row, sort)), row.account_id))

    def is_synced(self, label: str) -> bool:
        """Whether an account is followed at this moment."""
        link = self.links.get(label)
        if self.lost is not None or link is None:
            return False
        return link.state == "synced" and not self.figures[label].stale


def _amount(value: str | int | None) -> Decimal:
    if value is None:
        return Decimal("-Infinity")
    try:
        return Decimal(value)
    except InvalidOperation:
        return Decimal("-Infinity")


def keep_rows(daemon: DaemonClient, rows: AccountRows) -> Callable[[], None]:
    """Follow the daemon in a thread of its own; what is returned tells it to end."""
    over = threading.Event()
    types = "row,link"
    follower = EventFollower(daemon, first=types, types=types, rng=random.Random(), pause=over.wait)

    def follow() -> None:
        try:
            for event in follower.events():
                rows.take(event)
                if over.is_set():
                    return
        except RealtimeError as error:
            rows.failure = error

    # A daemon thread: it may wait for a heartbeat, and leaving must not wait for that.
    threading.Thread(target=follow, name="follower", daemon=True).start()
    return over.set
