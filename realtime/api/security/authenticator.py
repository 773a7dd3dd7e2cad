"""Authentication and permission of a request: its token is verified and compared with the route.

A token arrives in the header `Authorization: Bearer …` or, from our own page, in a cookie that no
script can read. Never in a URL: proxies, logs and browser histories store URLs. If both are sent,
only the header counts: a cookie never replaces an invalid header. The broker's own clients send a
pair of keys: for market data it may be that of an account, or its secret may be our token.
"""

from collections.abc import Callable
from typing import Literal

from aiohttp import web
from aiohttp.web_request import BaseRequest
from msgspec import Struct, structs

from realtime.api.problems import Problem
from realtime.api.security.client_limits import TokenRateLimiter, address_group
from realtime.auth.principal import ANONYMOUS, LOCAL, OPEN_READER, Permission, Principal
from realtime.auth.tokens import TokenRefused
from realtime.auth.verifier import Verifier

Access = Literal["open", "any", "docs", "ops"] | Permission
"""What a route requires: nothing; any token; any token unless `open_ops`; `admin` unless
`open_ops`; a permission. Only routes that show no account may be "docs" or "ops"."""

COOKIE = "realtime_token"

KEY_HEADER, SECRET_HEADER = "APCA-API-KEY-ID", "APCA-API-SECRET-KEY"
"""What the broker's own clients send."""

FindKeyPair = Callable[[str, str], Principal | None]
"""Returns the holder of an account's own key id and secret; None for any other pair."""

KEYS_RETRY_AFTER_S = 2
"""Retry-After while the issuer's keys have not been fetched yet."""

RATE_RETRY_AFTER_S = 1
"""Retry-After of a token over its rate: the limiter refills within a second."""

PRINCIPAL = web.RequestKey("principal", Principal)
"""The authenticated caller of a request."""


class AccessRules(Struct, frozen=True, kw_only=True):
    """The section `[auth]`. Without a verifier, no token is needed."""

    verifier: Verifier | None = None
    open_ops: bool = False
    open_reads: bool = False
    """`[auth] reads = "open"`: whether accounts may be read without a token."""
    requests_per_s: int | None = None
    """Of one token, and of one address without a valid token; None: unlimited."""


