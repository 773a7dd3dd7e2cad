"""One figure over the last day in bounded memory: the younger, the finer.

Each tier keeps the last value of every window of its width. A new value goes to all tiers; a reader
is given the finest that still reaches back. Values are whole millionths, so sums stay exact.
"""

from array import array
from collections.abc import Iterator

TIERS: tuple[tuple[int, int], ...] = ((15, 120), (60, 300), (300, 288))
"""Width of a window in seconds and how many are kept: half an hour, five hours, a day."""

Point = tuple[int, int]
"""Begin of a window, epoch seconds, and the last value in it."""


class Curve:
    """The windows of one figure: at most 708 of 16 bytes. A thousand accounts' take 16 MB."""

    __slots__ = ("_tiers",)

    def __init__(self) -> None:
        self._tiers = tuple(_Tier(width, most) for width, most in TIERS)

    def add(self, at: int, value: int) -> None:
        """Take the value of a moment, epoch seconds; moments never go back."""
        for tier in self._tiers:
            tier.add(at, value)

    def points(self) -> list[Point]:
        """All windows, oldest first: of each moment the finest."""
        found: list[Point] = []
        begins: float = float("inf")
        for tier in self._tiers:
            older = [point for point in tier if point[0] + tier.width <= begins]
            found = older + found
            begins = found[0][0] if found else begins
        return found


class _Tier:
    """Windows of one width: a ring of begins and values."""

    __slots__ = ("_begins", "_most", "_values", "width")

    def __init__(self, width: int, most: int) -> None:
        self.width = width
        self._most = most
        self._begins = array("q")
        self._values = array("q")

    def __iter__(self) -> Iterator[Point]:
        return zip(self._begins, self._values, strict=True)

    def add(self, at: int, value: int) -> None:
        begin = at - at % self.width
        if self._begins and begin <= self._begins[-1]:
            self._values[-1] = value
            return
        self._begins.append(begin)
        self._values.append(value)
        if len(self._begins) > self._most:  # moving 300 numbers costs less than a ring's arithmetic
            del self._begins[0], self._values[0]


def thinned(points: list[Point], most: int) -> list[Point]:
    """At most so many of the points, evenly by number; the newest always among them."""
    if len(points) <= most:
        return points
    last = len(points) - 1
    return [points[round(last * (each + 1) / most)] for each in range(most)]


def summed(curves: list[list[Point]]) -> list[Point]:
    """The sum of several curves: each counts from its first point on, with its last known value."""
    changes: dict[int, int] = {}
    for points in curves:
        known = 0
        for at, value in points:
            changes[at] = changes.get(at, 0) + value - known
            known = value
    total, found = 0, []
    for at in sorted(changes):
        total += changes[at]
        found.append((at, total))
    return found
