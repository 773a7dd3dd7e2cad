"""The authenticated caller and its permissions: what remains of a token once it is verified."""

from typing import Literal, get_args

from msgspec import Struct

Permission = Literal["account_access", "market_data", "trading", "admin"]

PERMISSIONS: frozenset[Permission] = frozenset(get_args(Permission))
"""`account_access`: read accounts. `market_data`: read quotes. `trading`: send orders.
`admin`: operate the daemon. None of them includes another."""


class Principal(Struct, frozen=True, kw_only=True):
    """The caller of a request."""

    user_id: str
    accounts: frozenset[str] | None
    """Labels that it may see; None: all, also those that are added later."""
    permissions: frozenset[Permission]
    expires_at: float | None = None
    """Epoch seconds, including the leeway; None: never."""
    token_id: str | None = None
    """Names the token without revealing it; None if there is none."""
    generation: int = 0
    """The verifier's keys and rules under which the token was verified; see `Verifier`."""

    def has_permission(self, permission: Permission) -> bool:
        """Whether this is permitted."""
        return permission in self.permissions

    def can_see(self, label: str) -> bool:
        """Whether the account exists for this principal."""
        return self.accounts is None or label in self.accounts


ANONYMOUS = Principal(user_id="anonymous", accounts=frozenset(), permissions=frozenset())
"""The caller of a route that needs no token, in a daemon that needs tokens elsewhere."""

OPEN_READER = Principal(
    user_id="anonymous", accounts=None, permissions=frozenset({"account_access", "market_data"})
)
"""The caller of a read without a token, with `[auth] reads = "open"`."""

LOCAL = Principal(user_id="local", accounts=None, permissions=PERMISSIONS)
"""The caller of a daemon without `[auth]`: it listens on loopback only."""
