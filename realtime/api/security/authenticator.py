"""Who may ask what: the token of a request believed, its permission compared with the route's.

A token comes in the header `Authorization: Bearer …` or, from our own page, in a cookie that no
script can read. Never in an address: addresses are written down by proxies, logs and histories.
Where both are sent the header counts alone: a cookie never mends a header that is not good.
"""

from collections.abc import Callable
from typing import Literal

from aiohttp import web
from aiohttp.web_request import BaseRequest
from msgspec import Struct

from realtime.api.problems import Problem
from realtime.api.security.client_limits import TokenRateLimiter
from realtime.auth.errors import TokenRefused
from realtime.auth.principal import ANYBODY, NOBODY, Permission, Principal
from realtime.auth.verifier import Verifier
from realtime.telemetry.log import get_logger

log = get_logger()

Access = Literal["open", "any", "docs", "ops"] | Permission
"""What a route wants: nothing; any token; the same, or `open_ops`; `admin`, or `open_ops`; a
permission. With `open_ops` only what shows no account may be "docs" or "ops"."""

COOKIE = "realtime_token"

KEYS_SOON_S = 2
"""Retry-After while the issuer's keys have not been fetched yet."""

AGAIN_S = 1
"""Retry-After of a token that asked too often: the meter refills within a second."""

PRINCIPAL = web.RequestKey("principal", Principal)
"""Where a request's principal stands once it has been let in."""


class AccessRules(Struct, frozen=True, kw_only=True):
    """What the configuration says. Without a verifier, everybody may do everything."""

    verifier: Verifier | None = None
    open_ops: bool = False
    requests_per_s: int | None = None
    """Of one token; None: any number."""


class Authenticator:
    """Lets requests in. `clock` gives epoch seconds."""

    def __init__(self, rules: AccessRules, clock: Callable[[], float]) -> None:
        self.rules = rules
        self.meter = TokenRateLimiter(rules.requests_per_s, clock)
        self.on_unknown_key: Callable[[], None] = lambda: None
        """Called when a token names a key that the issuer may have made since we last asked."""
        self._clock = clock

    def admit(self, request: BaseRequest, access: Access) -> Principal:
        """Who asks. Raises a problem of status 401, 403, 429 or 503."""
        verifier = self.rules.verifier
        if verifier is None:
            return ANYBODY
        if access == "open":
            return NOBODY
        if self.rules.open_ops and access in ("docs", "ops"):
            return NOBODY
        principal = self._believed(request, verifier)
        if principal.holder is not None and not self.meter.allows(principal.holder):
            raise Problem(
                "too_many_requests",
                f"more than {self.rules.requests_per_s} requests a second with this token",
                headers={"Retry-After": str(AGAIN_S)},
            )
        wanted = _permission(access)
        if wanted is not None and not principal.may(wanted):
            raise Problem("permission_missing", f"the token lacks the permission `{wanted}`")
        return principal

    def believe(self, token: str) -> Principal:
        """Who holds a token. Raises a problem of status 401 or 503."""
        assert self.rules.verifier is not None, "somebody wants tokens"
        return self._checked(token, self.rules.verifier)

    def _believed(self, request: BaseRequest, verifier: Verifier) -> Principal:
        try:
            return self._checked(token_of(request), verifier)
        except Problem as problem:
            log.debug("auth.refused", reason=problem.code, client=request.remote)
            raise

    def _checked(self, token: str, verifier: Verifier) -> Principal:
        if not verifier.has_keys:
            raise Problem(
                "keys_unavailable",
                "the issuer's keys have not been fetched yet",
                headers={"Retry-After": str(KEYS_SOON_S)},
            )
        try:
            return verifier.principal(token, self._clock())
        except TokenRefused as refused:
            if refused.is_unknown_key:
                self.on_unknown_key()
            raise refused_problem(refused.code, refused.message) from None


def _permission(access: Access) -> Permission | None:
    match access:
        case "open" | "any" | "docs":
            return None
        case "ops":
            return "admin"
        case permission:
            return permission


AUTHENTICATOR = web.AppKey("doorkeeper", Authenticator)
"""Where an application keeps who lets requests in."""


def token_of(request: BaseRequest) -> str:
    """The token that a request carries. Raises the problems `token_missing`, `token_invalid`."""
    given = request.headers.getall("Authorization", [])
    if len(given) > 1:
        raise refused_problem("token_invalid", "the header Authorization stands twice")
    if given:
        scheme, _, token = given[0].partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise refused_problem("token_invalid", "the header Authorization holds no Bearer token")
        return token.strip()
    cookie = request.cookies.get(COOKIE)
    if cookie:
        return cookie
    raise refused_problem("token_missing", "no token was sent")


def refused_problem(code: str, detail: str) -> Problem:
    """A problem of status 401, with the challenge that belongs to it (RFC 6750 section 3)."""
    challenge = 'Bearer realm="realtime"'
    if code != "token_missing":
        challenge += ', error="invalid_token"'
    return Problem(code, detail, headers={"WWW-Authenticate": challenge})
