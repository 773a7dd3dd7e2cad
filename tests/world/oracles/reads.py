"""What one reader sees over time: nothing false, nothing old without a mark, nothing going back."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct, field
from msgspec.json import Decoder

from realtime.simulator.exchange.engine import Exchange
from tests.world.ledger import CLOSED, Ledger, Told, micros
from tests.world.oracles.patience import FOUND_S, HEALTHY_S, Patience
from tests.world.oracles.violation import Violation

CLOSED_ORDERS = 100
"""Closed orders that a dashboard is asked to show, the newest, beside every open one."""


class SeenOrder(Struct):
    """An order as a reader sees it."""

    id: str
    status: str
    updated_at: str
    filled_qty: str = "0"
    replaced_by: str | None = None


class SeenPosition(Struct):
    """A position as a reader sees it."""

    symbol: str
    qty: str
    avg_entry_price: str
    current_price: str | None = None


class SeenAccount(Struct):
    """An account as a reader sees it."""

    cash: str


class SeenLink(Struct):
    """The link as a reader sees it."""

    connected: bool
    state: str
    positions: int | None
    open_orders: int | None


class Seen(Struct):
    """A dashboard."""

    account_id: str
    version: int
    stale: bool
    stale_reason: str | None
    provisional: list[str]
    link: SeenLink
    account: SeenAccount | None
    positions: list[SeenPosition] | None
    orders: list[SeenOrder] | None
    raw: bytes = field(default=b"", name="-")


_SEEN = Decoder(Seen)


class Reads:
    """Remembers what was seen last of each account in one run of the daemon."""

    def __init__(self, ledger: Ledger, patience: Patience, exchange: Exchange) -> None:
        self._ledger = ledger
        self._patience = patience
        self._exchange = exchange
        self._last: dict[str, Seen] = {}
        self._floors: dict[tuple[str, str], int] = {}
        """account, symbol → the least step of its true course that was seen already"""

    def forget(self) -> None:
        """The daemon starts anew: versions and memories begin again."""
        self._last.clear()
        self._floors.clear()

    def look(self, body: bytes, at: float) -> Seen:
        """Judge a dashboard that was read at a loop time."""
        seen = _SEEN.decode(body)
        seen.raw = body
        self._check_succession(seen)
        self._check_honesty(seen)
        self._last[seen.account_id] = seen
        if seen.orders is None or seen.positions is None or seen.account is None:
            return seen
        self._check_truth(seen.account_id, seen.orders)
        self._check_course(seen.account_id, seen.positions)
        if not seen.stale and self._patience.is_untouched(seen.account_id, at):
            self._check_promptness(seen.account_id, seen.positions, at)
        if not seen.stale and "orders" not in seen.provisional:
            self._check_chains(seen.account_id, seen.orders)
            self._check_events(seen.account_id, seen.orders, at)
        if not seen.stale and not {"account", "positions"} & set(seen.provisional):
            self._check_money(seen, at)
        return seen

    def _check_succession(self, seen: Seen) -> None:
        label, last = seen.account_id, self._last.get(seen.account_id)
        if last is None:
            return
        if seen.version < last.version:
            raise Violation("version", f"{label}: {last.version} then {seen.version}")
        if seen.version == last.version and seen.raw != last.raw:
            raise Violation("version", f"{label}: two answers of version {seen.version}")
        before = {order.id: order for order in last.orders or ()}
        for order in seen.orders or ():
            old = before.get(order.id)
            if old is not None and order.id not in self._ledger.busted[label]:
                self._check_order(label, old, order, marked="orders" in seen.provisional)

    def _check_order(self, label: str, old: SeenOrder, new: SeenOrder, *, marked: bool) -> None:
        if old.status in CLOSED and new.status not in CLOSED:
            raise Violation("reopened", f"{label} {old.id}: {_said(old)} then {_said(new)}")
        is_less = Decimal(new.filled_qty) < Decimal(old.filled_qty)
        has_ended = new.status in CLOSED and old.status not in CLOSED
        is_older = micros(new.updated_at) < micros(old.updated_at) and not has_ended
        if not marked and (is_less or is_older):
            raise Violation("older_again", f"{label} {old.id}: {_said(old)} then {_said(new)}")

    def _check_honesty(self, seen: Seen) -> None:
        link = seen.link
        told = f"{seen.account_id}: {link.state}, stale {seen.stale} ({seen.stale_reason})"
        if seen.stale != (link.state != "synced") or link.connected != (link.state == "synced"):
            raise Violation("mark", told)
        if seen.stale != (seen.stale_reason is not None):
            raise Violation("mark", told)
        if link.positions != (None if seen.positions is None else len(seen.positions)):
            raise Violation("mark", f"{seen.account_id}: {link.positions} positions")
        working = sum(o.status not in {*CLOSED, "held"} for o in seen.orders or ())
        if link.open_orders != (None if seen.orders is None else working):
            raise Violation("mark", f"{seen.account_id}: {link.open_orders} of {working} open")

    def _check_truth(self, label: str, orders: list[SeenOrder]) -> None:
        """Nothing is shown that the broker never had, marked or not."""
        theirs = self._exchange._account(label).orders
        for order in orders:
            real = theirs.get(order.id)
            if real is None:
                raise Violation("invented", f"{label} {order.id}: {_said(order)}")
            if order.id in self._ledger.busted[label]:
                continue
            ended = order.status in CLOSED and not real.is_terminal
            if ended or Decimal(order.filled_qty) > real.filled_qty:
                said = f"{real.status} {real.filled_qty}"
                raise Violation("invented", f"{label} {order.id}: {_said(order)}, truly {said}")

    def _check_course(self, label: str, positions: list[SeenPosition]) -> None:
        """A position is one that truly was, none from before one that was seen: marked or not."""
        held = {p.symbol: p.qty for p in positions}
        for symbol in sorted({*self._ledger.symbols(label), *held}):
            qty, trading_service = held.get(symbol, "0"), self._floors.get((label, symbol), 0)
            found = self._ledger.position(label, symbol).next(qty, trading_service)
            if found is None:
                raise Violation("position", f"{label}: {qty} {symbol}, never or no longer true")
            self._floors[label, symbol] = found

    def _check_promptness(self, label: str, positions: list[SeenPosition], at: float) -> None:
        """Where nothing is wrong a fill moves the position at once: no mark excuses an old one."""
        held = {p.symbol: p.qty for p in positions}
        for symbol in sorted({*self._ledger.symbols(label), *held}):
            truly = self._ledger.position(label, symbol).within(at - HEALTHY_S, at)
            if Decimal(held.get(symbol, "0")) not in map(Decimal, truly):
                raise Violation("late", f"{label}: {held.get(symbol, '0')} {symbol}, truly {truly}")

    def _check_chains(self, label: str, orders: list[SeenOrder]) -> None:
        """No order names a successor that is not there, unless closed orders were left out."""
        if sum(order.status in CLOSED for order in orders) >= CLOSED_ORDERS:
            return
        shown = {order.id for order in orders}
        for order in orders:
            if order.replaced_by is not None and order.replaced_by not in shown:
                raise Violation("chain", f"{label} {order.id}: {order.replaced_by} is missing")

    def _check_events(self, label: str, orders: list[SeenOrder], at: float) -> None:
        shown = {order.id: order for order in orders}
        has_all_closed = sum(order.status in CLOSED for order in orders) < CLOSED_ORDERS
        for told in self._ledger.last_events(label, at):
            bound_s = self._patience.for_event(label, told.at)
            if told.is_fill and self._has_moved(label, told, at):
                bound_s = min(bound_s, self._patience.for_fill(label, told.at))
            if at - told.at <= bound_s:
                continue
            order = shown.get(told.order_id)
            if order is None and not has_all_closed and self._has_ended(label, told):
                continue
            if order is None or micros(order.updated_at) < told.updated_at:
                raise Violation(
                    "old",
                    f"{label} {told.order_id}: {told.event} ({told.status}) of {at - told.at:.3f} s"
                    f" ago is not in an answer without a mark, which has"
                    f" {'no such order' if order is None else _said(order)}; bound {bound_s:.1f} s",
                )

    def _has_ended(self, label: str, told: Told) -> bool:
        """Whether an order is closed, maybe without a frame: of those only the newest are shown."""
        return bool(self._exchange._account(label).orders[told.order_id].is_terminal)

    def _has_moved(self, label: str, told: Told, at: float) -> bool:
        """Whether the position still shows that there was a fill: to who has missed others before
        it, too, which together may have been for nothing."""
        order = told.update.data["order"]
        assert isinstance(order, dict)
        course = self._ledger.position(label, str(order["symbol"]).replace("/", ""))
        return course.within(at, at)[0] not in course.within(told.at - FOUND_S, told.at - 1e-9)

    def _check_money(self, seen: Seen, at: float) -> None:
        label = seen.account_id
        since = at - self._patience.for_event(label, at)
        assert seen.account is not None
        cash = self._ledger.cash[label].within(since, at)
        if Decimal(seen.account.cash) not in map(Decimal, cash):
            said = f"{label}: cash {seen.account.cash} without a mark, truly {cash}"
            raise Violation("old_money", said)
        held: Mapping[str, str] = {p.symbol: p.qty for p in seen.positions or ()}
        for symbol in sorted({*self._ledger.symbols(label), *held}):
            truly = self._ledger.position(label, symbol).within(since, at)
            if Decimal(held.get(symbol, "0")) not in map(Decimal, truly):
                said = f"{label}: {held.get(symbol, '0')} {symbol} without a mark, truly {truly}"
                raise Violation("old_money", said)
        for each in seen.positions or ():
            truly = self._ledger.average(label, each.symbol).within(since, at)
            if Decimal(each.avg_entry_price) not in map(Decimal, truly):
                said = f"{label}: {each.symbol} at {each.avg_entry_price} without a mark"
                raise Violation("old_money", f"{said}, truly {truly}")


def _said(order: SeenOrder) -> str:
    return f"{order.status} {order.filled_qty} at {order.updated_at}"
