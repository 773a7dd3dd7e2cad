"""Remembers who holds which token, so that a signature is checked once and not at every request."""

from collections import OrderedDict
from collections.abc import Sequence

from realtime.auth.errors import TokenRefused
from realtime.auth.keys import Key
from realtime.auth.principal import Principal
from realtime.auth.tokens import TokenRules, believe

REMEMBERED = 4096
"""Tokens whose holder is remembered: 20 MB at the most. Refused ones never are."""


class Verifier:
    """The keys of now, and the tokens that they have signed."""

    def __init__(self, rules: TokenRules, keys: Sequence[Key] = ()) -> None:
        self._rules = rules
        self._keys = tuple(keys)
        self._known: OrderedDict[str, Principal] = OrderedDict()

    @property
    def has_keys(self) -> bool:
        """Whether any token can be believed at all."""
        return bool(self._keys)

    def principal(self, token: str, now: float) -> Principal:
        """Who holds this token. Raises TokenRefused."""
        known = self._known.get(token)
        if known is not None:
            if known.until is not None and now >= known.until:
                del self._known[token]
                raise TokenRefused("token_expired", "the token has expired")
            return known
        principal = believe(token, self._keys, self._rules, now)
        while len(self._known) >= REMEMBERED:
            self._known.popitem(last=False)
        self._known[token] = principal
        return principal

    def take(self, rules: TokenRules, keys: Sequence[Key]) -> bool:
        """Use other keys and rules from now on; whether they are others at all."""
        if (rules, tuple(keys)) == (self._rules, self._keys):
            return False
        self._rules, self._keys = rules, tuple(keys)
        self._known.clear()
        return True
