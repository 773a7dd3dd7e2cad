"""What users, venues and the back office do to an account, chosen by seeded chance."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from random import Random

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.engine import ApiError, TradeUpdate
from realtime.simulator.exchange.orders.order import LEG, Execution, Order
from realtime.simulator.exchange.timestamps import format_rfc3339
from realtime.simulator.exchange.venue.execution import execute
from realtime.simulator.faults.catalogue import parse_fault
from tests.world.broker import Broker
from tests.world.kinds import Details
from tests.world.ledger import Ledger

STOCKS = ("AAPL", "MSFT", "NVDA", "SPY", "XLF")
ECHO_AFTER = 3
"""Of the last events some are left out: who repeats, repeats what is old."""


class Deeds:
    """The hands of everybody who is not the daemon."""

    def __init__(self, broker: Broker, ledger: Ledger, rng: Random) -> None:
        self._broker = broker
        self._exchange = broker.exchange
        self._ledger = ledger
        self._rng = rng
        self._deeds: dict[str, Callable[[str, Details], None]] = {
            "deed.bust": self._bust,
            "deed.correct": self._correct,
            "deed.split": self._split,
            "deed.rename": self._rename,
            "deed.new_day": self._new_day,
            "deed.deposit": self._deposit,
            "deed.reject_next": self._reject_next,
            "deed.hold_cancels": self._hold_cancels,
            "deed.hold_replaces": self._hold_replaces,
            "deed.status": self._status,
            "deed.twins": self._twins,
            "deed.burst": self._burst,
            "deed.bracket": self._bracket,
            "deed.round_trip": self._round_trip,
            "deed.understate": self._understate,
            "deed.echo": self._echo,
            "deed.crowd": self._crowd,
            "deed.long_day": self._long_day,
            "deed.zombie": self._zombie,
            "deed.cancel_all": self._cancel_all,
        }

    def do(self, what: str, label: str | None, details: Details) -> None:
        """Do one; nothing happens where it is refused or finds nothing to do."""
        deed = self._deeds[what]
        labels = [label] if label is not None else self._exchange.labels[:1]
        for each in labels:
            with suppress(ApiError, ValueError):  # the exchange may say no, as to anyone
                deed(each, details)
        for each in self._exchange.labels if label is None else labels:
            self._ledger.note_books(each, self._broker.faults.now())

    def release(self, label: str) -> None:
        """End what was held back."""
        self._exchange.hold_cancels(label, False)
        self._exchange.hold_replaces(label, False)
        self._ledger.note_books(label, self._broker.faults.now())

    def _bust(self, label: str, _: Details) -> None:
        if standing := self._standing(label):
            self._exchange.bust(label, self._rng.choice(standing).id)

    def _correct(self, label: str, _: Details) -> None:
        if standing := self._standing(label):
            execution = self._rng.choice(standing)
            price = (execution.price * Decimal("0.99")).quantize(Decimal("0.01"))
            self._exchange.correct(label, execution.id, format(price, "f"))

    def _split(self, label: str, _: Details) -> None:
        held = [str(p["symbol"]) for p in self._exchange.positions(label)]
        stocks = [symbol for symbol in held if symbol.isalpha() and not symbol.endswith("USD")]
        if stocks:
            self._exchange.split(self._rng.choice(stocks), 2)

    def _rename(self, label: str, _: Details) -> None:
        held = [str(p["symbol"]) for p in self._exchange.positions(label)]
        if stocks := [symbol for symbol in held if symbol in STOCKS]:
            old = self._rng.choice(stocks)
            self._exchange.rename(old, f"Z{old}"[:5])

    def _new_day(self, _: str, __: Details) -> None:
        self._exchange.end_day()

    def _deposit(self, label: str, details: Details) -> None:
        self._exchange.deposit(label, str(details["amount"]))

    def _reject_next(self, label: str, _: Details) -> None:
        self._exchange.reject_next(label)
        self._order(label)

    def _hold_cancels(self, label: str, _: Details) -> None:
        self._exchange.hold_cancels(label, True)
        if working := self._working(label):
            self._exchange.cancel(label, self._rng.choice(working).id)

    def _hold_replaces(self, label: str, _: Details) -> None:
        self._exchange.hold_replaces(label, True)
        self._move(label, self._working(label))

    def _status(self, label: str, details: Details) -> None:
        if working := self._working(label):
            order = self._rng.choice(working)
            self._exchange.set_status(label, order.id, str(details["status"]))

    def _twins(self, label: str, _: Details) -> None:
        """Two partial fills equal in price, size and moment."""
        order = self._rest(label, qty="5")
        for _n in range(0 if order.is_terminal else 2):  # the venue may have rejected it
            execute(
                self._exchange._state,
                self._account(label),
                order,
                Decimal(1),
                Decimal("9.5"),
            )

    def _burst(self, label: str, details: Details) -> None:
        for _n in range(int(details["orders"] or 0)):
            self._order(label)

    def _bracket(self, label: str, _: Details) -> None:
        symbol = self._rng.choice(STOCKS)
        price = Decimal(self._exchange.prices()[symbol])
        cent = Decimal("0.01")
        self._exchange.submit(
            label,
            {
                "symbol": symbol,
                "qty": "3",
                "side": "buy",
                "type": "market",
                "time_in_force": "day",
                "order_class": "bracket",
                "take_profit": {"limit_price": str((price * Decimal("1.002")).quantize(cent))},
                "stop_loss": {"stop_price": str((price * Decimal("0.998")).quantize(cent))},
            },
        )

    def _round_trip(self, label: str, _: Details) -> None:
        """Buy and sell the same at once: a position read late looks right for a wrong reason."""
        symbol = self._rng.choice(STOCKS)
        for side in ("buy", "sell"):
            self._order(label, symbol=symbol, side=side)
            self._broker.step()

    def _understate(self, label: str, _: Details) -> None:
        """A replaced order that had filled in part is told as if it had not."""
        order = self._rest(label, qty="5")
        execute(self._exchange._state, self._account(label), order, Decimal(2), Decimal("9.5"))
        self._broker.understated.add(label)
        try:
            self._move(label, [order])
        finally:
            self._broker.understated.discard(label)

    def _echo(self, label: str, details: Details) -> None:
        """The whole life of some orders told again, as it was, several times."""
        told = self._ledger.told[label][:-ECHO_AFTER]
        ids = sorted({each.order_id for each in told})
        chosen = self._rng.sample(ids, min(len(ids), int(details["orders"] or 0)))
        updates = [each.update for each in told if each.order_id in chosen]
        self._broker.echo(updates * int(details["times"] or 1))

    def _crowd(self, label: str, details: Details) -> None:
        """While the link is down an old order ends, and more are placed than one list can show."""
        self._broker.faults.add(parse_fault({"kind": "cut", "account": label}))
        working = self._working(label)
        if working:
            self._exchange.cancel(label, working[0].id)
        self._place_and_cancel(label, int(details["orders"] or 0))

    def _long_day(self, label: str, details: Details) -> None:
        """More orders end than are kept; then some of the first are told again, from the start."""
        told = self._ledger.told[label]
        ids = list(dict.fromkeys(t.order_id for t in told if t.is_fill))[
            : int(details["told_again"] or 0)
        ]
        updates = [t.update for t in told if t.order_id in ids]
        self._place_and_cancel(label, int(details["orders"] or 0))
        self._broker.echo(updates)

    def _place_and_cancel(self, label: str, orders: int) -> None:
        body = {"symbol": "XLF", "qty": "1", "side": "buy", "type": "limit", "limit_price": "9.5"}
        for _n in range(orders):
            placed = self._exchange.submit(label, body | {"time_in_force": "gtc"})
            self._exchange.cancel(label, str(placed["id"]))

    def _zombie(self, label: str, _: Details) -> None:
        """Of orders that have ended a working version is told, dated after the end."""
        ended = [o for o in self._account(label).orders.values() if o.is_terminal]
        # A bust of such a date would be no zombie: it may open an order again.
        working = {t.order_id: t for t in self._ledger.told[label] if t.event == t.status == "new"}
        for order in self._rng.sample(ended, min(3, len(ended))):
            if order.id in working:
                update = working[order.id].update
                told = update.data["order"]
                assert isinstance(told, dict)
                late = {**told, "updated_at": format_rfc3339(order.updated_at + 5_000_000)}
                self._broker.echo([TradeUpdate(label, {**update.data, "order": late})])

    def _cancel_all(self, label: str, _: Details) -> None:
        self._exchange.cancel_all(label)

    def _order(self, label: str, symbol: str | None = None, side: str = "buy") -> None:
        symbol = symbol or self._rng.choice(STOCKS)
        body = {"symbol": symbol, "qty": "1", "side": side, "type": "market"}
        self._exchange.submit(label, body | {"time_in_force": "day"})

    def _rest(self, label: str, qty: str) -> Order:
        """An order far from the market."""
        body = {"symbol": "XLF", "qty": qty, "side": "buy", "type": "limit", "limit_price": "9.5"}
        placed = self._exchange.submit(label, body | {"time_in_force": "gtc"})
        self._broker.step()
        return self._account(label).orders[str(placed["id"])]

    def _move(self, label: str, orders: list[Order]) -> None:
        if movable := [o for o in orders if o.type == "limit" and o.limit_price is not None]:
            order = self._rng.choice(movable)
            price = (order.limit_price or Decimal(1)) * Decimal("0.99")
            body = {"limit_price": str(price.quantize(Decimal("0.01")))}
            self._exchange.replace(label, order.id, body)

    def _standing(self, label: str) -> list[Execution]:
        executions = self._account(label).executions.values()
        return [e for e in executions if not e.is_busted and e.order.role != LEG]

    def _working(self, label: str) -> list[Order]:
        open_orders = self._account(label).open_orders.values()
        return [order for order in open_orders if order.status in ("new", "partially_filled")]

    def _account(self, label: str) -> Account:
        # The venue's side of the books: `exchange` itself offers only what a customer can do.
        return self._exchange._account(label)
