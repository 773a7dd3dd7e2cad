"""Which daemon owns which account, and whether an order may leave: what an engine has to decide.

The engine decides, it does not carry data. Nothing that only reads depends on it. Two rules hold
for every implementation, and `tests/cluster/test_contract.py` checks them:

- Of any number of daemons that claim an account, one gets it, and each claim and hand-over has a
  higher epoch than the one before.
- No intent, no order sent: the intent of an order is recorded in one step with the proof that this
  daemon still owns the account and that nothing is halted. The step fails for any other daemon,
  however late it notices. Clocks and leases decide only how soon things happen.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

from msgspec import Struct

MESH_FORMAT = 1
"""Of what daemons send each other. A daemon reads this one and the one before."""

IntentOutcome = Literal["placed", "refused", "not_found"]
"""What became of an order: the broker has it; it does not exist; the broker did not know it for
20 minutes."""


class Member(Struct, frozen=True, kw_only=True):
    """A daemon of the fleet, as the others see it."""

    name: str
    address: str = ""
    """Where its feed is; empty: it has none."""
    version: str = ""
    mesh_format: int = MESH_FORMAT
    is_draining: bool = False
    """It hands over what it owns, and takes nothing."""
    accounts: str = ""
    """Digest of the labels in its configuration: equal for daemons that know the same accounts."""


class Latch(Struct, frozen=True, kw_only=True):
    """A halt, as the engine has it."""

    reason: str
    principal: str
    since: str


class Assignment(Struct, frozen=True, kw_only=True):
    """Which daemon owns an account."""

    account: str
    owner: str | None
    """None: the last owner gave it up, and any daemon may claim it."""
    epoch: int
    """Rises with every claim and hand-over: what an owner of a lower epoch says is out of date."""
    since: str = ""
    reason: str = ""
    """Why it changed: `claimed`, `taken over from …`, `handed over by …`."""
    halt: Latch | None = None


class Intent(Struct, frozen=True, kw_only=True):
    """An order that is about to be sent."""

    account: str
    client_order_id: str
    fingerprint: str
    """Of the request: the same id with another one is another order."""
    key: str | None = None
    """The caller's idempotency key."""
    principal: str = ""
    symbol: str | None = None
    side: str | None = None
    qty: str | None = None
    notional: str | None = None
    reduces_risk: bool = False
    """A close of our own: a halt does not stop it, nor an engine that does not answer, as long as
    no other daemon can own the account."""


class Coordinator(Protocol):
    """One daemon's side of the engine.

    Errors: `NotOwner` (another daemon owns the account, or may), `EngineUnreachable` (nothing is
    known to have happened), `EngineHalted`, `IntentExists`. All of them are `NotSent`.
    """

    def join(self, member: Member) -> AbstractAsyncContextManager[None]:
        """Be a member while the block runs: hold a lease, renew it, follow the others.

        Raises `ConfigError` if the fleet has a format that this daemon does not know, or if
        another daemon has the same name.
        """
        ...

    @property
    def members(self) -> Mapping[str, Member]:
        """The daemons whose leases hold, by name, as last reported; may be late by some
        milliseconds. Nothing that could trade depends on it."""
        ...

    @property
    def assignments(self) -> Mapping[str, Assignment]:
        """The accounts that were ever owned, as last reported; late as `members` is."""
        ...

    async def claim(self, account: str, *, reason: str) -> Assignment | None:
        """Own an account that has no owner, or whose owner's lease has ended.

        None: another daemon owns it or was first. Raises `EngineUnreachable`; then the account may
        be owned, and `assignments` will show it.
        """
        ...

    async def hand_over(self, account: str, to: str | None, *, reason: str) -> Assignment:
        """Give an owned account to another member, or to whichever claims it.

        From here on no intent of this daemon is accepted for it. Raises `NotOwner`,
        `EngineUnreachable`.
        """
        ...

    async def intend(self, intent: Intent) -> None:
        """Record an order that is about to be sent. Without this nothing may leave.

        Returns if it is recorded by this daemon, as the owner, with nothing halted. If the answer
        of the engine is lost, the intent is read back. Raises all errors above.
        """
        ...

    def settle(self, account: str, client_order_id: str, outcome: IntentOutcome) -> None:
        """Record what became of an order. Waits for nothing: it is written soon."""
        ...

    async def recall(self, account: str) -> Sequence[Intent]:
        """Return the intents of an account that are not settled, whichever daemon wrote them, for
        the owner to look up. Raises `EngineUnreachable`."""
        ...

    def check(self, account: str, *, reduces_risk: bool = False) -> None:
        """Raise `NotOwner` unless this daemon owns the account and its own deadline has not
        passed. Asks no engine: the last check before the first byte of a request leaves.

        `reduces_risk`: a cancel or a close, which may leave for a little longer.
        """
        ...

    def subscribe(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change` after every change of `members` and `assignments`, and when the lease
        is lost; return how to end that."""
        ...
