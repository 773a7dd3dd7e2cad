"""One position: quantity and average entry price, by the broker's two methods.

During the day the average is weighted: adding changes it, reducing does not. Overnight it becomes
compressed first-in-first-out: each day's openings are one lot, and closings reduce the oldest lots
first. So the average may change from one day to the next without a trade.
"""

from decimal import Decimal

import msgspec

from realtime.simulator.exchange.decimals import ZERO, floor_to_nano, round_to_nano
from realtime.simulator.exchange.orders.order import Execution
from realtime.simulator.exchange.venue.assets import Asset


class Lot(msgspec.Struct, frozen=True):
    """Signed quantity and the average price it was opened at."""

    qty: Decimal
    price: Decimal


class Position(msgspec.Struct, kw_only=True, eq=False):
    """A position; `qty` is signed, short is negative."""

    asset: Asset
    qty: Decimal = ZERO
    avg_entry_price: Decimal = ZERO
    # Lots at the start of the day, oldest first, and every execution since.
    lots: list[Lot] = msgspec.field(default_factory=list)
    today: list[Execution] = msgspec.field(default_factory=list)
    # The part of `qty` held overnight; the rest was opened today at `today_cost`.
    overnight_qty: Decimal = ZERO
    today_cost: Decimal = ZERO

    @property
    def cost_basis(self) -> Decimal:
        return self.qty * self.avg_entry_price * self.asset.multiplier

    def market_value(self, price: Decimal) -> Decimal:
        return self.qty * price * self.asset.multiplier

    def apply(self, execution: Execution) -> None:
        """Apply an execution."""
        self.today.append(execution)
        self._trade(execution.position_delta, execution.price)

    def rebuild(self) -> None:
        """Recompute from the day's initial lots, after an execution was changed."""
        self._begin_day()
        for execution in self.today:
            if not execution.is_busted:
                self._trade(execution.position_delta, execution.price)

    def end_day(self) -> None:
        """Turn the day's trades into lots."""
        self.lots = compress(
            self.lots, [(e.position_delta, e.price) for e in self.today if not e.is_busted]
        )
        self.today = []
        self._begin_day()

    def split(self, new: Decimal, old: Decimal) -> None:
        """Replace `old` shares with `new` ones: today's trades become part of the base."""
        self.end_day()
        self.lots = [
            Lot(floor_to_nano(lot.qty * new / old), lot.price * old / new) for lot in self.lots
        ]
        self._begin_day()

    def renamed(self, asset: Asset) -> "Position":
        """Return the same position under another asset; this one becomes flat."""
        self.end_day()
        other = Position(asset=asset, lots=self.lots)
        other._begin_day()
        self.lots = []
        self._begin_day()
        return other

    def adjust(self, delta: Decimal, price: Decimal) -> None:
        """Apply a change other than a trade of today: coin fee, exercise, bust of an old trade."""
        self.end_day()
        self.lots = compress(self.lots, [(delta, price)])
        self._begin_day()

    def intraday_base(self, lastday_price: Decimal) -> Decimal:
        """Return the base of today's profit: last close, or today's entry."""
        held = self.overnight_qty * lastday_price
        return (held + self.today_cost) * self.asset.multiplier

    def _begin_day(self) -> None:
        self.qty = sum((lot.qty for lot in self.lots), ZERO)
        cost = sum((lot.qty * lot.price for lot in self.lots), ZERO)
        self.avg_entry_price = round_to_nano(cost / self.qty) if self.qty else ZERO
        self.overnight_qty = self.qty
        self.today_cost = ZERO

    def _trade(self, delta: Decimal, price: Decimal) -> None:
        if not delta:
            return
        if self.qty and (self.qty > 0) != (delta > 0):
            self._reduce(delta, price)
            return
        cost = self.qty * self.avg_entry_price + delta * price
        self.qty += delta
        self.avg_entry_price = round_to_nano(cost / self.qty)
        self.today_cost += delta * price

    def _reduce(self, delta: Decimal, price: Decimal) -> None:
        if abs(delta) > abs(self.qty):  # through zero: the excess opens the other side
            rest = delta + self.qty
            self._reduce(-self.qty, price)
            self._trade(rest, price)
            return
        opened_today = self.qty - self.overnight_qty
        self.qty += delta
        from_overnight = min(abs(delta), abs(self.overnight_qty))
        self.overnight_qty += from_overnight if delta > 0 else -from_overnight
        left_today = self.qty - self.overnight_qty
        self.today_cost = self.today_cost * left_today / opened_today if opened_today else ZERO
        if not self.qty:
            self.avg_entry_price = ZERO


def compress(lots: list[Lot], trades: list[tuple[Decimal, Decimal]]) -> list[Lot]:
    """Return tomorrow's lots: today's openings as one lot, closings taken from the oldest.

    A trade is its signed quantity and its price.
    """
    old = list(lots)
    opened = Lot(ZERO, ZERO)
    for delta, price in trades:
        held = sum((lot.qty for lot in old), opened.qty)
        if held and (held > 0) != (delta > 0):
            closing = delta if abs(delta) <= abs(held) else -held
            old, opened = _close(old, opened, closing)
            opened = _add(opened, delta - closing, price)
        else:
            opened = _add(opened, delta, price)
    return [*old, opened] if opened.qty else old


def _close(old: list[Lot], opened: Lot, delta: Decimal) -> tuple[list[Lot], Lot]:
    """Reduce the old lots first, then what was opened today."""
    old_qty = sum((lot.qty for lot in old), ZERO)
    from_old = delta if abs(delta) <= abs(old_qty) else -old_qty
    return _reduce(old, from_old), Lot(opened.qty + delta - from_old, opened.price)


def _add(lot: Lot, qty: Decimal, price: Decimal) -> Lot:
    total = lot.qty + qty
    return Lot(total, (lot.qty * lot.price + qty * price) / total) if total else Lot(ZERO, ZERO)


def _reduce(lots: list[Lot], delta: Decimal) -> list[Lot]:
    """Reduce the oldest lots by |delta|."""
    left = abs(delta)
    kept: list[Lot] = []
    for lot in lots:
        taken = min(left, abs(lot.qty))
        left -= taken
        rest = lot.qty - taken if lot.qty > 0 else lot.qty + taken
        if rest:
            kept.append(Lot(rest, lot.price))
    return kept
