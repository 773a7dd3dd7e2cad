"""The kill switch: latches that stop new orders, for everybody or for one account.

A latch holds until it is released; it is in the journal, so a restart changes nothing. Canceling
and closing go on: they only ever take risk away.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from realtime.orders.errors import Declined
from realtime.orders.journal import Journal, JournalEntry
from realtime.orders.results import Halt, HaltState
from realtime.telemetry.log import get_logger

log = get_logger()


class KillSwitch:
    """All latches, by scope; the scope of everybody is None."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self._journal = journal
        self._clock = clock
        self._latches: dict[str | None, Halt] = {}

    @property
    def state(self) -> HaltState:
        """What is halted."""
        return HaltState(halted=bool(self._latches), scopes=tuple(self._latches.values()))

    def load(self, lines: Iterable[JournalEntry]) -> None:
        """Take what the journal says of halts."""
        for line in lines:
            if line.event == "trading.halted":
                self._latches[line.scope] = Halt(
                    account_id=line.scope,
                    reason=line.message or "",
                    principal=line.outcome or "",
                    since=line.at,
                )
            elif line.event == "trading.resumed":
                self._release(line.scope)

    def halt(self, scope: str | None, *, reason: str, principal: str) -> HaltState:
        """Latch. It holds at once, even if it could not be written (then not over a restart)."""
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat("T", "milliseconds")[:-6] + "Z"
        self._latches[scope] = Halt(account_id=scope, reason=reason, principal=principal, since=at)
        log.warning("trading.halted", account=scope, reason=reason, principal=principal)
        self._journal.note(
            "trading.halted", {"scope": scope, "message": reason, "outcome": principal}
        )
        return self.state

    def resume(self, scope: str | None, *, principal: str) -> HaltState:
        """Release an account's latch; without one, all latches."""
        self._journal.write("trading.resumed", {"scope": scope, "outcome": principal})
        self._release(scope)
        log.warning("trading.resumed", account=scope, principal=principal)
        return self.state

    def check(self, label: str) -> None:
        """Raise `Declined` if this account may not have new orders."""
        latch = self._latches.get(None) or self._latches.get(label)
        if latch is not None:
            whom = "everybody" if latch.account_id is None else latch.account_id
            why = f": {latch.reason}" if latch.reason else ""
            raise Declined(
                "orders_halted",
                f"orders are halted for {whom} since {latch.since} by {latch.principal}{why}",
                remedy="POST /orders/resume, or `realtime halt --resume`",
                guard="halted",
            )

    def _release(self, scope: str | None) -> None:
        if scope is None:
            self._latches.clear()
        else:
            self._latches.pop(scope, None)
