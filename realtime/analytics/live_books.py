"""Which book holds how much of an account's positions, while executions arrive.

Marks need the quantities only, at once and without the ledger: profit and round trips are in
`book_report`. What the ledger shows replaces what was computed here, and a quantity that no
execution explains is in `other`.
"""

from collections.abc import Mapping
from decimal import Decimal

from realtime.analytics.books import OTHER, BookOfOrder, OrderKey, Origin, split_unnamed
from realtime.core.decimals import ZERO, number
from realtime.core.model import OrderId, Symbol, position_symbol
from realtime.core.state import AccountState, Execution

MAX_ORDERS = 5_000
"""Orders remembered for executions that arrive late; above it the older half is dropped."""

NANOS = Decimal(10**9)


class LiveBooks:
    """The books of one account. `prefixes`: book → prefix of `client_order_id`."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self.names = (*prefixes, OTHER)
        self.changes = 0
        """Executions applied: the ledger's quantities are older than a later one."""
        self._prefixes = prefixes
        self._origins: dict[OrderKey, Origin] = {}
        self._quantities: dict[Symbol, dict[str, int]] = {}
        """Symbol → book → quantity of 10⁻⁹."""

    def apply(self, execution: Execution, sign: int, state: AccountState) -> None:
        """Apply an execution, or undo it with `sign` -1."""
        qty = sign * _signed(execution)
        if not qty:
            return
        self.changes += 1
        symbol = position_symbol(execution.symbol)
        held = self._quantities.setdefault(symbol, {})
        book = self._find_book(execution.order_id, state)
        for name, part in [(book, qty)] if book != OTHER else split_unnamed(held, qty):
            held[name] = held.get(name, 0) + part

    def start(self, state: AccountState) -> None:
        """Begin with the executions that a state has; what was held before them is in `other`."""
        executions = [e for known in state.executions.values() for e in known.values()]
        for symbol, position in state.positions.items():
            before = _nanos(number(position.qty))
            before -= sum(_signed(e) for e in executions if position_symbol(e.symbol) == symbol)
            self._quantities[symbol] = {OTHER: before}
        for execution in sorted(executions, key=lambda e: e.at or ""):
            self.apply(execution, 1, state)

    def set_quantities(self, quantities: Mapping[Symbol, Mapping[str, Decimal]]) -> None:
        """Replace all quantities by what the ledger shows: symbol → book → quantity."""
        self._quantities = {
            symbol: {name: _nanos(qty) for name, qty in held.items()}
            for symbol, held in quantities.items()
        }

    def split(self, symbol: Symbol, qty: Decimal) -> list[tuple[str, Decimal]]:
        """The parts of a position by book, in their order; they add up to it. A difference to the
        executions is put into `other`."""
        held = self._quantities.setdefault(symbol, {})
        named = sum(have for name, have in held.items() if name != OTHER)
        held[OTHER] = _nanos(qty) - named
        parts = [(n, held[n] / NANOS) for n in self.names if n != OTHER and held.get(n)]
        rest = qty - sum((part for _, part in parts), ZERO)
        return [*parts, (OTHER, rest)] if rest or not parts else parts

    def _find_book(self, order_id: OrderId, state: AccountState) -> str:
        chain: OrderId | None = order_id
        while chain is not None and chain not in self._origins:
            order, parent = state.orders.get(chain), state.parents.get(chain)
            if order is None:
                break
            self._origins[chain] = Origin(order.client_order_id, parent, order.replaces)
            chain = parent or order.replaces
        if len(self._origins) > MAX_ORDERS:
            for key in list(self._origins)[: MAX_ORDERS // 2]:
                del self._origins[key]
        return BookOfOrder(self._prefixes, self._origins).get(order_id)


def _signed(execution: Execution) -> int:
    qty = _nanos(number(execution.qty))
    return qty if execution.side.startswith("buy") else -qty


def _nanos(qty: Decimal) -> int:
    return int(qty * NANOS)
