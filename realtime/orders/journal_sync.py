"""What the journal says, applied: at the start, and whenever another process has written to it.

The shell's commands and programs that use the library write to the same file. Their halts, orders
and closes count here from the next order on (`OrderExecutor` syncs before each), and within
`POLL_INTERVAL_S` in any case.
"""

import asyncio
from collections.abc import Callable, Iterator

from realtime.core.decimals import number
from realtime.core.model import Symbol, position_symbol
from realtime.core.state import LAG_S
from realtime.orders.close_tracker import CloseTracker
from realtime.orders.errors import Declined
from realtime.orders.idempotency import IdempotencyIndex
from realtime.orders.journal import DAMAGED, Journal, JournalEntry
from realtime.orders.kill_switch import KillSwitch
from realtime.orders.order_parts import OrderPart
from realtime.orders.risk import MINUTE_S, RiskChecks
from realtime.telemetry.log import get_logger

log = get_logger()

POLL_INTERVAL_S = 0.5
"""A halt by another process is shown, and latches, within a second."""

MAX_CLOSE_AGE_S = 86_400.0
"""Closing orders of the last day count after a restart; they are day orders, or coins that fill at
once."""


class JournalSync:
    """Applies journal entries to everything that remembers.

    `clock` gives epoch seconds and never steps; entries have times of the machine's clock,
    `wall_clock`, which may have been set since this process started.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        index: IdempotencyIndex,
        kill_switch: KillSwitch,
        close_tracker: CloseTracker,
        risk_checks: RiskChecks,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._index = index
        self._kill_switch = kill_switch
        self._close_tracker = close_tracker
        self._risk_checks = risk_checks
        self._clock = clock
        self._wall_clock = wall_clock
        self._has_failed = False
        self.liquidating: set[str] = set()
        """Accounts that are being closed: nothing new may come in between."""

    def load(self) -> None:
        """Apply the whole journal. Raises `ConfigError` if it cannot be read."""
        for entry in self._journal.read():
            self._apply(entry)

    def sync(self) -> None:
        """Apply what other processes have written since. Raises `Declined` if it cannot be read."""
        for entry in self._journal.read_new():
            if entry.event == "trading.halted":
                log.warning(
                    "trading.halted",
                    account=entry.scope,
                    reason=entry.message,
                    principal=entry.principal,
                )
            elif entry.event == "trading.resumed":
                log.warning("trading.resumed", account=entry.scope, principal=entry.principal)
            self._apply(entry)

    async def run(self) -> None:
        """Sync until canceled."""
        while self._journal.path is not None:
            await asyncio.sleep(POLL_INTERVAL_S)
            try:
                self.sync()
            except Declined as error:
                # Orders are refused for the same reason; once is enough in the log.
                if not self._has_failed:
                    log.error("journal.unreadable", reason=error.message)  # noqa: TRY400 - no trace needed
                self._has_failed = True
            else:
                self._has_failed = False

    def _apply(self, entry: JournalEntry) -> None:
        kind = entry.event.partition(".")[0]
        if kind == "order":
            age_s = self._wall_clock() - entry.time
            self._index.apply(entry, at=self._clock() - age_s)
            if entry.event == "order.intended":
                self._count(entry, age_s)
        elif kind == "closing" and entry.account is not None:
            if entry.event == "closing.begun":
                self.liquidating.add(entry.account)
            else:
                self.liquidating.discard(entry.account)
        else:
            self._kill_switch.apply(entry)
            if entry.event == DAMAGED:  # it may have been an order
                self._index.is_complete = False

    def _count(self, entry: JournalEntry, age_s: float) -> None:
        """Count an order for the caps per minute, and for what is left of its position."""
        if entry.account is None or entry.client_order_id is None:
            return
        if age_s < MINUTE_S and entry.closes is None:
            at = self._clock() - age_s
            self._risk_checks.count(entry.account, entry.principal or "", at=at)
        record = self._index.get_by_id(entry.account, entry.client_order_id)
        if record is None:
            return
        for part in _split_entry(entry):
            if age_s <= (MAX_CLOSE_AGE_S if part.is_close else LAG_S):
                self._close_tracker.add(record, part, is_close=part.is_close)


def _split_entry(entry: JournalEntry) -> Iterator[OrderPart]:
    """Yield the parts of an order that the journal shows."""
    for leg in entry.legs:
        yield OrderPart(
            symbol=Symbol(leg.symbol),
            side="sell" if leg.side == "sell" else "buy",
            qty=number(leg.qty),
            is_close=leg.is_close,
            ratio=number(leg.ratio),
        )
    if entry.side in ("buy", "sell"):
        yield OrderPart(
            symbol=position_symbol(entry.closes or entry.symbol or ""),
            side="sell" if entry.side == "sell" else "buy",
            qty=number(entry.qty) if entry.qty else None,
            is_close=entry.closes is not None,
        )
