"""Equity of one account by trading day, in columns: 28 bytes a day in place of 230."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from msgspec import Struct

UNKNOWN = -(2**63)
"""An exposure that was not recorded: SQLite's smallest integer, and no amount of money."""


class Exposure(Struct, frozen=True):
    """Gross and net exposure on average, and equity at the end, of the days that are known."""

    gross: Sequence[int] = ()
    net: Sequence[int] = ()
    equity: Sequence[int] = ()


class Closes:
    """Closes in the order of their days. Money of 10⁻⁴."""

    __slots__ = ("_from_broker", "days", "equity", "gross", "net")

    def __init__(self) -> None:
        self.days = array("i")
        self.equity = array("q")
        self.gross = array("q")
        """Average exposure of the day, long + |short|; `UNKNOWN` where it was not recorded."""
        self.net = array("q")
        self._from_broker = bytearray()

    def __len__(self) -> int:
        return len(self.days)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Day and equity."""
        return zip(self.days, self.equity, strict=True)

    def add(
        self, day: int, equity: int, gross: int | None, net: int | None, *, from_broker: bool
    ) -> None:
        """Add a day after the last one."""
        self.days.append(day)
        self.equity.append(equity)
        self.gross.append(UNKNOWN if gross is None else gross)
        self.net.append(UNKNOWN if net is None else net)
        self._from_broker.append(from_broker)

    def get(self, day: int) -> int | None:
        """The equity at the end of a day; None where it is not known."""
        at = bisect_left(self.days, day)
        return self.equity[at] if at < len(self.days) and self.days[at] == day else None

    def between(self, first: int | None, last: int | None) -> "Closes":
        """The closes of these days, both included; None: without a bound."""
        begin = 0 if first is None else bisect_left(self.days, first)
        end = len(self.days) if last is None else bisect_right(self.days, last)
        part = Closes()
        part.days, part.equity = self.days[begin:end], self.equity[begin:end]
        part.gross, part.net = self.gross[begin:end], self.net[begin:end]
        part._from_broker = self._from_broker[begin:end]
        return part

    @property
    def first(self) -> int | None:
        """The first day."""
        return self.days[0] if self.days else None

    @property
    def last(self) -> int | None:
        """The last day."""
        return self.days[-1] if self.days else None

    def exposure(self, first: int) -> "Exposure":
        """What was recorded of the days since `first`."""
        at = bisect_left(self.days, first)
        gross, net, equity = self.gross[at:], self.net[at:], self.equity[at:]
        if UNKNOWN not in gross and UNKNOWN not in net:
            return Exposure(gross, net, equity)
        known = [number for number, value in enumerate(gross) if value != UNKNOWN]
        return Exposure(
            [gross[number] for number in known],
            [0 if net[number] == UNKNOWN else net[number] for number in known],
            [equity[number] for number in known],
        )

    def exposure_by_day(self, first: int) -> dict[int, tuple[int, int, int]]:
        """Day → gross, net and equity, of the days since `first` that were recorded."""
        at = bisect_left(self.days, first)
        columns = (self.days[at:], self.gross[at:], self.net[at:], self.equity[at:])
        return {
            day: (gross, 0 if net == UNKNOWN else net, equity)
            for day, gross, net, equity in zip(*columns, strict=True)
            if gross != UNKNOWN
        }

    def broker_days(self) -> set[int]:
        """The days from the broker's portfolio history."""
        if not any(self._from_broker):
            return set()
        return {day for day, is_so in zip(self.days, self._from_broker, strict=True) if is_so}
