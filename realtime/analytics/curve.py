"""One figure over the last day in bounded memory: the more recent, the finer.

Each tier keeps the last value of every window of its width. A new value goes to all tiers; a curve
consists of the finest tier that reaches back to each moment. Values are whole millionths, so sums
stay exact.
"""

from array import array
from collections.abc import Iterator

TIERS: tuple[tuple[int, int], ...] = ((15, 120), (60, 300), (300, 288))
"""Width of a window in seconds and how many are kept: half an hour, five hours, a day."""

Point = tuple[int, int]
"""Start of a window, epoch seconds, and the last value in it."""


class Curve:
    """The windows of one figure: at most 708 of 16 bytes. A thousand accounts' take 16 MB."""

    __slots__ = ("_tiers",)

    def __init__(self) -> None:
        self._tiers = tuple(_Tier(width, max_windows) for width, max_windows in TIERS)

    def add(self, at: int, value: int) -> None:
        """Add the value of a moment, epoch seconds; moments never go back."""
        for tier in self._tiers:
            tier.add(at, value)

    def points(self) -> list[Point]:
        """All windows, oldest first: the finest of each moment."""
        points: list[Point] = []
        start: float = float("inf")
        for tier in self._tiers:
            older = [point for point in tier if point[0] + tier.width <= start]
            points = older + points
            start = points[0][0] if points else start
        return points


class _Tier:
    """Windows of one width: their starts and values, oldest first."""

    __slots__ = ("_max_windows", "_starts", "_values", "width")

    def __init__(self, width: int, max_windows: int) -> None:
        self.width = width
        self._max_windows = max_windows
        self._starts = array("q")
        self._values = array("q")

    def __iter__(self) -> Iterator[Point]:
        return zip(self._starts, self._values, strict=True)

    def add(self, at: int, value: int) -> None:
        start = at - at % self.width
        if self._starts and start <= self._starts[-1]:
            self._values[-1] = value
            return
        self._starts.append(start)
        self._values.append(value)
        if len(self._starts) > self._max_windows:  # moving 300 numbers is cheaper than ring indices
            del self._starts[0], self._values[0]


def thin_out(points: list[Point], max_points: int) -> list[Point]:
    """At most `max_points` of the points, evenly by index; the newest is always among them."""
    if len(points) <= max_points:
        return points
    last = len(points) - 1
    return [points[round(last * (index + 1) / max_points)] for index in range(max_points)]


def sum_curves(curves: list[list[Point]]) -> list[Point]:
    """The sum of several curves: each counts from its first point, with its last known value."""
    changes: dict[int, int] = {}
    for points in curves:
        previous = 0
        for at, value in points:
            changes[at] = changes.get(at, 0) + value - previous
            previous = value
    total, summed = 0, []
    for at in sorted(changes):
        total += changes[at]
        summed.append((at, total))
    return summed
