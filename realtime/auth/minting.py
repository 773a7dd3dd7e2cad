"""Development tokens: what an issuer would do, with the shared secret of the configuration."""

from collections.abc import Sequence

import jwt

from realtime.auth.keys import Key
from realtime.auth.principal import Permission
from realtime.auth.tokens import ALL_ACCOUNTS, TokenRules


def mint(
    keys: Sequence[Key],
    rules: TokenRules,
    *,
    user_id: str,
    accounts: Sequence[str],
    permissions: Sequence[Permission],
    now: float,
    valid_s: float,
) -> str:
    """A token signed by the first shared secret; `accounts` may be `["*"]`."""
    secret = next(key for key in keys if key.algorithm == "HS256")
    assert isinstance(secret.material, bytes), "a shared secret is bytes"
    claims: dict[str, object] = {
        "user_id": user_id,
        "account_id": ALL_ACCOUNTS if ALL_ACCOUNTS in accounts else list(accounts),
        "permissions": list(permissions),
        "iat": int(now),
        "exp": int(now + valid_s),
    }
    if rules.audience is not None:
        claims["aud"] = rules.audience
    if rules.issuer is not None:
        claims["iss"] = rules.issuer
    return jwt.encode(claims, secret.material, algorithm="HS256")
