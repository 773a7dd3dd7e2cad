"""Verified tokens, so that a signature is checked once and not at every request."""

from collections import OrderedDict
from collections.abc import Sequence

from msgspec import structs

from realtime.auth.keys import Key
from realtime.auth.principal import Principal
from realtime.auth.tokens import TokenRefused, TokenRules, verify_token

MAX_CACHED_TOKENS = 4096
"""Tokens whose principal is cached: at most 20 MB. Refused ones are not cached."""


class Verifier:
    """The current keys and rules, and the tokens that were verified with them.

    `generation` rises with every change of keys or rules and is part of each principal: whatever
    was permitted under an older generation must be checked again before it is used.
    """

    def __init__(self, rules: TokenRules, keys: Sequence[Key] = ()) -> None:
        self.generation = 0
        self.keys = tuple(keys)
        self._rules = rules
        self._principals: OrderedDict[str, Principal] = OrderedDict()

    @property
    def has_keys(self) -> bool:
        """Whether any token can be verified at all."""
        return bool(self.keys)

    def get_principal(self, token: str, now: float) -> Principal:
        """Return the principal of a token at `now`, epoch seconds. Raises TokenRefused."""
        principal = self._principals.get(token)
        if principal is not None:
            if principal.expires_at is not None and now >= principal.expires_at:
                del self._principals[token]
                raise TokenRefused("token_expired", "the token has expired")
            return principal
        principal = structs.replace(
            verify_token(token, self.keys, self._rules, now), generation=self.generation
        )
        while len(self._principals) >= MAX_CACHED_TOKENS:
            self._principals.popitem(last=False)
        self._principals[token] = principal
        return principal

    def update(self, rules: TokenRules, keys: Sequence[Key]) -> bool:
        """Use these rules and keys from now on; whether they differ from the current ones."""
        if (rules, tuple(keys)) == (self._rules, self.keys):
            return False
        self._rules, self.keys = rules, tuple(keys)
        self._principals.clear()
        self.generation += 1
        return True
