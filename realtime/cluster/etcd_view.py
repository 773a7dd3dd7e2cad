"""The state of the fleet as etcd last reported it: listed once, then watched.

A watch is late by some milliseconds and guarantees nothing; nothing that could trade depends on it.
What this daemon writes itself is applied at once. Of two values of a key the one with the higher
revision counts, so that it does not matter which arrives first.
"""

from collections.abc import Callable

from msgspec import Struct

from realtime.cluster.coordinator import Assignment, Latch, Member
from realtime.cluster.etcd_keys import AssignmentValue, Keys, decode
from realtime.cluster.etcd_types import Events, KeyValue, Listing


class MemberState(Struct, frozen=True):
    """A daemon and its lease."""

    member: Member
    lease: int
    revision: int


class AssignmentState(Struct, frozen=True):
    """An account's owner, as of a revision."""

    value: AssignmentValue
    revision: int
    """Of its key: transactions compare it. It rises with every write, halts included."""


class FleetView:
    """All members and assignments."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.revision = 0
        """Of the store, up to which everything is known."""
        self._max_revision = 0
        self.generation = 0
        self.halt: Latch | None = None
        self._halt_revision = 0
        self.members: dict[str, MemberState] = {}
        self.assignments: dict[str, AssignmentState] = {}
        self.is_rolled_back = False
        """The store is older than it was: it was restored from a backup."""
        self._rolled_back_at = 0
        self._public_members: dict[str, Member] | None = None
        self._public_assignments: dict[str, Assignment] | None = None
        self._owners: dict[str, str] | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def public_members(self) -> dict[str, Member]:
        """The members, without their leases."""
        if self._public_members is None:
            self._public_members = {name: state.member for name, state in self.members.items()}
        return self._public_members

    @property
    def public_assignments(self) -> dict[str, Assignment]:
        """The assignments, without leases and revisions."""
        if self._public_assignments is None:
            self._public_assignments = {
                account: state.value.to_assignment(account)
                for account, state in self.assignments.items()
            }
        return self._public_assignments

    @property
    def owners(self) -> dict[str, str]:
        """Account → its owner, where the lease under which it owns the account holds."""
        if self._owners is None:
            self._owners = {
                account: state.value.owner
                for account, state in self.assignments.items()
                if state.value.owner is not None
                and (member := self.members.get(state.value.owner)) is not None
                and member.lease == state.value.lease
            }
        return self._owners

    def subscribe(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change` after every change; return how to end that."""
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    def apply_listing(self, listing: Listing) -> None:
        """Replace everything by what was listed."""
        if listing.revision < self._max_revision and not self.is_rolled_back:
            self.is_rolled_back = True
            self._rolled_back_at = self.generation
        self.revision = self._max_revision = listing.revision
        self.members.clear()
        # What was written here since the list was read is not in it.
        self.assignments = {
            account: state
            for account, state in self.assignments.items()
            if state.revision > listing.revision and not self.is_rolled_back
        }
        self.apply_halt(None, listing.revision)
        for pair in listing.keys:
            self._apply(pair.key, pair, listing.revision)
        self.notify()

    def apply_events(self, events: Events) -> None:
        """Apply what has changed."""
        for key, pair in events.puts_and_deletes:
            self._apply(key, pair, events.revision)
        self.revision = max(self.revision, events.revision)
        self._max_revision = max(self._max_revision, self.revision)
        self.notify()

    def apply_assignment(self, account: str, value: AssignmentValue, revision: int) -> None:
        """Apply an assignment that this daemon has read or written."""
        known = self.assignments.get(account)
        if known is None or known.revision < revision:
            self.assignments[account] = AssignmentState(value, revision)
            self._public_assignments = self._owners = None

    def apply_halt(self, latch: Latch | None, revision: int) -> None:
        """Apply the halt of every account, as of a revision."""
        if revision >= self._halt_revision:
            self.halt, self._halt_revision = latch, revision

    def notify(self) -> None:
        """Call the subscribers."""
        self._public_members = self._public_assignments = self._owners = None
        for on_change in tuple(self._listeners):
            on_change()

    def _apply(self, key: str, pair: KeyValue | None, revision: int) -> None:
        keys = self._keys
        if key.startswith(keys.assignments):
            account = key.removeprefix(keys.assignments)
            if pair is None:
                self.assignments.pop(account, None)
            elif (value := decode(pair.value, AssignmentValue)) is not None:
                self.apply_assignment(account, value, pair.mod_revision)
        elif key.startswith(keys.members):
            name = key.removeprefix(keys.members)
            member = None if pair is None else decode(pair.value, Member)
            if pair is None or member is None:
                self.members.pop(name, None)
            else:
                self.members[name] = MemberState(member, pair.lease, pair.mod_revision)
        elif key == keys.halt:
            self.apply_halt(None if pair is None else decode(pair.value, Latch), revision)
        elif key == keys.generation and pair is not None and pair.value.isdigit():
            self.generation = int(pair.value)
            if self.generation > self._rolled_back_at:
                self.is_rolled_back = False
