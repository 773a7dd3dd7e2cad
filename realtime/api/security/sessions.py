"""Browser sessions: a token becomes a cookie that no script can read.

The cookie holds the token itself, so it expires with the token and the daemon stores nothing.
It is `HttpOnly` (no script reads it) and `SameSite=Strict` (no other site's page sends it).

A person at a terminal need not paste a token: a client that has one can request a sign-in link,
which works once, within a minute. The token is never part of a URL; the link's code is, and it is
worthless afterwards.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec
from aiohttp import web
from msgspec import Struct

from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse, make_response
from realtime.api.security.authenticator import COOKIE, PRINCIPAL, Access, Authenticator, get_token
from realtime.auth.principal import Permission, Principal

LINK_LIFETIME_S = 60.0

MAX_LINKS = 1000
"""Unused links; the oldest is removed first."""

MAX_LINKS_PER_TOKEN = 10
"""Of those, links of one token: it cannot remove the links of others."""

PATH = "/session"
LINKS = "/session/links"
LINK = "/session/{code}"

_encode = msgspec.json.Encoder().encode
_HEADERS = {"Content-Type": JSON, "Cache-Control": "no-store"}


class SessionDocument(Struct, frozen=True, kw_only=True):
    """The caller and its permissions."""

    user_id: str
    accounts: list[str] | None
    """None: all."""
    permissions: list[Permission]
    expires_at: float | None
    """Epoch seconds."""


class SignInLinkDocument(Struct, frozen=True):
    """A path that signs a browser in, once."""

    path: str
    valid_s: float


class SignInLinks:
    """Code of a link → token. `clock` gives epoch seconds."""

    def __init__(self, clock: Callable[[], float], make_code: Callable[[], str]) -> None:
        self._clock = clock
        self._make_code = make_code
        self._links: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def add(self, token: str) -> str:
        """Return a new code for a token."""
        own = [code for code, (other, _) in self._links.items() if other == token]
        if len(own) >= MAX_LINKS_PER_TOKEN:
            del self._links[own[0]]
        code = self._make_code()
        self._links[code] = (token, self._clock() + LINK_LIFETIME_S)
        if len(self._links) > MAX_LINKS:
            self._links.popitem(last=False)
        return code

    def pop(self, code: str) -> str | None:
        """Return the token of a code, once; None if the code was used before, or is too old."""
        token, expires_at = self._links.pop(code, (None, 0.0))
        return token if self._clock() < expires_at else None


class Sessions:
    """The routes of sessions. They exist if tokens are required."""

    def __init__(
        self, authenticator: Authenticator, clock: Callable[[], float], make_code: Callable[[], str]
    ) -> None:
        self._authenticator = authenticator
        self._clock = clock
        self._links = SignInLinks(clock, make_code)

    def add(self, app: web.Application, prefixes: Iterable[str]) -> None:
        """Add the routes to an application."""
        for prefix in prefixes:
            app.router.add_get(prefix + PATH, self.show)
            app.router.add_post(prefix + PATH, self.begin)
            app.router.add_delete(prefix + PATH, self.end)
            app.router.add_post(prefix + LINKS, self.make_link)
            app.router.add_get(prefix + LINK, self.follow_link, allow_head=False)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Return the caller and its permissions."""
        return _describe_session(self._authenticator.authenticate(request, "any"))

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """Set a cookie with the token of the request."""
        principal = self._authenticator.authenticate(request, "any")
        answer = _describe_session(principal)
        self._set_cookie(answer, request, get_token(request), principal)
        return answer

    async def end(self, request: web.Request) -> web.StreamResponse:
        """Delete the cookie."""
        answer = make_response(ApiResponse(status=204, headers={"Cache-Control": "no-store"}))
        answer.headers["Set-Cookie"] = _cookie("", 0, request)
        return answer

    async def make_link(self, request: web.Request) -> web.StreamResponse:
        """Return a link that signs a browser in with the token of the request."""
        principal = request[PRINCIPAL]
        if principal.accounts == frozenset():
            raise Problem("no_account", "a link of this token would show nothing")
        code = self._links.add(get_token(request))
        document = SignInLinkDocument(LINK.replace("{code}", code), LINK_LIFETIME_S)
        return make_response(ApiResponse(body=_encode(document), headers=_HEADERS))

    async def follow_link(self, request: web.Request) -> web.StreamResponse:
        """Sign a browser in, and redirect it to the page."""
        if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            # Another page could sign the browser in under a token of its own.
            raise Problem("cross_origin", "another page links here", remedy="open the link itself")
        token = self._links.pop(request.match_info["code"])
        if token is None:
            raise Problem("link_used", "the link was used before, or is older than a minute")
        answer = make_response(
            ApiResponse(status=303, headers={"Location": "/", "Cache-Control": "no-store"})
        )
        self._set_cookie(answer, request, token, self._authenticator.verify_token(token))
        return answer

    def _set_cookie(
        self, answer: web.Response, request: web.Request, token: str, principal: Principal
    ) -> None:
        assert principal.expires_at is not None, "every token expires"
        max_age_s = int(principal.expires_at - self._clock())
        answer.headers["Set-Cookie"] = _cookie(token, max_age_s, request)


def session_access(prefixes: Iterable[str]) -> dict[str, Access]:
    """Path as the router names it → what it requires. `begin` authenticates its caller itself."""
    table: dict[str, Access] = {PATH: "open", LINKS: "any", LINK: "open"}
    return {prefix + path: access for prefix in prefixes for path, access in table.items()}


def _describe_session(principal: Principal) -> web.Response:
    document = SessionDocument(
        user_id=principal.user_id,
        accounts=None if principal.accounts is None else sorted(principal.accounts),
        permissions=sorted(principal.permissions),
        expires_at=principal.expires_at,
    )
    return make_response(ApiResponse(body=_encode(document), headers=_HEADERS))


def _cookie(token: str, max_age_s: int, request: web.Request) -> str:
    """`Secure` if a proxy reports TLS; a client that sends the header itself only restricts its own
    cookie."""
    is_tls = request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    return f"{COOKIE}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict" + (
        "; Secure" if is_tls else ""
    )
