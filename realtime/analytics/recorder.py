"""Equity of every account over the last day, noted every quarter of a minute.

Nothing is noted while an account is stale: a curve has a gap where nothing was known, and never a
straight line that was not seen. The fleet's curve sums the last known figures; it begins when
every account has been tried, or its beginning would look like a profit.
"""

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal

from realtime.analytics.curve import TIERS, Curve, Point, summed
from realtime.core.decimals import number
from realtime.core.model import AccountLabel
from realtime.store.store import Record, Records

EVERY_S = TIERS[0][0]

MILLION = Decimal(1_000_000)

LARGEST = 2**62
"""Millionths; a larger figure is no equity, and would not fit."""

AT_ONCE = 100
"""Accounts noted in a row before others may run: 0.2 ms."""


class Recorder:
    """Curves of a store. `clock` gives epoch seconds."""

    def __init__(self, store: Records, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._curves: dict[AccountLabel, Curve] = {}
        self._whole = Curve()
        self._read: dict[AccountLabel, tuple[str, int]] = {}
        """label → equity as last read, and in millionths"""

    async def run(self) -> None:
        """Note all at the beginning of each quarter of a minute, until cancelled."""
        while True:
            now = self._clock()
            await asyncio.sleep(EVERY_S - now % EVERY_S)
            await self.note()

    async def note(self) -> None:
        """Note how all stand now."""
        at = int(self._clock())
        total, is_whole = 0, True
        for count, record in enumerate(list(self._store)):
            if count % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            value = self._equity(record)
            if value is None:
                is_whole = is_whole and (record.has_data or _is_hopeless(record))
                continue
            total += value
            if not record.link.is_stale:
                self._curves.setdefault(record.profile.label, Curve()).add(at, value)
        if is_whole and self._curves:
            self._whole.add(at, total)
        self._forget_strangers()

    def account(self, label: AccountLabel) -> list[Point]:
        """The curve of an account; empty while nothing was noted."""
        curve = self._curves.get(label)
        return curve.points() if curve is not None else []

    def whole(self) -> list[Point]:
        """The sum of all accounts."""
        return self._whole.points()

    def part(self, labels: Iterable[AccountLabel]) -> list[Point]:
        """The sum of some accounts."""
        return summed([self.account(label) for label in labels])

    def _equity(self, record: Record) -> int | None:
        account, label = record.state.account, record.profile.label
        if account is None or not account.equity:
            return None
        known = self._read.get(label)
        if known is not None and known[0] == account.equity:
            return known[1]
        value = int(number(account.equity) * MILLION)
        if abs(value) > LARGEST:
            return None
        self._read[label] = (account.equity, value)
        return value

    def _forget_strangers(self) -> None:
        for known in (self._curves, self._read):
            for label in known.keys() - self._store.records.keys():
                del known[label]


def _is_hopeless(record: Record) -> bool:
    """Whether an account that was never read will not be soon: its figure is not waited for."""
    return record.link.state in ("refused", "disabled", "waiting")
