"""Every error response: RFC 9457 with the members `code` and `remedy`."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec
from msgspec import Struct

from realtime.api.responses import ApiResponse

CONTENT_TYPE = "application/problem+json"
SHOWN = 120
"""Characters of a client's own text that an error repeats."""

_encode = msgspec.json.Encoder().encode


class ProblemType(Struct, frozen=True):
    """What all problems of one code have in common. `remedy` is the default."""

    status: int
    title: str
    remedy: str


PROBLEM_TYPES: Mapping[str, ProblemType] = {
    "bad_parameter": ProblemType(
        400, "Invalid query parameter", "see the parameters of the route in GET /openapi.json"
    ),
    "malformed_request": ProblemType(400, "Malformed HTTP request", "check the client"),
    "token_missing": ProblemType(
        401, "A token is required", "send `Authorization: Bearer …`; get one from your issuer"
    ),
    "token_invalid": ProblemType(401, "Invalid token", "get another one from your issuer"),
    "token_expired": ProblemType(401, "The token has expired", "get a new one from your issuer"),
    "permission_missing": ProblemType(
        403, "The token lacks a permission", "ask your issuer for the permission"
    ),
    "no_account": ProblemType(
        403, "The token gives access to no account", "ask your issuer for a token with accounts"
    ),
    "cross_origin": ProblemType(
        403,
        "Request from a page of another origin",
        "add the origin to server.cors_origins if the page is yours",
    ),
    "cors_refused": ProblemType(
        403, "Origin not allowed", "add the origin to server.cors_origins if the page is yours"
    ),
    "unknown_account": ProblemType(
        404, "Unknown account label", "GET /realtime/accounts lists the labels"
    ),
    "unknown_route": ProblemType(404, "Unknown route", "GET / lists the routes"),
    "upgrade_required": ProblemType(
        426, "Websocket required", "connect with a websocket client; docs/market.md shows how"
    ),
    "method_not_allowed": ProblemType(
        405, "Method not allowed on this route", "use a method of the Allow header"
    ),
    "notify_off": ProblemType(
        404, "No webhooks and no notifications", "add [[webhooks]] or [[notify]]: docs/notify.md"
    ),
    "unknown_alert": ProblemType(404, "Unknown alert, or it has ended", "GET /alerts lists them"),
    "unknown_webhook": ProblemType(404, "Unknown webhook", "GET /admin/notify lists them"),
    "engine_reachable": ProblemType(
        409, "The engine answers", "it decides which daemon owns which account; nothing to do"
    ),
    "engine_unreachable": ProblemType(
        503, "The engine that decides ownership does not answer", "see `realtime cluster status`"
    ),
    "config_refused": ProblemType(
        409, "Invalid configuration; nothing has changed", "correct the files, then reload again"
    ),
    "link_used": ProblemType(
        410, "The sign-in link is no longer valid", "get a new one with realtime token --link"
    ),
    "body_too_slow": ProblemType(408, "Request body timeout", "send the body at once"),
    "body_too_large": ProblemType(413, "Request body too large", "send less"),
    "uri_too_long": ProblemType(414, "Request line too long", "request fewer things at once"),
    "expectation_failed": ProblemType(417, "Unknown Expect header", "omit it or send 100-continue"),
    "wrong_host": ProblemType(
        421, "Unknown host name", "add the name to server.hosts if it is yours"
    ),
    "too_many_requests": ProblemType(429, "Too many requests", "retry after Retry-After"),
    "headers_too_large": ProblemType(431, "Request headers too large", "send less"),
    "failed": ProblemType(500, "Internal error", "look for server.failed in the daemon's log"),
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
        503, "Tokens cannot be verified yet", "look for auth.keys_unavailable in the log"
    ),
    "starting": ProblemType(503, "Accounts are still loading", "retry after Retry-After"),
    "account_unreachable": ProblemType(
        503, "The account could not be read yet", "wait; the daemon keeps trying"
    ),
    "account_refused": ProblemType(
        503, "The broker refused the account's credentials", "correct its keys, then reload"
    ),
    "account_disabled": ProblemType(
        503, "The account is disabled", "set enabled = true in accounts.toml, then reload"
    ),
    "too_many_subscribers": ProblemType(
        503, "Too many event subscribers", "retry after Retry-After, or poll"
    ),
    "several_owners": ProblemType(
        501,
        "The accounts have several owners",
        "name one account, or send the request to each owner",
    ),
    "degraded": ProblemType(
        503, "Some accounts are not synced", "GET /realtime/status?state=waiting,refused shows them"
    ),
}


class Problem(Exception):
    """An error response. Handlers raise it; the outermost middleware encodes it."""

    kinds: ClassVar[Mapping[str, ProblemType]] = PROBLEM_TYPES

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
        """Return the problem document; `path` is the request's, if known."""
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
            document["instance"] = quote(path)
        document.update(self.members)
        return ApiResponse(
            status=kind.status,
            body=_encode(document),
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", **self.headers},
        )


def quote(text: str) -> str:
    """Return a client's own text, shortened and valid as UTF-8 whatever it contained."""
    if len(text) > SHOWN:
        text = text[:SHOWN] + "…"
    return text.encode("utf-8", "replace").decode()


CODES_BY_STATUS: Mapping[int, str] = {
    403: "cors_refused",
    413: "body_too_large",
    414: "uri_too_long",
    417: "expectation_failed",
    431: "headers_too_large",
}
"""HTTP status → the code of the HTTP library's own errors."""


def of_status(status: int, detail: str) -> Problem:
    """Return the HTTP library's own error as ours, or the nearest one that we have."""
    code = CODES_BY_STATUS.get(status, "failed" if status >= 500 else "malformed_request")
    return Problem(code, quote(detail))
