"""Ledgers for comparisons: written by the ledger's own code, without a daemon."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from uuid import UUID

from realtime.core.model import Account, AccountLabel, Order, OrderId
from realtime.core.state import AccountState, Execution
from realtime.core.trading_days import close_at, next_trading_day, to_number, trading_days
from realtime.history.directory import HistoryDirectory
from realtime.history.exact import US, instant
from realtime.history.ledger import Activity, Ledger
from realtime.history.reading import FileReader
from realtime.store.records import Profile, Record

FIRST = date(2026, 6, 1)


def days(count: int, first: date = FIRST) -> list[date]:
    """Trading days, the first one being the base."""
    found = [first]
    while len(found) < count:
        found.append(next_trading_day(found[-1]))
    return found


class LedgerScene:
    """One ledger. Money in dollars, as it is read."""

    def __init__(self, path: Path) -> None:
        self.directory = HistoryDirectory(path)
        self.directory.prepare()
        self._ledger = Ledger(self.directory.ledger)
        self._ledger.begin()
        self._count = 0
        self._fills: dict[str, list[int]] = {}

    def account(self, label: str, account_id: str | None = None) -> int:
        """Enter a label; returns its number."""
        account = Account(id=account_id or f"id-{label}", account_number=f"PA0EXAMPLE-{label}")
        return self._ledger.names.account(
            Record(profile=Profile(label=AccountLabel(label)), state=AccountState(account=account))
        )

    def closes(self, label: str, equity: Mapping[date, float], *, exposure: float = 0.5) -> None:
        """Enter closes that were recorded here."""
        number = self.account(label)
        for day, amount in equity.items():
            units = round(amount * 10_000)
            held = round(units * exposure)
            at_us = close_at(day) * US
            self._ledger.put_close((number, to_number(day), at_us, units, held, held, 390))

    def identity(self, label: str, day: date, account_id: str) -> None:
        """Let the label be another account from the start of a trading day."""
        number = self.account(label)
        at_us = (close_at(day) - 6 * 3600) * US
        self._ledger.add_identity(number, at_us, account_id, f"PA0EXAMPLE-{account_id}")

    def activity(
        self, label: str, day: date, type_: str, amount: float | None, **facts: object
    ) -> None:
        """Enter an activity of which only the date is known."""
        self._count += 1
        self._ledger.add_activity(
            self.account(label),
            Activity(
                id=f"{self._count:017d}::activity",
                type=type_,
                at_us=(close_at(day) - 16 * 3600) * US,
                day=to_number(day),
                is_timed=False,
                amount=None if amount is None else round(amount * 10_000),
                **facts,  # type: ignore[arg-type]
            ),
        )

    def fill(
        self,
        label: str,
        day: date,
        side: str,
        qty: str,
        price: str,
        *,
        symbol: str = "AAPL",
        client_order_id: str = "",
        second: int = 0,
        order: str | None = None,
    ) -> str:
        """Enter an execution, an hour before the close; returns the order's id."""
        self._count += 1
        number = self.account(label)
        order_id = order or str(UUID(int=self._count))
        at = close_at(day) - 3600 + second
        self._ledger.add_fill(
            number,
            Execution(
                execution_id=str(UUID(int=10**9 + self._count)),  # type: ignore[arg-type]
                order_id=OrderId(order_id),
                symbol=symbol,
                side=side,
                qty=qty,
                price=price,
                at=f"{to_iso(at)}",
            ),
            realized=None,
            source="stream",
        )
        self._fills.setdefault(label, []).append(self._count)
        entered = Order(id=OrderId(order_id), client_order_id=client_order_id or order_id)
        self._ledger.add_origin(number, entered, None)
        return order_id

    def remove_fill(self, label: str) -> None:
        """Bust the newest execution of a label, if there is one."""
        for count in self._fills.pop(label, [])[-1:]:
            execution = Execution(
                execution_id=str(UUID(int=10**9 + count)),  # type: ignore[arg-type]
                order_id=OrderId(""),
                symbol="AAPL",
                side="buy",
                qty="0",
                price="0",
                at="",
            )
            self._ledger.remove_fill(self.account(label), execution, 1)

    def prune(self, before_us: int) -> None:
        """Forget what is older."""
        self._ledger.prune(before_us)

    def origin(self, label: str, order: Order, parent: str | None = None) -> None:
        """Enter what an order comes from."""
        self._ledger.add_origin(self.account(label), order, parent)

    def put_report(self, label: str, day: int, body: str) -> None:
        """Enter a day of the report card."""
        self._ledger.put_report(self.account(label), day, body)

    def gap(self, label: str, from_us: int, to_us: int | None) -> None:
        """Enter a time in which an account was out of sync; None: it still is."""
        self._ledger.add_gap(self.account(label), from_us, to_us, "link down", None)

    def price(self, symbol: str, prices: Mapping[date, float]) -> None:
        """Enter a symbol's last prices."""
        number = self._ledger.names.symbol(symbol)
        assert number is not None
        for day, price in prices.items():
            self._ledger.put_day_price(number, to_number(day), round(price * 10**9))

    def reader(self) -> FileReader:
        """Commit, and read."""
        self._ledger.commit()
        self._ledger.begin()
        return FileReader(self.directory)

    def close(self) -> None:
        """Close the file."""
        self._ledger.commit()
        self._ledger.close()


def to_iso(at: float) -> str:
    """Epoch seconds as the broker writes them."""
    return instant(round(at * US))


def after(day: date, hours: float = 1) -> int:
    """A moment after the close of a day, in µs."""
    return round((close_at(day) + hours * 3600) * US)


def walk(start: float, returns: Sequence[float], first: date = FIRST) -> dict[date, float]:
    """Equity by trading day after these returns; the first is the base."""
    equity = {}
    value = start
    for day, change in zip(days(len(returns) + 1, first), (0.0, *returns), strict=True):
        value *= 1 + change
        equity[day] = round(value, 4)
    return equity


__all__ = ["FIRST", "LedgerScene", "after", "days", "trading_days", "walk"]
