"""The only daemon: it owns every account, its journal on disk records the intents, no engine.

This is the default. Without `[cluster]` nothing else of this package is imported.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from realtime.cluster.coordinator import Assignment, Intent, IntentOutcome, Member


class Alone:
    """Owns everything, at epoch 0. See `Coordinator`.

    What would be recorded is in the journal already, which a second daemon cannot use; halts are
    the kill switch's.
    """

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._assignments: dict[str, Assignment] = {}

    @asynccontextmanager
    async def join(self, member: Member) -> AsyncIterator[None]:
        """Be the only member while the block runs."""
        self._members[member.name] = member
        try:
            yield
        finally:
            self._members.clear()

    @property
    def members(self) -> Mapping[str, Member]:
        """This daemon."""
        return self._members

    @property
    def assignments(self) -> Mapping[str, Assignment]:
        """The accounts that were claimed; the others are owned, too."""
        return self._assignments

    async def claim(self, account: str, *, reason: str) -> Assignment | None:
        """Own an account: there is no other daemon."""
        owner = next(iter(self._members), None)
        assignment = Assignment(account=account, owner=owner, epoch=0, reason=reason)
        return self._assignments.setdefault(account, assignment)

    async def hand_over(self, account: str, to: str | None, *, reason: str) -> Assignment:
        """Return the assignment as it is: there is no other daemon."""
        return self._assignments[account]

    async def intend(self, intent: Intent) -> None:
        """Do nothing: the line in the journal is the intent."""

    def settle(self, account: str, client_order_id: str, outcome: IntentOutcome) -> None:
        """Do nothing: the journal has the result."""

    async def recall(self, account: str) -> Sequence[Intent]:
        """Return none: what is open is in the journal."""
        return ()

    def check(self, account: str, *, reduces_risk: bool = False) -> None:
        """Do nothing: every account is owned."""

    def subscribe(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Never call `on_change`: nothing changes."""
        return lambda: None
