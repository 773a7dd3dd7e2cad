"""Watches the system clock: reports its steps and suspends of the machine, and keeps the times that
clients see at the wall clock.

State is compared by a clock that never steps (`steady_clock.py`). Tokens, cookies, the order
journal and `Date` use the wall clock itself.
"""

import asyncio
import time
from collections.abc import Callable

from msgspec import Struct

from realtime.telemetry.log import get_logger

log = get_logger()

CHECK_INTERVAL_S = 1.0

MIN_STEP_S = 3.0
"""Smaller corrections are usual: a time service slews them."""

MIN_OFFSET_S = 1.0
"""A smaller difference from the wall clock is not corrected in displayed times."""


class ClockReading(Struct, frozen=True):
    """All clocks at one moment, in seconds."""

    wall: float
    monotonic: float
    """Stops while the machine is suspended."""
    boot: float
    """Does not stop."""


class ClockChange(Struct, frozen=True):
    """What happened between two readings; zero if it is too small to report."""

    step_s: float
    suspended_s: float


def read_clocks() -> ClockReading:
    """Read this machine's clocks."""
    boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return ClockReading(time.time(), time.monotonic(), boot)


def compare_readings(before: ClockReading, after: ClockReading) -> ClockChange:
    """Return the step of the wall clock and the time that the machine was suspended."""
    passed = after.boot - before.boot
    suspended = passed - (after.monotonic - before.monotonic)
    step = (after.wall - before.wall) - passed
    return ClockChange(
        step_s=step if abs(step) >= MIN_STEP_S else 0.0,
        suspended_s=suspended if suspended >= MIN_STEP_S else 0.0,
    )


async def monitor_clock(
    clock: Callable[[], float],
    set_display_offset: Callable[[float], None],
    handle_change: Callable[[], None],
    read: Callable[[], ClockReading] = read_clocks,
) -> None:
    """Report changes of the clock until cancelled. `clock` is the one that never steps;
    `set_display_offset` receives what is to be added to its times for people, in seconds;
    `handle_change` is called after a change: times that were displayed before are wrong now."""
    before = read()
    while True:
        await asyncio.sleep(CHECK_INTERVAL_S)
        after = read()
        change = compare_readings(before, after)
        if change.step_s:
            log.warning("clock.stepped", step_s=round(change.step_s, 1))
        if change.suspended_s:
            log.warning("clock.suspended", suspended_s=round(change.suspended_s, 1))
        offset = after.wall - clock()
        set_display_offset(offset if abs(offset) >= MIN_OFFSET_S else 0.0)
        if change.step_s or change.suspended_s:
            handle_change()
        before = after
