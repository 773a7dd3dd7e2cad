"""What is new is collected and then excluded; what is excluded is collected while idle."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from realtime.runtime import garbage
from realtime.runtime.garbage import (
    CHECK_INTERVAL_S,
    MAX_GROWTH,
    MIN_GROWTH,
    MIN_THOROUGH_INTERVAL_S,
    GarbageCollector,
)


class Node:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me: Node | None = self


@pytest.fixture(autouse=True)
def _usual_collection() -> Iterator[None]:
    threshold = gc.get_threshold()
    gc.collect()
    gc.freeze()  # as `collect_garbage` does first
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def grow(objects: int) -> list[list[int]]:
    return [[] for _ in range(objects)]


def test_a_cycle_that_is_new_is_collected() -> None:
    collector = GarbageCollector(lambda: 0, 0.0)
    gone = weakref.ref(Node())
    collector.collect(1.0)
    assert gone() is None


def test_what_survives_is_not_visited_again() -> None:
    collector = GarbageCollector(lambda: 0, 0.0)
    kept = grow(1000)
    collector.collect(1.0)
    assert len(kept) == 1000
    assert len(gc.get_objects()) < len(kept)


def late_garbage(collector: GarbageCollector) -> "weakref.ref[Node]":
    """A cycle that was excluded while it was in use, and is garbage now."""
    node = Node()
    collector.collect(1.0)
    return weakref.ref(node)


@pytest.mark.parametrize(
    ("activity", "growth", "after_s", "is_collected"),
    [
        ((1, 1, 1), 2 * MIN_GROWTH, MIN_THOROUGH_INTERVAL_S, True),
        ((1, 1, 2), 2 * MIN_GROWTH, MIN_THOROUGH_INTERVAL_S, False),
        ((1, 1, 1), 2 * MIN_GROWTH, CHECK_INTERVAL_S, False),
        ((1, 1, 1), 0, MIN_THOROUGH_INTERVAL_S, False),
    ],
    ids=["idle", "busy", "too soon", "little new"],
)
def test_everything_is_collected_while_the_fleet_is_idle(
    activity: tuple[int, ...], growth: int, after_s: float, is_collected: bool
) -> None:
    states = iter(activity)
    collector = GarbageCollector(lambda: next(states), 0.0)
    gone = late_garbage(collector)
    kept = grow(growth)
    collector.collect(after_s - CHECK_INTERVAL_S / 2 if after_s > CHECK_INTERVAL_S else 2.0)
    if after_s > CHECK_INTERVAL_S:
        collector.collect(after_s + CHECK_INTERVAL_S)
    assert (gone() is None) is is_collected
    assert len(kept) == growth


def test_so_much_is_collected_although_the_fleet_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_GROWTH > 10 * MIN_GROWTH
    monkeypatch.setattr(garbage, "MAX_GROWTH", 1000)
    states = iter(range(9))
    collector = GarbageCollector(lambda: next(states), 0.0)
    gone = late_garbage(collector)
    kept = grow(2000)
    collector.collect(CHECK_INTERVAL_S)
    assert gone() is None
    assert kept


def test_a_small_daemon_collects_everything_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_freeze_count", iter([100_000, 149_999, 100_000]).__next__)
    collector = GarbageCollector(iter(range(9)).__next__, 0.0)
    gone = late_garbage(collector)
    collector.collect(CHECK_INTERVAL_S)
    assert gone() is not None

    monkeypatch.setattr(gc, "get_freeze_count", iter([100_000, 150_001, 100_000]).__next__)
    collector = GarbageCollector(iter(range(9)).__next__, 0.0)
    collector.collect(CHECK_INTERVAL_S)
    assert gone() is None
