"""How a browser gets in: a token, shown once, becomes a cookie that no script can read.

The cookie holds the token itself, so that it ends when the token does and needs no memory of ours.
It is `HttpOnly` (no script reads it) and `SameSite=Strict` (no other site's page sends it).

A person at a terminal need not paste a token: whoever has one may have a link made of it that works
once, within a minute. The token never stands in an address; what does is worth nothing afterwards.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec
from aiohttp import web
from msgspec import Struct

from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse, make_response
from realtime.api.security.authenticator import COOKIE, Access, Authenticator, token_of
from realtime.auth.principal import Permission, Principal

LINK_S = 60.0
"""How long a link may be followed."""

MAX_LINKS = 1000
"""Links that wait to be followed; the oldest leaves first."""

PATH = "/session"
LINKS = "/session/links"
LINK = "/session/{code}"

_encode = msgspec.json.Encoder().encode
_HEADERS = {"Content-Type": JSON, "Cache-Control": "no-store"}


class SessionDocument(Struct, frozen=True, kw_only=True):
    """Who asks, and what that one may."""

    user_id: str
    accounts: list[str] | None
    """None: all."""
    permissions: list[Permission]
    until: float | None
    """Epoch seconds."""


class SignInLinkDocument(Struct, frozen=True):
    """A path that lets a browser in, once."""

    path: str
    valid_s: float


class SignInLinks:
    """code → the token that it stands for. `clock` gives epoch seconds."""

    def __init__(self, clock: Callable[[], float], make_code: Callable[[], str]) -> None:
        self._clock = clock
        self._make_code = make_code
        self._links: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def make(self, token: str) -> str:
        """A code for a token."""
        code = self._make_code()
        self._links[code] = (token, self._clock() + LINK_S)
        if len(self._links) > MAX_LINKS:
            self._links.popitem(last=False)
        return code

    def follow(self, code: str) -> str | None:
        """The token of a code, this once; None if it was followed before, or is too old."""
        token, ends_at = self._links.pop(code, (None, 0.0))
        return token if self._clock() < ends_at else None


class Sessions:
    """The routes. They are there where tokens are wanted."""

    def __init__(
        self, authenticator: Authenticator, clock: Callable[[], float], make_code: Callable[[], str]
    ) -> None:
        self._authenticator = authenticator
        self._clock = clock
        self._links = SignInLinks(clock, make_code)

    def add(self, app: web.Application, prefixes: Iterable[str]) -> None:
        """Add them to an application."""
        for prefix in prefixes:
            app.router.add_get(prefix + PATH, self.show)
            app.router.add_post(prefix + PATH, self.begin)
            app.router.add_delete(prefix + PATH, self.end)
            app.router.add_post(prefix + LINKS, self.make_link)
            app.router.add_get(prefix + LINK, self.follow_link, allow_head=False)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Who asks."""
        return _told(self._authenticator.admit(request, "any"))

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """The token of the request as a cookie."""
        principal = self._authenticator.admit(request, "any")
        answer = _told(principal)
        self._give(answer, request, token_of(request), principal)
        return answer

    async def end(self, request: web.Request) -> web.StreamResponse:
        """Take the cookie back."""
        answer = make_response(ApiResponse(status=204, headers={"Cache-Control": "no-store"}))
        answer.headers["Set-Cookie"] = _cookie("", 0, request)
        return answer

    async def make_link(self, request: web.Request) -> web.StreamResponse:
        """A link that lets a browser in with the token of the request."""
        code = self._links.make(token_of(request))
        document = SignInLinkDocument(LINK.replace("{code}", code), LINK_S)
        return make_response(ApiResponse(body=_encode(document), headers=_HEADERS))

    async def follow_link(self, request: web.Request) -> web.StreamResponse:
        """Let a browser in, and send it to the page."""
        if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            # Another page could make a browser ours under its own token.
            raise Problem("cross_origin", "another page leads here", remedy="open the link itself")
        token = self._links.follow(request.match_info["code"])
        if token is None:
            raise Problem("link_used", "the link was followed before, or is older than a minute")
        answer = make_response(
            ApiResponse(status=303, headers={"Location": "/", "Cache-Control": "no-store"})
        )
        self._give(answer, request, token, self._authenticator.believe(token))
        return answer

    def _give(
        self, answer: web.Response, request: web.Request, token: str, principal: Principal
    ) -> None:
        assert principal.until is not None, "every token ends"
        left_s = int(principal.until - self._clock())
        answer.headers["Set-Cookie"] = _cookie(token, left_s, request)


def session_access(prefixes: Iterable[str]) -> dict[str, Access]:
    """Path as the router names it → what it wants. Whoever begins a session is asked there."""
    wants: dict[str, Access] = {PATH: "open", LINKS: "any", LINK: "open"}
    return {prefix + path: access for prefix in prefixes for path, access in wants.items()}


def _told(principal: Principal) -> web.Response:
    document = SessionDocument(
        user_id=principal.user_id,
        accounts=None if principal.accounts is None else sorted(principal.accounts),
        permissions=sorted(principal.permissions),
        until=principal.until,
    )
    return make_response(ApiResponse(body=_encode(document), headers=_HEADERS))


def _cookie(token: str, left_s: int, request: web.Request) -> str:
    """`Secure` where the reader says that it came by TLS: it could only make its own stricter."""
    is_tls = request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    return f"{COOKIE}={token}; Path=/; Max-Age={left_s}; HttpOnly; SameSite=Strict" + (
        "; Secure" if is_tls else ""
    )
