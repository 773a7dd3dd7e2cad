"""What the status says of the links against who is truly connected; and how one connects."""

from msgspec import Struct
from msgspec.json import Decoder

from realtime.store.records import Record
from tests.world.broker import Broker
from tests.world.oracles.patience import Patience
from tests.world.oracles.violation import Violation
from tests.world.schedule import Act, Schedule

FIRST_S, MAX_S, MIN_SHARE = 5.0, 300.0, 0.8
"""The promised pauses between attempts: 5, 10, 20 … 300 s, each less a fifth at the most."""

SLACK_S = 0.05
"""A dial and the pause before it are not at one instant."""

CLOSE_S = 0.1
"""A socket that the broker has closed is noticed with its last frame, before it is closed here."""

REFUSING = frozenset({"key_revoked", "unauthorized"})


class Row(Struct):
    """One account's row."""

    connected: bool
    reconnect_attempts: int
    last_error: str | None
    last_error_message: str | None
    has_data: bool
    state: str
    stale: bool
    next_attempt_in_s: float | None


class Status(Struct):
    """The status document."""

    total_accounts: int
    connected_accounts: int
    by_state: dict[str, int]
    accounts: dict[str, Row]


_STATUS = Decoder(Status)


REFUSALS_TOLERATED = 2
"""The daemon believes the second refusal in a row of either way in: one of each may come before."""


class Links:
    """Follows every link from both ends."""

    def __init__(self, schedule: Schedule, broker: Broker, patience: Patience) -> None:
        self._schedule = schedule
        self._broker = broker
        self._patience = patience
        self._socket_until: dict[str, float] = {}
        """label → when the broker last had a socket of it; absent if it has one now"""
        self._states: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._dialed_at: dict[str, float] = {}
        self._refused_before: dict[str, int] = {}
        self.attempts = 0

    def watch(self, at: float) -> None:
        """Look at the broker's end of every link."""
        for label in self._schedule.labels:
            if self._broker.sockets(label):
                self._socket_until.pop(label, None)
            else:
                self._socket_until.setdefault(label, at)

    def forget(self) -> None:
        """The daemon starts anew: it knows nothing of the pauses of the run before."""
        self._refused_before = {label: self._refusals(label) for label in self._schedule.labels}
        self._failures.clear()
        self._dialed_at.clear()
        self._states.clear()

    def changed(self, record: Record, at: float) -> None:
        """The daemon changed an account's record."""
        label, state = record.profile.label, record.link.state
        before = self._states.get(label)
        self._states[label] = state
        if state == "synced" and before != "synced":
            self._failures[label] = 0
        if before == "synced" and state != "synced" and label == self._schedule.spared:
            reason = record.link.last_error_message
            raise Violation("isolation", f"{label} is spared, but {state}: {reason}")
        if before == "refused" and state != "refused":
            raise Violation("refused", f"{label} tries again although its key was refused")

    def dialed(self, label: str, at: float) -> None:
        """The daemon connects to an account's stream."""
        self.attempts += 1
        tolerated = REFUSALS_TOLERATED * len(self._refusing_acts(label))
        if self._refusals(label) > self._refused_before.get(label, 0) + tolerated:
            raise Violation("refused", f"{label}: tries a key again that the broker refused")
        last, failures = self._dialed_at.get(label), self._failures.get(label, 0)
        if last is not None:
            least_s = MIN_SHARE * min(MAX_S, FIRST_S * 2 ** max(0, failures - 1))
            if at - last < least_s - SLACK_S:
                said = f"{label}: {at - last:.2f} s after the last, failure {failures}"
                raise Violation("attempts", f"{said}, promised {least_s:.2f} s at least")
        self._dialed_at[label] = at
        self._failures[label] = failures + 1

    def look(self, body: bytes, at: float) -> None:
        """Judge a status document that was read at a loop time."""
        status = _STATUS.decode(body)
        rows = status.accounts
        if list(rows) != self._schedule.labels or status.total_accounts != len(rows):
            raise Violation("status", f"{list(rows)} of {self._schedule.labels}")
        if status.connected_accounts != sum(row.connected for row in rows.values()):
            raise Violation("status", f"{status.connected_accounts} connected, by rows another")
        for state, count in status.by_state.items():
            if count != sum(row.state == state for row in rows.values()):
                raise Violation("status", f"{count} {state}, by rows another number")
        for label, row in rows.items():
            self._check_row(label, row, at)

    def _check_row(self, label: str, row: Row, at: float) -> None:
        told = f"{label}: {row}"
        if row.connected != (row.state == "synced") or row.stale == row.connected:
            raise Violation("status", told)
        if row.state == "synced" and (row.reconnect_attempts or not row.has_data):
            raise Violation("status", told)
        if row.state == "waiting" and (row.next_attempt_in_s is None or row.last_error is None):
            raise Violation("status", told)
        if row.state == "refused" and not self._may_be_refused(label):
            raise Violation("refused", f"{label}: {row.last_error_message}, but the key is good")
        gone_at = self._socket_until.get(label)
        if row.connected and gone_at is not None:
            bound_s = CLOSE_S + self._patience.for_event(label, gone_at)
            if at - gone_at > bound_s:
                said = f"{label}: connected, but the broker has no socket since {gone_at:.3f}"
                raise Violation("status", f"{said}; bound {bound_s:.1f} s")

    def _refusals(self, label: str) -> int:
        return self._broker.counters.get(label).get("unauthorized", 0)

    def _may_be_refused(self, label: str) -> bool:
        return bool(self._refusing_acts(label))

    def _refusing_acts(self, label: str) -> list[Act]:
        acts = self._schedule.acts
        return [act for act in acts if act.what in REFUSING and act.account in (None, label)]
