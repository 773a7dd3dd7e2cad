"""The kill switch: latches that stop new orders, of every account or of one.

A latch holds until it is released; it is in the journal, so a restart changes nothing. Canceling
and closing continue: they only reduce risk.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from realtime.orders.errors import Declined
from realtime.orders.journal import DAMAGED, Journal, JournalEntry
from realtime.orders.results import Halt, HaltState
from realtime.telemetry.log import get_logger

log = get_logger()


OnRequest = Callable[[str | None, Halt | None], None]
"""Called with the scope and its latch, None if it was released."""


class KillSwitch:
    """All latches, by scope: a label, or None for every account."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self._journal = journal
        self._clock = clock
        self._latches: dict[str | None, Halt] = {}
        self._listeners: list[OnRequest] = []

    @property
    def state(self) -> HaltState:
        """What is halted."""
        return HaltState(halted=bool(self._latches), scopes=tuple(self._latches.values()))

    def apply(self, entry: JournalEntry) -> None:
        """Apply what the journal says of halts, of earlier or by another process."""
        match entry.event:
            case "trading.halted":
                self._latches[entry.scope] = Halt(
                    account_id=entry.scope,
                    reason=entry.message or "",
                    principal=entry.principal or "",
                    since=entry.at,
                )
            case "trading.resumed":
                self._release(entry.scope)
            case "trading.resumed_scope":
                self._latches.pop(entry.scope, None)
            case event if event == DAMAGED:
                # The line may have been a halt of every account.
                reason = f"{entry.message}; check it, then resume"
                self._latch(None, reason=reason, principal="the audit log")

    def halt(self, scope: str | None, *, reason: str, principal: str) -> HaltState:
        """Latch. It holds at once, even if it cannot be written (then not over a restart)."""
        self._latch(scope, reason=reason, principal=principal)
        log.warning("trading.halted", account=scope, reason=reason, principal=principal)
        self._journal.note(
            "trading.halted", {"scope": scope, "message": reason, "principal": principal}
        )
        self._notify(scope, self._latches[scope])
        return self.state

    def resume(self, scope: str | None, *, principal: str) -> HaltState:
        """Release an account's latch; without a scope, all latches."""
        self._journal.write("trading.resumed", {"scope": scope, "principal": principal})
        self._release(scope)
        log.warning("trading.resumed", account=scope, principal=principal)
        self._notify(scope, None)
        return self.state

    def subscribe(self, on_request: OnRequest) -> None:
        """Call `on_request` after every halt and resume that is requested here."""
        self._listeners.append(on_request)

    def unsubscribe(self, on_request: OnRequest) -> None:
        """Call it no longer."""
        self._listeners.remove(on_request)

    def latch_shared(self, halt: Halt) -> None:
        """Latch what was requested at another daemon. It is not in the journal here: the engine
        has it."""
        self._latches[halt.account_id] = halt
        log.warning(
            "trading.halted",
            account=halt.account_id,
            reason=halt.reason,
            principal=halt.principal,
        )

    def release_shared(self, scope: str | None) -> None:
        """Release what was released at another daemon."""
        if self._latches.pop(scope, None) is not None:
            log.warning("trading.resumed", account=scope, principal="another daemon")
            self._journal.note(
                "trading.resumed_scope", {"scope": scope, "principal": "another daemon"}
            )

    def check(self, label: str) -> None:
        """Raise `Declined` if this account may not have new orders."""
        latch = self._latches.get(None) or self._latches.get(label)
        if latch is not None:
            scope = "every account" if latch.account_id is None else latch.account_id
            reason = f": {latch.reason}" if latch.reason else ""
            raise Declined(
                "orders_halted",
                f"orders are halted for {scope} since {latch.since} by {latch.principal}{reason}",
                remedy="POST /orders/resume, or `realtime halt --resume`",
                guard="halted",
            )

    def _notify(self, scope: str | None, halt: Halt | None) -> None:
        for on_request in self._listeners:
            on_request(scope, halt)

    def _latch(self, scope: str | None, *, reason: str, principal: str) -> None:
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat("T", "milliseconds")[:-6] + "Z"
        self._latches[scope] = Halt(account_id=scope, reason=reason, principal=principal, since=at)

    def _release(self, scope: str | None) -> None:
        if scope is None:
            self._latches.clear()
        else:
            self._latches.pop(scope, None)
