"""The keys of a fleet in etcd, and their values as JSON.

    /rt/<fleet>/state/format           the number of this layout
    /rt/<fleet>/state/generation       raised by a person after etcd was restored from a backup
    /rt/<fleet>/state/member/<name>    a daemon; removed with its lease
    /rt/<fleet>/state/assignment/<account>  owner, the owner's lease, epoch; the account's halt
    /rt/<fleet>/state/halt/all         the kill switch of every account
    /rt/<fleet>/intent/<account>/<client_order_id>  an order: open, or what became of it

Everything but the intents is below `state/`, so that one watch follows it.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct

from realtime.cluster.coordinator import Assignment, Intent, IntentOutcome, Latch, Member

FORMAT = 1

GENERATION_BITS = 32
"""An epoch is the generation, shifted by this, and a counter: a later generation is always higher,
and the number stays below 2**53 for two million generations."""


class Keys:
    """The names of a fleet's keys."""

    def __init__(self, fleet: str) -> None:
        self.state = f"/rt/{fleet}/state/"
        self.format = f"{self.state}format"
        self.generation = f"{self.state}generation"
        self.halt = f"{self.state}halt/all"
        self.members = f"{self.state}member/"
        self.assignments = f"{self.state}assignment/"
        self.all_intents = f"/rt/{fleet}/intent/"

    def member(self, name: str) -> str:
        """The key of a daemon."""
        return self.members + name

    def assignment(self, account: str) -> str:
        """The key of an account's owner."""
        return self.assignments + account

    def intents(self, account: str) -> str:
        """The prefix of an account's orders; a label contains no slash."""
        return f"{self.all_intents}{account}/"

    def intent(self, account: str, client_order_id: str) -> str:
        """The key of an order."""
        return self.intents(account) + client_order_id


class AssignmentValue(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The value of an assignment's key."""

    owner: str | None
    lease: int = 0
    """The owner's: an owner with another lease is another run of it."""
    epoch: int
    since: str = ""
    reason: str = ""
    halt: Latch | None = None
    closing: str | None = None
    """The principal that has the account closed, while it is: a later owner continues."""

    def to_assignment(self, account: str) -> Assignment:
        """Return it as the interface has it."""
        return Assignment(
            account=account,
            owner=self.owner,
            epoch=self.epoch,
            since=self.since,
            reason=self.reason,
            halt=self.halt,
        )


class IntentValue(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The value of an intent's key."""

    intent: Intent
    marker: str
    """Of the one attempt to record it: what carries it was written by that attempt."""
    epoch: int
    at: str = ""
    outcome: IntentOutcome | None = None
    """None: open, it may have been sent."""


V = TypeVar("V", bound=Struct)

encode = msgspec.json.Encoder().encode

_DECODERS: dict[type, msgspec.json.Decoder[object]] = {
    kind: msgspec.json.Decoder(kind) for kind in (AssignmentValue, IntentValue, Member, Latch)
}


def decode(value: bytes, kind: type[V]) -> V | None:
    """Return a value; None if it is none of this kind: another program wrote it, or a newer one."""
    try:
        decoded = _DECODERS[kind].decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return decoded if isinstance(decoded, kind) else None


def next_epoch(before: int, generation: int) -> int:
    """Return an epoch above the one before, and above all of earlier generations."""
    return max(before, generation << GENERATION_BITS) + 1