class Authenticator:
    """Authenticates requests and checks permissions. `clock` gives epoch seconds; `rate_clock` may
    have any start but never steps: a clock that is set back must not lock clients out."""

    def __init__(
        self,
        rules: AccessRules,
        clock: Callable[[], float],
        rate_clock: Callable[[], float] | None = None,
        find_key_pair: FindKeyPair = lambda key_id, secret_key: None,
    ) -> None:
        self.rules = rules
        self._find_key_pair = find_key_pair
        self.rate_limiter = TokenRateLimiter(rules.requests_per_s, rate_clock or clock)
        self.on_unknown_key: Callable[[], None] = lambda: None
        """Called when a token names a key that the issuer may have added since the last fetch."""
        self._clock = clock

    @property
    def generation(self) -> int:
        """The keys and rules in force; principals of an older generation must be verified again."""
        return 0 if self.rules.verifier is None else self.rules.verifier.generation

    def authenticate(self, request: BaseRequest, access: Access) -> Principal:
        """Return the caller. Raises a problem with status 401, 403, 429 or 503."""
        verifier = self.rules.verifier
        if verifier is None:
            return LOCAL
        if access == "open" or (self.rules.open_ops and access in ("docs", "ops")):
            self.acquire_by_address(request)
            return ANONYMOUS
        if self._is_open_read(request, access):
            self.acquire_by_address(request)
            return structs.replace(OPEN_READER, generation=verifier.generation)
        principal = self._authorize(request, access, verifier)
        self.count_request(principal)
        return principal

    def _is_open_read(self, request: BaseRequest, access: Access) -> bool:
        """Whether a request needs no token: a read without one, where reads are open."""
        open_access = ("account_access", "any", "docs", "market_data")
        is_read = request.method in ("GET", "HEAD") and access in open_access
        has_token = "Authorization" in request.headers or COOKIE in request.cookies
        return self.rules.open_reads and is_read and not has_token

    def acquire_by_address(self, request: BaseRequest) -> None:
        """Count a request without a valid token. Raises the problem `too_many_requests`."""
        group = address_group(request.remote or "")
        if group is not None:
            self._acquire(group, "from this address without a token")

    def _acquire(self, key: str, whose: str) -> None:
        if not self.rate_limiter.try_acquire(key):
            raise Problem(
                "too_many_requests",
                f"more than {self.rules.requests_per_s} requests a second {whose}",
                headers={"Retry-After": str(RATE_RETRY_AFTER_S)},
            )

    def check_again(self, request: BaseRequest, access: Access) -> Principal:
        """Return the caller of an admitted request by the rules of now, after a wait. It is not
        counted again. Raises a problem with status 401, 403 or 503."""
        verifier, principal = self.rules.verifier, request[PRINCIPAL]
        if verifier is None or principal.token_id is None:
            return principal
        return self._authorize(request, access, verifier)

    def count_request(self, principal: Principal) -> None:
        """Count a request of a token. Raises the problem `too_many_requests`."""
        if principal.token_id is not None:
            self._acquire(principal.token_id, "with this token")

    def verify_token(self, token: str) -> Principal:
        """Return the principal of a token. Raises a problem with status 401 or 503."""
        assert self.rules.verifier is not None, "tokens are required"
        return self._verify(token, self.rules.verifier)

    def _authorize(self, request: BaseRequest, access: Access, verifier: Verifier) -> Principal:
        principal = self._authenticate(request, access, verifier)
        request[PRINCIPAL] = principal  # for the log, also if it lacks the permission
        permission = _required_permission(access)
        if permission is not None and not principal.has_permission(permission):
            raise Problem("permission_missing", f"the token lacks the permission `{permission}`")
        return principal

    def _authenticate(self, request: BaseRequest, access: Access, verifier: Verifier) -> Principal:
        is_market_data = access == "market_data"
        try:
            if is_market_data and (principal := self._find_key_principal(request)):
                return principal
            return self._verify(get_token(request, accepts_secret=is_market_data), verifier)
        except Problem:
            # Guessing tokens costs us signatures: an address has a share of that, too.
            self.acquire_by_address(request)
            raise

    def _find_key_principal(self, request: BaseRequest) -> Principal | None:
        """Return the holder of an account's own keys: it could read the same from the broker."""
        names = (KEY_HEADER, SECRET_HEADER, "Authorization")
        key_ids, secrets, others = (request.headers.getall(name, []) for name in names)
        if others or len(key_ids) != 1 or len(secrets) != 1:
            return None
        return self._find_key_pair(key_ids[0], secrets[0])

    def _verify(self, token: str, verifier: Verifier) -> Principal:
        if not verifier.has_keys:
            raise Problem(
                "keys_unavailable",
                "the issuer's keys have not been fetched yet",
                headers={"Retry-After": str(KEYS_RETRY_AFTER_S)},
            )
        try:
            return verifier.get_principal(token, self._clock())
        except TokenRefused as refused:
            if refused.is_unknown_key:
                self.on_unknown_key()
            raise token_problem(refused.code, refused.message) from None


def _required_permission(access: Access) -> Permission | None:
    match access:
        case "open" | "any" | "docs":
            return None
        case "ops":
            return "admin"
        case permission:
            return permission


AUTHENTICATOR = web.AppKey("authenticator", Authenticator)


def get_token(request: BaseRequest, *, accepts_secret: bool = False) -> str:
    """Return the token of a request. Raises the problems `token_missing`, `token_invalid`.

    `accepts_secret`: also as the secret of the pair that the broker's own clients send.
    """
    headers = request.headers.getall("Authorization", [])
    # 1. two headers: which of them a proxy has checked is unknown
    if len(headers) > 1:
        raise token_problem("token_invalid", "the header Authorization is repeated")
    # 2. the header: a program
    if headers:
        scheme, _, token = headers[0].partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise token_problem("token_invalid", "the header Authorization has no Bearer token")
        return token.strip()
    # 3. a client of the broker's API
    if accepts_secret and (secret := request.headers.get(SECRET_HEADER)):
        return secret
    # 4. the cookie: our own page
    cookie = request.cookies.get(COOKIE)
    if cookie:
        return cookie
    # 5. none
    raise token_problem("token_missing", "the request has no token")


def token_problem(code: str, detail: str) -> Problem:
    """Return a problem with status 401 and its challenge (RFC 6750 section 3)."""
    challenge = 'Bearer realm="realtime"'
    if code != "token_missing":
        challenge += ', error="invalid_token"'
    return Problem(code, detail, headers={"WWW-Authenticate": challenge})
