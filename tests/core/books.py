"""A broker's books for one account: every act changes them and writes the frames that tell of it.

Written from the protocol, not from `realtime.core`: what these books say is the truth that a state
must reach, whatever happened to the frames on their way.
"""

from decimal import Decimal

from msgspec import Struct, structs

from realtime.core.model import (
    Account,
    ExecutionId,
    FillActivity,
    LegFill,
    Order,
    OrderId,
    Position,
    Symbol,
    TradeUpdate,
)
from tests.core.writing import MICROSECOND, MILLISECOND, SECOND, Style, rfc3339, text

START_NS = 1_791_295_331_000_000_000
ACCOUNT = Account(id="7", account_number="PA7", status="ACTIVE", cash="1000", equity="1000")

CLOSED = {"filled", "canceled", "expired", "rejected", "replaced"}
COIN_FEE = Decimal("0.0025")


class Lists(Struct, frozen=True):
    """What REST would answer at one moment."""

    orders: tuple[Order, ...]
    positions: tuple[Position, ...]
    fills: tuple[FillActivity, ...]


class Books:
    """The books, the frames written so far, and what REST would have said after each frame."""

    def __init__(self, style: Style | None = None) -> None:
        self.style = style or Style()
        self.frames: list[TradeUpdate] = []
        self.orders: dict[OrderId, Order] = {}
        self.parents: dict[OrderId, OrderId] = {}
        self.held: dict[str, Decimal] = {}
        self.executions: dict[OrderId, dict[ExecutionId, Decimal]] = {}
        self.fills: list[FillActivity] = []
        self.history: list[Lists] = [self.lists()]
        self._now_ns = START_NS
        self._last_by: dict[str, tuple[OrderId, int]] = {}
        self._ids = 0

    # -- what REST says ------------------------------------------------------------------------

    def lists(self) -> Lists:
        """Orders nested, positions that are not flat, fills."""
        legs: dict[OrderId, list[Order]] = {}
        for leg, parent in self.parents.items():
            legs.setdefault(parent, []).append(self.orders[leg])
        return Lists(
            orders=tuple(
                structs.replace(o, legs=tuple(legs[o.id])) if o.id in legs else o
                for o in self.orders.values()
                if o.id not in self.parents
            ),
            positions=tuple(
                Position(
                    symbol=Symbol(symbol),
                    qty=text(qty),
                    side="long" if qty > 0 else "short",
                    avg_entry_price="10",
                    current_price="10",
                    qty_available=text(qty),
                )
                for symbol, qty in sorted(self.held.items())
                if qty
            ),
            fills=tuple(self.fills),
        )

    # -- acts ----------------------------------------------------------------------------------

    def wait(self, pause_ns: int) -> None:
        self._now_ns += pause_ns

    def place(
        self, symbol: str = "AAA", side: str = "buy", qty: int = 10, *, notional: bool = False
    ) -> OrderId:
        """Take an order in: `pending_new`."""
        order = self._create(symbol, side, qty)
        if notional:
            order = self._change(order.id, qty=None, notional="50")
        self._tell("pending_new", order.id)
        return order.id

    def place_bracket(self, symbol: str = "AAA", qty: int = 10) -> OrderId:
        """An entry with two held legs."""
        entry = self._create(symbol, "buy", qty, order_class="bracket")
        for kind in ("limit", "stop"):
            leg = self._create(symbol, "sell", qty, order_class="bracket", status="held", type=kind)
            self.parents[leg.id] = entry.id
            self._tell_hidden_leg("held", leg.id)
        self._tell("pending_new", entry.id)
        return entry.id

    def place_oco(self, symbol: str = "AAA", qty: int = 10) -> OrderId:
        """A take-profit whose one leg is the stop."""
        profit = self._create(symbol, "sell", qty, order_class="oco")
        stop = self._create(symbol, "sell", qty, order_class="oco", status="held", type="stop")
        self.parents[stop.id] = profit.id
        self._tell_hidden_leg("held", stop.id)
        self._tell("new", self._change(profit.id, status="new").id)
        return profit.id

    def place_mleg(self, qty: int = 4) -> OrderId:
        """A spread of two options, filled leg by leg and told in one frame."""
        spread = self._create("", "buy", qty, order_class="mleg")
        for symbol, side in (("OPT261120C00200000", "buy"), ("OPT261120C00210000", "sell")):
            leg = self._create(symbol, side, qty, order_class="mleg")
            self.parents[leg.id] = spread.id
            self._tell_hidden_leg("pending_new", leg.id)
        self._tell("pending_new", spread.id)
        return spread.id

    def tell(self, event: str, order_id: OrderId, status: str | None = None) -> None:
        """Any event without an execution."""
        order = self.orders[order_id]
        self._change(order_id, status=status or order.status)
        self._tell(event, order_id)

    def close(self, event: str, order_id: OrderId) -> None:
        """Cancel, expire, reject; a group goes together."""
        self._change(order_id, status=event)
        self._tell(event, order_id)
        for leg in self.legs(order_id):
            if self.orders[leg].status not in CLOSED:
                self._change(leg, status="canceled")
                self._tell_hidden_leg("canceled", leg, always=True)

    def fill(self, order_id: OrderId, qty: Decimal | int | None = None, price: str = "10") -> None:
        """Execute all that is left, or a part of it."""
        if self.orders[order_id].order_class == "mleg":
            self._fill_spread(order_id, Decimal(qty) if qty is not None else self._left(order_id))
            return
        executed = self._execute(
            order_id, Decimal(qty if qty is not None else self._left(order_id))
        )
        self._fills_frame(order_id, executed, price)
        if self.orders[order_id].status == "filled":
            self._after_group_fill(order_id)

    def replace(self, order_id: OrderId, *, new_first: bool = False) -> OrderId:
        """Give way to a new order; which frame comes first is not written anywhere."""
        old = self.orders[order_id]
        new = self._create(old.symbol or "", old.side or "", int(self._left(order_id)) or 1)
        self._change(new.id, status="new", replaces=old.id)
        self._change(old.id, status="replaced", replaced_by=new.id)
        first, second = (new.id, old.id) if new_first else (old.id, new.id)
        self._tell("new" if new_first else "replaced", first)
        self._tell("replaced" if new_first else "new", second)
        return new.id

    def undo(self, order_id: OrderId, corrected: Decimal | None = None) -> None:
        """Take the last execution of an order back, or put another quantity in its place."""
        self.wait(MILLISECOND)
        order, book = self.orders[order_id], self.executions[order_id]
        previous = next(e for e in reversed(book) if book[e])
        change = (corrected or Decimal(0)) - book[previous]
        undoing = ExecutionId(self._id("e"))
        book[previous], book[undoing] = Decimal(0), corrected or Decimal(0)
        filled = Decimal(order.filled_qty or "0") + change
        closed = order.status in CLOSED and not (order.status == "filled" and change < 0)
        back = order.status if closed else "partially_filled" if filled else "new"
        self._change(order_id, filled_qty=text(filled), status=back)
        self._move(order, change)
        self._tell(
            "trade_correct" if corrected is not None else "trade_bust",
            order_id,
            price="10",
            qty=text(corrected if corrected is not None else -change),
            position_qty=text(self._position(order)),
            execution_id=undoing,
            previous_execution_id=previous,
        )
        self.wait(MILLISECOND)

    # -- questions -----------------------------------------------------------------------------

    def open_ids(self) -> list[OrderId]:
        """Orders that can be acted on by themselves: a spread's legs go with the spread."""
        return [
            o.id
            for o in self.orders.values()
            if o.status not in CLOSED
            and o.status != "held"
            and not (o.order_class == "mleg" and o.id in self.parents)
        ]

    def executed_ids(self) -> list[OrderId]:
        """Orders with an execution that can be undone."""
        return [
            i
            for i, book in self.executions.items()
            if any(book.values()) and self.orders[i].order_class == ""
        ]

    def legs(self, order_id: OrderId) -> list[OrderId]:
        return [leg for leg, parent in self.parents.items() if parent == order_id]

    # -- inside --------------------------------------------------------------------------------

    def _id(self, kind: str) -> str:
        """Unique; like the broker's in no order of time."""
        self._ids += 1
        return f"{kind}{self._ids * 6007 % 9973:04d}"

    def _now(self) -> str:
        """REST's form: microseconds, rounded half up."""
        return rfc3339((self._now_ns + 500) // 1000 * 1000)

    def _create(
        self,
        symbol: str,
        side: str,
        qty: int,
        *,
        order_class: str = "",
        status: str = "pending_new",
        type: str = "limit",  # noqa: A002 - the wire's own name
    ) -> Order:
        order = Order(
            id=OrderId(self._id("o")),
            created_at=self._now(),
            updated_at=self._now(),
            submitted_at=self._now(),
            symbol=symbol,
            asset_class="crypto" if "/" in symbol else "us_equity",
            qty=str(qty),
            filled_qty="0",
            order_class=order_class,
            order_type=type,
            type=type,
            side=side,
            time_in_force="gtc",
            status=status,
        )
        self.orders[order.id] = order
        return order

    def _change(self, order_id: OrderId, **fields: object) -> Order:
        changed = structs.replace(self.orders[order_id], updated_at=self._now(), **fields)
        self.orders[order_id] = changed
        return changed

    def _left(self, order_id: OrderId) -> Decimal:
        order = self.orders[order_id]
        return Decimal(order.qty or "5.000000001") - Decimal(order.filled_qty or "0")

    def _execute(self, order_id: OrderId, qty: Decimal) -> Decimal:
        """Fill the order in the books; gives what was executed."""
        qty = min(qty, self._left(order_id))
        order = self.orders[order_id]
        self._keep_apart(order)
        filled = Decimal(order.filled_qty or "0") + qty
        done = qty == self._left(order_id)
        self._change(
            order_id,
            filled_qty=text(filled),
            filled_avg_price="10",
            filled_at=self._now() if done else None,
            status="filled" if done else "partially_filled",
        )
        fee = qty * COIN_FEE if order.asset_class == "crypto" and order.side == "buy" else 0
        self._move(order, qty, fee)
        return qty

    def _keep_apart(self, order: Order) -> None:
        """Without event ids nothing but time tells two orders' executions of a symbol apart."""
        symbol = order.symbol or ""
        last, at_ns = self._last_by.get(symbol, (order.id, 0))
        if not self.style.published and last != order.id:
            if self.style.coarse:
                self._now_ns = max(self._now_ns, (at_ns // SECOND + 1) * SECOND)
            self._now_ns = max(self._now_ns, at_ns + 2 * MICROSECOND)
        self._last_by[symbol] = (order.id, self._now_ns)

    def _move(self, order: Order, qty: Decimal, fee: Decimal | int = 0) -> None:
        symbol = (order.symbol or "").replace("/", "")
        signed = qty - fee if order.side == "buy" else -qty
        self.held[symbol] = self.held.get(symbol, Decimal(0)) + signed

    def _position(self, order: Order) -> Decimal:
        return self.held[(order.symbol or "").replace("/", "")]

    def _book(self, order_id: OrderId, qty: Decimal, price: str, at: str) -> ExecutionId:
        identity, order = ExecutionId(self._id("e")), self.orders[order_id]
        self.executions.setdefault(order_id, {})[identity] = qty
        self.fills.append(
            FillActivity(
                id=f"20261006140213926::{identity}",
                transaction_time=at,
                price=price,
                qty=text(qty),
                side=order.side,
                symbol=order.symbol,
                order_id=order_id,
                cum_qty=order.filled_qty,
            )
        )
        return identity

    def _fills_frame(self, order_id: OrderId, qty: Decimal, price: str) -> None:
        order, at = self.orders[order_id], self._executed_at()
        self._tell(
            "fill" if order.status == "filled" else "partial_fill",
            order_id,
            timestamp=at,
            price=price,
            qty=text(qty),
            position_qty=text(self._position(order)),
            execution_id=self._book(order_id, qty, price, at),
        )

    def _executed_at(self) -> str:
        """Venues' clocks are not the broker's: an execution told later may say it was earlier."""
        if self.style.coarse:
            return rfc3339(self._now_ns // SECOND * SECOND)
        skew = 7 * MILLISECOND * (self._ids % 2) if self.style.published else 0
        return rfc3339(self._now_ns - skew)

    def _fill_spread(self, order_id: OrderId, qty: Decimal) -> None:
        at, told = self._executed_at(), []
        for leg_id in self.legs(order_id):
            executed = self._execute(leg_id, qty)
            leg = self.orders[leg_id]
            told.append(
                LegFill(
                    execution_id=self._book(leg_id, executed, "6.3", at),
                    order_id=leg_id,
                    symbol=leg.symbol,
                    qty=text(executed),
                    price="6.3",
                    timestamp=at,
                )
            )
        self._execute(order_id, qty)
        del self.held[""]
        self._tell(
            "fill" if self.orders[order_id].status == "filled" else "partial_fill",
            order_id,
            timestamp=at,
            price="3.2",
            qty=text(qty),
            position_qtys={
                f.symbol: text(self.held[f.symbol]) for f in told if f.symbol is not None
            },
            legs=tuple(told),
        )
        for leg_id in self.legs(order_id):
            self._tell_hidden_leg("leg_told", leg_id)

    def _after_group_fill(self, order_id: OrderId) -> None:
        order = self.orders[order_id]
        if order.order_class == "bracket" and order_id not in self.parents:
            profit = self.legs(order_id)[0]
            self._change(profit, status="new")
            self._tell("new", profit)
        elif order.order_class in ("bracket", "oco"):
            group = self.legs(self.parents.get(order_id, order_id))
            for other in group:
                if self.orders[other].status not in CLOSED:
                    self._change(other, status="canceled")
                    self._tell("canceled", other)

    def _tell_hidden_leg(self, event: str, leg_id: OrderId, *, always: bool = False) -> None:
        """A frame of the leg's own, where the parent's frames do not show it."""
        if always or not self.style.parent_legs:
            self._tell(event, leg_id)

    def _tell(self, event: str, order_id: OrderId, **told: object) -> None:
        order = self.orders[order_id]
        if self.style.parent_legs and self.legs(order_id):
            order = structs.replace(
                order, legs=tuple(self.orders[leg] for leg in self.legs(order_id))
            )
        fields: dict[str, object] = {"timestamp": rfc3339(self._now_ns), **told}
        if self.style.published:
            fields["at"] = rfc3339(self._now_ns // 1000 * 1000)
            fields["event_id"] = f"01M48RB9HW{len(self.frames):016d}"
        self.frames.append(TradeUpdate(event=event, order=order, **fields))  # type: ignore[arg-type]  # named above
        self.history += [self.lists()] * (len(self.frames) + 1 - len(self.history))
        self.history[-1] = self.lists()
