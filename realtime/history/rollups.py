"""Minutes, quarters of an hour and days of one account, computed as time goes by.

A day is a UTC day. Drawdown is from the highest minute of the day. A trade is a round trip in one
symbol, from flat to flat, at average cost; it is a win if it realized more than nothing.
"""

from msgspec import Struct

from realtime.core.model import Symbol
from realtime.history.exact import MINUTE_S, MINUTE_US, day_number, money
from realtime.history.ledger import Ledger
from realtime.store.records import Record

QUARTER_MINUTES = 15
COUNTED = (
    "realized", "trades", "wins", "losses", "gross_win", "gross_loss", "turnover", "orders",
    "rejected", "stale_s", "gaps",
)  # fmt: skip
"""Columns of a day that only grow."""


class Minute(Struct, frozen=True, kw_only=True, gc=False):
    """One account at the end of one minute. Money of 10⁻⁴."""

    minute: int
    equity: int
    last_equity: int | None
    cash: int | None
    long: int | None
    short: int | None
    power: int | None
    open_orders: int
    positions: int
    is_stale: bool

    @property
    def exposure(self) -> int:
        """What is held, long and short together."""
        return abs(self.long or 0) + abs(self.short or 0)


def minute_of_record(record: Record, minute: int) -> Minute | None:
    """An account at the end of a minute; None while its equity is not known."""
    account = record.state.account
    equity = None if account is None else money(account.equity)
    if account is None or equity is None:
        return None

    def text(value: object) -> str | None:
        return value if isinstance(value, str) else None

    return Minute(
        minute=minute,
        equity=equity,
        last_equity=money(account.last_equity),
        cash=money(account.cash),
        long=money(text(account.long_market_value)),
        short=money(text(account.short_market_value)),
        power=money(account.buying_power),
        open_orders=record.state.open_orders,
        positions=len(record.state.positions),
        is_stale=record.link.is_stale,
    )


class Quarter:
    """A quarter of an hour of one account."""

    __slots__ = ("close", "exposure", "high", "low", "open", "slot", "stale_s")

    def __init__(self, minute: Minute) -> None:
        self.slot = minute.minute // QUARTER_MINUTES
        self.open = self.high = self.low = self.close = minute.equity
        self.exposure = minute.exposure
        self.stale_s = 0
        self.add(minute)

    def add(self, minute: Minute) -> None:
        """Take one more minute."""
        self.high, self.low = max(self.high, minute.equity), min(self.low, minute.equity)
        self.close, self.exposure = minute.equity, minute.exposure
        self.stale_s += MINUTE_S if minute.is_stale else 0

    def values(self, account: int) -> tuple[object, ...]:
        """The row of `equity15`."""
        ohlc = (self.open, self.high, self.low, self.close)
        return (account, self.slot, *ohlc, self.exposure, self.stale_s, "own")


class CloseDay:
    """A trading day of one account, until 16:00 New York; resumes after a restart."""

    __slots__ = ("_equity", "_gross", "_minute", "_minutes", "_net", "day")

    def __init__(self, day: int, known: tuple[int, int, int] | None) -> None:
        self.day = day
        gross, net, self._minutes = known or (0, 0, 0)
        self._gross, self._net = gross * self._minutes, net * self._minutes
        self._equity = self._minute = 0

    def add_minute(self, minute: Minute) -> None:
        """Take the end of a minute in which the account was current."""
        self._equity, self._minute = minute.equity, minute.minute
        self._gross += minute.exposure
        self._net += (minute.long or 0) + (minute.short or 0)
        self._minutes += 1

    def values(self, account: int) -> tuple[object, ...]:
        """The row of `close`."""
        averages = (self._gross // self._minutes, self._net // self._minutes, self._minutes)
        return (account, self.day, self._minute * MINUTE_US, self._equity, *averages)


class Day:
    """A UTC day of one account; resumes from what was written of it before a restart."""

    def __init__(self, day: int, known: dict[str, int | None] | None = None) -> None:
        self.day = day
        known = known or {}
        self._open, self._high = known.get("open"), known.get("high")
        self._low, self._close = known.get("low"), known.get("close")
        self._drawdown = known.get("drawdown") or 0
        self._minutes = known.get("minutes") or 0
        self._exposure = (known.get("exposure_avg") or 0) * self._minutes
        self._counts = {name: known.get(name) or 0 for name in COUNTED}
        self._round_trips: dict[str, int] = {}
        """symbol → what the round trip that is under way has realized"""

    def add_minute(self, minute: Minute) -> None:
        """Take the end of a minute."""
        equity = minute.equity
        self._open = equity if self._open is None else self._open
        self._high = equity if self._high is None else max(self._high, equity)
        self._low = equity if self._low is None else min(self._low, equity)
        self._close = equity
        self._drawdown = max(self._drawdown, self._high - equity)
        self._exposure += minute.exposure
        self._minutes += 1
        self._counts["stale_s"] += MINUTE_S if minute.is_stale else 0

    def add_fill(self, symbol: str, value: int, realized: int | None, *, is_flat: bool) -> None:
        """Take an execution: its worth, what it realized, whether it ended the position."""
        self._counts["turnover"] += abs(value)
        if realized is not None:
            self._counts["realized"] += realized
            self._round_trips[symbol] = self._round_trips.get(symbol, 0) + realized
        if is_flat and symbol in self._round_trips:
            total = self._round_trips.pop(symbol)
            self._counts["trades"] += 1
            if total > 0:
                self._counts["wins"] += 1
                self._counts["gross_win"] += total
            else:
                self._counts["losses"] += total < 0
                self._counts["gross_loss"] -= total

    def add_order(self, *, is_rejected: bool) -> None:
        """Take an order that is final."""
        self._counts["orders"] += 1
        self._counts["rejected"] += is_rejected

    def add_gap(self) -> None:
        """Take that something is missing."""
        self._counts["gaps"] += 1

    def values(self) -> dict[str, int | None]:
        """The row of `day`."""
        return {
            "open": self._open,
            "high": self._high,
            "low": self._low,
            "close": self._close,
            "peak": self._high,
            "drawdown": self._drawdown,
            "exposure_avg": self._exposure // self._minutes if self._minutes else None,
            "minutes": self._minutes,
            **self._counts,
        }


class RecordedAccount:
    """One account, as it was recorded last, and its sums that are not written yet."""

    __slots__ = (
        "at_us", "close", "day", "events", "identity", "quarter", "record", "snapshot_us", "traded",
    )  # fmt: skip

    def __init__(self) -> None:
        self.record: Record | None = None
        self.at_us = 0
        self.events = 0
        """Since the last snapshot in today's file."""
        self.snapshot_us: int | None = None
        """When today's file got a snapshot of it."""
        self.quarter: Quarter | None = None
        self.day: Day | None = None
        self.close: CloseDay | None = None
        self.identity: str | None = None
        """The broker's account that the ledger has of the label."""
        self.traded: dict[Symbol, int] = {}
        """Symbol → net quantity of the executions since the first record."""

    def day_sums(self, ledger: Ledger, number: int, at_us: int) -> Day:
        """The sums of the UTC day of a time, which go on where they were written before."""
        today = day_number(at_us)
        if self.day is None or self.day.day != today:
            self.day = Day(today, ledger.day(number, today))
        return self.day
