"""What truly happened at the broker, and when: what the oracles hold the daemon's answers against.

Times are loop times. Kept from outside: by the events the exchange publishes and by its books.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from realtime.simulator.exchange.engine import Exchange, TradeUpdate

CLOSED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})


def micros(stamp: object) -> int:
    """A time of the broker's in microseconds, rounded half up as REST rounds."""
    whole, _, fraction = str(stamp).rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return (seconds * 1_000_000_000 + int(fraction.ljust(9, "0") or "0") + 500) // 1000


class Told(Struct, frozen=True):
    """One event as the broker meant it."""

    at: float
    event: str
    order_id: str
    status: str
    updated_at: int
    update: TradeUpdate

    @property
    def is_fill(self) -> bool:
        """Whether something of the order was executed."""
        return self.event in ("fill", "partial_fill") and self._is_own

    @property
    def _is_own(self) -> bool:
        order = self.update.data["order"]
        return isinstance(order, dict) and order["id"] == self.order_id


def _told(update: TradeUpdate, order: Mapping[str, object], at: float) -> Told:
    return Told(
        at=at,
        event=str(update.data["event"]),
        order_id=str(order["id"]),
        status=str(order["status"]),
        updated_at=micros(order["updated_at"]),
        update=update,
    )


class Course:
    """What a figure was, and from when on."""

    def __init__(self, first: str) -> None:
        self._times = [float("-inf")]
        self._values = [first]

    def now(self, at: float, value: str) -> None:
        """It is `value` from `at` on."""
        if value != self._values[-1]:
            self._times.append(at)
            self._values.append(value)

    def next(self, value: str, trading_service: int) -> int | None:
        """The first time from the `floor`-th on that it was `value`, as a number; None: never."""
        numbers = range(trading_service, len(self._values))
        return next((n for n in numbers if Decimal(self._values[n]) == Decimal(value)), None)

    def within(self, since: float, until: float) -> list[str]:
        """Everything it was between two times."""
        first = bisect_right(self._times, since) - 1
        return self._values[max(first, 0) : bisect_right(self._times, until)]


class Ledger:
    """All accounts' pasts."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.told: dict[str, list[Told]] = {label: [] for label in exchange.labels}
        self.busted: dict[str, set[str]] = {label: set() for label in exchange.labels}
        """label → orders of which an execution was undone or corrected"""
        self.cash = {label: Course(self._cash(label)) for label in exchange.labels}
        self._born: dict[str, float] = {}
        self._positions: dict[str, dict[str, Course]] = {label: {} for label in exchange.labels}
        self._averages: dict[str, dict[str, Course]] = {label: {} for label in exchange.labels}

    def note(self, update: TradeUpdate, at: float) -> None:
        """Take an event as it happens: it tells of an order, and of the legs it shows."""
        order = update.data["order"]
        assert isinstance(order, dict)
        for each in (order, *(order["legs"] or ())):
            self._born.setdefault(str(each["id"]), at)
            self.told[update.label].append(_told(update, each, at))
        if update.data["event"] in ("trade_bust", "trade_correct"):
            self.busted[update.label].add(str(order["id"]))
        if "price" in update.data:
            self.note_books(update.label, at)

    def note_books(self, label: str, at: float) -> None:
        """Look at an account's cash and positions after something that may have moved them."""
        self.cash[label].now(at, self._cash(label))
        positions = self._exchange.positions(label)
        for each in positions:
            symbol, average = str(each["symbol"]), str(each["avg_entry_price"])
            self._averages[label].setdefault(symbol, Course("0")).now(at, average)
        held = {str(p["symbol"]): str(p["qty"]) for p in positions}
        known = self._positions[label]
        for symbol in held.keys() | known.keys():
            known.setdefault(symbol, Course("0")).now(at, held.get(symbol, "0"))

    def born(self, order_id: str) -> float:
        """When an order was first told of."""
        return self._born.get(order_id, float("-inf"))

    def position(self, label: str, symbol: str) -> Course:
        """What an account held of a symbol."""
        return self._positions[label].get(symbol, Course("0"))

    def average(self, label: str, symbol: str) -> Course:
        """At what average price an account holds a symbol, or did when it last held it."""
        return self._averages[label].get(symbol, Course("0"))

    def symbols(self, label: str) -> Iterable[str]:
        """Everything an account ever held, in alphabetical order."""
        return sorted(self._positions[label])

    def last_events(self, label: str, until: float) -> Iterator[Told]:
        """The last event of each order that had any by then, newest order first."""
        seen: set[str] = set()
        for told in reversed(self.told[label]):
            if told.at <= until and told.order_id not in seen:
                seen.add(told.order_id)
                yield told

    def _cash(self, label: str) -> str:
        return str(self._exchange.account(label)["cash"])
