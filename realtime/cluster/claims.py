"""What a member should do about ownership now: which accounts to claim and which to hand over.

Pure: from members and assignments as last reported to steps. What is out of date in them does no
harm, since the engine decides each claim.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from realtime.cluster.coordinator import Assignment, Member
from realtime.cluster.rendezvous import rank_members

JOIN_WAIT_S = 1.0
"""A member claims what it did not own before only after this, so that daemons that start together
share the accounts from the beginning."""

RANK_WAIT_S = 2.0
"""How long each further name waits for the one before it: one that does not know the account never
claims it."""

QUIET_S = 60.0
"""Accounts are moved to the members they belong to after this long without a change of members."""

MOVES_AT_ONCE = 20
"""Accounts that are handed over at the same time."""


class Ownerless(Struct, frozen=True):
    """An account without an owner that is a member, and since when, loop time."""

    account: str
    since: float
    former: str | None
    """Its last owner."""


class Situation(Struct, frozen=True, kw_only=True):
    """What one member knows."""

    name: str
    members: Mapping[str, Member]
    assignments: Mapping[str, Assignment]
    owners: Mapping[str, str]
    """Account → its owner, where the lease of the assignment holds: a member that was started again
    has another."""
    accounts: Sequence[str]
    """Those in its own configuration, enabled."""
    joined_at: float
    """Loop time."""
    members_since: float
    """When the members changed last, loop time."""
    now: float


def find_ownerless(situation: Situation, before: Mapping[str, Ownerless]) -> dict[str, Ownerless]:
    """Return the accounts that no member owns; `before` has since when."""
    ownerless = {}
    for account in situation.accounts:
        if account not in situation.owners:
            assignment = situation.assignments.get(account)
            former = None if assignment is None else assignment.owner
            known = before.get(account)
            ownerless[account] = known or Ownerless(account, situation.now, former)
    return ownerless


def choose_claims(situation: Situation, ownerless: Mapping[str, Ownerless]) -> list[str]:
    """Return the accounts that this member should claim now."""
    me = situation.members.get(situation.name)
    if me is None or me.is_draining or situation.now - situation.joined_at < JOIN_WAIT_S:
        return []
    candidates = get_takers(situation.members)
    claims = []
    for account, state in ownerless.items():
        rank = rank_members(account, candidates).index(situation.name)
        if situation.now - max(state.since, situation.joined_at) >= rank * RANK_WAIT_S:
            claims.append(account)
    return claims


def choose_taker(account: str, name: str, members: Mapping[str, Member]) -> str | None:
    """Return the member that an account of this one should be handed over to; None if there is
    none that knows the same accounts."""
    me = members.get(name)
    takers = [
        other
        for other in get_takers(members)
        if other != name and me is not None and members[other].accounts == me.accounts
    ]
    return rank_members(account, takers)[0] if takers else None


def choose_moves(situation: Situation, owned: Sequence[str]) -> dict[str, str]:
    """Return owned accounts that belong to another member → that member; some at a time."""
    if situation.now - situation.members_since < QUIET_S:
        return {}
    me = situation.members.get(situation.name)
    if me is None or me.is_draining:
        return {}
    same = [
        name
        for name in get_takers(situation.members)
        if situation.members[name].accounts == me.accounts
    ]
    moves = {}
    for account in owned:
        first = rank_members(account, same)[0]
        if first != situation.name:
            moves[account] = first
        if len(moves) >= MOVES_AT_ONCE:
            break
    return moves


def find_deputy(account: str, owner: str, members: Mapping[str, Member]) -> str | None:
    """Return the member that reads an account while its owner is suspected."""
    others = [name for name in get_takers(members) if name != owner]
    return rank_members(account, others)[0] if others else None


def get_takers(members: Mapping[str, Member]) -> list[str]:
    """Return the members that may get accounts."""
    return [name for name, member in members.items() if not member.is_draining]
