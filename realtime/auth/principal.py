"""Who asks, and what that one may do: what is left of a token once it has been believed."""

from typing import Literal, get_args

from msgspec import Struct

Permission = Literal["account_access", "market_data", "trading", "admin"]

PERMISSIONS: frozenset[Permission] = frozenset(get_args(Permission))
"""`account_access`: to read accounts. `market_data`: to read quotes. `trading`: to send orders.
`admin`: to operate the daemon. None of them includes another."""


class Principal(Struct, frozen=True, kw_only=True):
    """Whoever holds a token, or whoever asks where none is needed."""

    user_id: str
    accounts: frozenset[str] | None
    """Labels that this one may know of; None: all, also those that are added later."""
    permissions: frozenset[Permission]
    until: float | None = None
    """When this ends, epoch seconds, the leeway included; None: never."""
    holder: str | None = None
    """Names the token without giving it away; None where there is none."""

    def may(self, permission: Permission) -> bool:
        """Whether this is permitted."""
        return permission in self.permissions

    def sees(self, label: str) -> bool:
        """Whether the account exists for this one."""
        return self.accounts is None or label in self.accounts


NOBODY = Principal(user_id="nobody", accounts=frozenset(), permissions=frozenset())
"""Who asks, without a token, for what wants none of a daemon that wants tokens elsewhere."""

ANYBODY = Principal(user_id="anybody", accounts=None, permissions=PERMISSIONS)
"""Who asks a daemon that wants no tokens: it listens on loopback only."""
