"""Equity of every account over the last day, recorded every 15 seconds.

Nothing is recorded while an account is stale: a curve has a gap where nothing was known, and never
a straight line that was not observed. The fleet's curve sums the last known figures; it starts when
every account has been tried, or its start would look like a profit.
"""

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal

from realtime.analytics.curve import TIERS, Curve, Point, sum_curves
from realtime.core.decimals import number
from realtime.core.model import AccountLabel
from realtime.store.records import Record, Records

INTERVAL_S = TIERS[0][0]

MILLION = Decimal(1_000_000)

MAX_VALUE = 2**62
"""Millionths; a larger figure is no equity, and does not fit into the array."""

ACCOUNTS_PER_STEP = 100
"""Accounts recorded before other tasks run: 0.2 ms."""


class Recorder:
    """Curves of a store. `clock` gives epoch seconds."""

    def __init__(self, store: Records, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._curves: dict[AccountLabel, Curve] = {}
        self._account_ids: dict[AccountLabel, str] = {}
        """label → the broker's account whose curve it is"""
        self._fleet = Curve()
        self._parsed: dict[AccountLabel, tuple[str, int]] = {}
        """label → equity as last read, and in millionths"""

    async def run(self) -> None:
        """Record all accounts at the start of each interval, until cancelled."""
        while True:
            now = self._clock()
            await asyncio.sleep(INTERVAL_S - now % INTERVAL_S)
            await self.record()

    async def record(self) -> None:
        """Record the current equity of all accounts."""
        at = int(self._clock())
        total, is_complete = 0, True
        for count, record in enumerate(list(self._store)):
            if count % ACCOUNTS_PER_STEP == ACCOUNTS_PER_STEP - 1:
                await asyncio.sleep(0)
            value = self._parse_equity(record)
            if value is None:
                is_complete = is_complete and (record.has_data or _is_unavailable(record))
                continue
            total += value
            if not record.link.is_stale:
                self._curve_of(record).add(at, value)
        if is_complete and self._curves:
            self._fleet.add(at, total)
        self._remove_absent()

    def get_account(self, label: AccountLabel) -> list[Point]:
        """The curve of an account; empty until the first point, and when the label has become that
        of another account of the broker's."""
        curve, record = self._curves.get(label), self._store.get(label)
        account = None if record is None else record.state.account
        if curve is None or account is None or account.id != self._account_ids[label]:
            return []
        return curve.points()

    def get_fleet(self) -> list[Point]:
        """The sum of all accounts."""
        return self._fleet.points()

    def get_sum(self, labels: Iterable[AccountLabel]) -> list[Point]:
        """The sum of some accounts."""
        return sum_curves([self.get_account(label) for label in labels])

    def _curve_of(self, record: Record) -> Curve:
        """The curve of the broker's account behind a label; a new one if it is another account."""
        label, account = record.profile.label, record.state.account
        assert account is not None, "its equity was read"
        if self._account_ids.get(label) != account.id:
            self._account_ids[label] = account.id
            self._curves[label] = Curve()
        return self._curves[label]

    def _parse_equity(self, record: Record) -> int | None:
        account, label = record.state.account, record.profile.label
        if account is None or not account.equity:
            return None
        parsed = self._parsed.get(label)
        if parsed is not None and parsed[0] == account.equity:
            return parsed[1]
        value = int(number(account.equity) * MILLION)
        if abs(value) > MAX_VALUE:
            return None
        self._parsed[label] = (account.equity, value)
        return value

    def _remove_absent(self) -> None:
        for label in self._curves.keys() - self._store.records.keys():
            del self._curves[label], self._account_ids[label]
        for label in self._parsed.keys() - self._store.records.keys():
            del self._parsed[label]


def _is_unavailable(record: Record) -> bool:
    """Whether an account that was never read will not be soon: the fleet does not wait for it."""
    return record.link.state in ("refused", "disabled", "waiting")
