"""Every error a reader can be answered: RFC 9457 with `code` and `remedy`, one shape for all."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec
from msgspec import Struct

from realtime.api.responses import ApiResponse

CONTENT_TYPE = "application/problem+json"
SHOWN = 120
"""Letters of a reader's own words that are repeated to them."""

_encode = msgspec.json.Encoder().encode


class ProblemType(Struct, frozen=True):
    """What all problems of one code share. `remedy` is used where there is no better one."""

    status: int
    title: str
    remedy: str


KINDS: Mapping[str, ProblemType] = {
    "bad_parameter": ProblemType(400, "A query parameter is wrong", "see the route's parameters"),
    "malformed_request": ProblemType(
        400, "This is not HTTP as we understand it", "check the client"
    ),
    "token_missing": ProblemType(
        401, "A token is needed here", "send `Authorization: Bearer …`; ask your issuer for one"
    ),
    "token_invalid": ProblemType(401, "The token is not believed", "ask your issuer for another"),
    "token_expired": ProblemType(401, "The token has expired", "ask your issuer for a new one"),
    "permission_missing": ProblemType(
        403, "The token does not permit this", "ask your issuer for the permission"
    ),
    "cross_origin": ProblemType(
        403,
        "A page of another origin may not do this",
        "add the origin to server.cors_origins if the page is yours",
    ),
    "cors_refused": ProblemType(
        403, "This origin may not read from here", "add the origin to server.cors_origins"
    ),
    "unknown_account": ProblemType(
        404, "There is no account of this label", "GET /realtime/accounts lists the labels"
    ),
    "unknown_route": ProblemType(404, "There is no such route", "GET / lists the routes"),
    "method_not_allowed": ProblemType(
        405, "This route does not know the method", "see the Allow header"
    ),
    "config_refused": ProblemType(
        409, "The files say nothing that could hold; nothing has changed", "correct them"
    ),
    "link_used": ProblemType(
        410, "The link lets nobody in any more", "realtime token --link makes a new one"
    ),
    "body_too_slow": ProblemType(408, "The body did not arrive", "send it at once"),
    "body_too_large": ProblemType(413, "The body is too large", "send less"),
    "uri_too_long": ProblemType(
        414, "The request line is too long", "ask for fewer things at once"
    ),
    "expectation_failed": ProblemType(
        417, "The Expect header cannot be met", "leave it out or send 100-continue"
    ),
    "wrong_host": ProblemType(
        421, "This daemon goes by another name", "add the name to server.hosts if it is yours"
    ),
    "too_many_requests": ProblemType(429, "Too many requests", "ask again after Retry-After"),
    "headers_too_large": ProblemType(431, "The header fields are too large", "send less"),
    "failed": ProblemType(500, "The daemon made a mistake", "look for server.failed in its log"),
    "no_history": ProblemType(404, "Nothing is recorded of that time", "ask for a later time"),
    "history_off": ProblemType(
        404, "History is not recorded here", "set [history] enabled = true in accounts.toml"
    ),
    "history_failed": ProblemType(
        500, "The history files could not be read", "look for history.query_failed in the log"
    ),
    "history_busy": ProblemType(503, "Too many queries of the past", "ask again after Retry-After"),
    "history_timeout": ProblemType(503, "The query took too long", "ask for a shorter time"),
    "keys_unavailable": ProblemType(
        503, "No token can be verified yet", "look for auth.keys_unavailable in the log"
    ),
    "starting": ProblemType(503, "Accounts are still being read", "ask again after Retry-After"),
    "account_unreachable": ProblemType(
        503, "The account could not be read yet", "the daemon tries again by itself"
    ),
    "account_refused": ProblemType(
        503, "The broker refused the account's credentials", "correct its keys, then SIGHUP"
    ),
    "account_disabled": ProblemType(
        503, "The account is disabled", "set enabled = true in accounts.toml, then SIGHUP"
    ),
    "too_many_subscribers": ProblemType(
        503, "Too many readers are listening", "ask again after Retry-After, or poll"
    ),
    "degraded": ProblemType(
        503, "Some accounts are not live", "GET /realtime/status?state=waiting,refused shows them"
    ),
}


class Problem(Exception):
    """An answer that is an error. Handlers raise it; the server's edge turns it into bytes."""

    kinds: ClassVar[Mapping[str, ProblemType]] = KINDS

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        remedy: str | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.headers = headers or {}
        self.members = members or {}
        """Further members of the document, as RFC 9457 section 3.2 allows."""

    def answer(self, path: str | None = None) -> ApiResponse:
        """The problem document; `path` is what was asked, where that is known."""
        kind = self.kinds[self.code]
        document: dict[str, object] = {
            "type": f"urn:realtime:problem:{self.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "code": self.code,
            "remedy": self.remedy or kind.remedy,
        }
        if path is not None:
            document["instance"] = shown(path)
        document.update(self.members)
        return ApiResponse(
            status=kind.status,
            body=_encode(document),
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", **self.headers},
        )


def shown(text: str) -> str:
    """A reader's own words, fit to be repeated: short, and encodable whatever they sent."""
    if len(text) > SHOWN:
        text = text[:SHOWN] + "…"
    return text.encode("utf-8", "replace").decode()


OF_STATUS: Mapping[int, str] = {
    403: "cors_refused",
    413: "body_too_large",
    414: "uri_too_long",
    417: "expectation_failed",
    431: "headers_too_large",
}
"""HTTP status → the code of the HTTP library's own errors."""


def of_status(status: int, detail: str) -> Problem:
    """The HTTP library's own error as ours; what we have no word for is the nearest we have."""
    code = OF_STATUS.get(status, "failed" if status >= 500 else "malformed_request")
    return Problem(code, shown(detail))
