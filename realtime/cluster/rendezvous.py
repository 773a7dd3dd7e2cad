"""Which daemon an account belongs to: computed by every member alike, without a request.

Rendezvous hashing: each member has a weight for each account, and the highest wins. If a member
comes or goes, only the accounts that it gets or had move. The second name is the deputy: it reads
the account by REST while its owner is suspected, and is the next owner if it ends.
"""

from collections.abc import Iterable
from hashlib import blake2b


def rank_members(account: str, members: Iterable[str]) -> list[str]:
    """Return the members in the order in which they should own an account."""
    return sorted(members, key=lambda member: (_weigh(account, member), member), reverse=True)


def _weigh(account: str, member: str) -> bytes:
    # No label contains a tab.
    return blake2b(f"{account}\t{member}".encode(), digest_size=8).digest()
