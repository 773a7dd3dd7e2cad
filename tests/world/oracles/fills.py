"""Each execution is told once: in one run of the daemon no line of the log repeats a fill."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from tests.world.broker import Broker
from tests.world.oracles.violation import Violation

Fill = tuple[str, str, str, Decimal, Decimal]
"""account, symbol, side, quantity, price"""


class Fills:
    """Counts the lines `fill.applied`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._told: Counter[Fill] = Counter()

    def forget(self) -> None:
        """The daemon starts anew, and may tell what its predecessor told."""
        self._told.clear()

    def hear(self, line: Mapping[str, object]) -> None:
        """Take a line of the log."""
        qty, price = Decimal(str(line["qty"])), Decimal(str(line["price"]))
        if qty:
            told = (str(line["account"]), str(line["symbol"]), str(line["side"]), qty, price)
            self._told[told] += 1

    def check(self) -> None:
        """No more lines than executions, busted and corrected ones included."""
        truly: Counter[Fill] = Counter(
            (label, e.asset.symbol, e.order.side, e.qty, e.price)
            for label in self._broker.exchange.labels
            for e in self._broker.exchange._account(label).executions.values()
        )
        for told, count in self._told.items():
            if count > truly[told]:
                raise Violation("fills", f"{told} told {count} times, happened {truly[told]} times")
