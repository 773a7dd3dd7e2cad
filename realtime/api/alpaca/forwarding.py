"""Passing a request on to the broker, and its response back to the client.

Method, path, query and body are those of the client, byte for byte. Of the headers only those are
passed on that say something about the content: never a key, a cookie, where a request came from, or
what a server may read as another method or path.
"""

from collections.abc import Callable, Iterable, Mapping

from aiohttp.web_request import BaseRequest

from realtime.api.alpaca.errors import (
    INTERNAL,
    NEVER_SENT,
    declined_response,
    error_response,
    unresolved_response,
)
from realtime.api.alpaca.freshness import account_headers
from realtime.api.alpaca.requests import AlpacaRequest
from realtime.api.responses import ApiResponse
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.forwarding import ForwardedRequest, ForwardedResponse

FORWARDED_HEADERS = (
    "Accept", "Accept-Language", "Content-Type", "If-Modified-Since", "If-None-Match",
    "Last-Event-ID", "User-Agent",
)  # fmt: skip
"""Headers of a request that the broker receives."""

DROPPED_HEADERS = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "proxy-connection",  # hop by hop (RFC 9110 section 7.6.1)
    "content-length", "content-encoding", "date", "server",  # of the message as it came here
    "set-cookie", "alt-svc", "strict-transport-security", "retry-after",
    "access-control-allow-origin", "access-control-allow-credentials",
    "access-control-allow-headers", "access-control-allow-methods",
    "access-control-expose-headers", "cross-origin-resource-policy", "content-security-policy",
    "referrer-policy", "x-content-type-options",  # ours are on every response
})  # fmt: skip
"""Headers of a response that the client does not receive."""

GATEWAY_STATUSES = (502, 504)
"""Never passed on: an SDK would send the request again."""

Complete = Callable[[AlpacaRequest, ApiResponse, float], ApiResponse]
"""Returns an answer with what this daemon knows better; the number is when the request left."""


def read_headers(request: BaseRequest) -> dict[str, str]:
    """Return the headers of a request that are passed on."""
    found = {name: request.headers.get(name) for name in FORWARDED_HEADERS}
    return {name: value for name, value in found.items() if value is not None}


def find_owner_refusal(request: AlpacaRequest) -> ApiResponse | None:
    """Return why nothing is sent to the broker for an account that another daemon owns, or None.

    It has the account's keys, and this daemon has not: 401 would blame the client's.
    """
    record = request.context.store.get(request.label)
    if record is None or record.owner is None:
        return None
    message = f"realtime: nothing was sent: another daemon owns {request.label}"
    remedy = f"GET /realtime/status names it (now: {record.owner}); send this request there"
    return error_response(NEVER_SENT, f"{message}. {remedy}")


async def forward_read(request: AlpacaRequest, complete: Complete) -> ApiResponse:
    """Return the broker's response to a read. Nothing that fails here can have changed anything."""
    refusal = find_owner_refusal(request)
    if refusal is not None:
        return complete(request, refusal, request.context.clock())
    try:
        response = await request.context.trading.forwarder.read(
            request.label, build_request(request)
        )
    except Declined as error:
        return complete(request, declined_response(error), request.context.clock())
    if response.status in GATEWAY_STATUSES:
        return complete(request, gateway_error(response.status), response.sent_at)
    return complete(request, _to_response(request, response), response.sent_at)


def gateway_error(status: int) -> ApiResponse:
    """Return what a client receives for a read that the broker's gateway did not pass on."""
    return error_response(NEVER_SENT, f"the broker's gateway answered {status}")


async def forward_change(request: AlpacaRequest, *, is_halted: bool = True) -> ApiResponse:
    """Return the broker's response to a request that may change something."""
    forwarder, principal = request.context.trading.forwarder, request.caller.principal
    try:
        response = await forwarder.change(
            request.label, build_request(request), principal, is_halted=is_halted
        )
    except Declined as error:
        return declined_response(error)
    except Unresolved as error:
        return unresolved_response(error)
    if response.status >= 500 or response.status == 408:
        return error_response(
            500, f"status unknown: the broker answered {response.status}", INTERNAL
        )
    return _to_response(request, response)


def build_request(request: AlpacaRequest) -> ForwardedRequest:
    """Return what is passed on of a request."""
    return ForwardedRequest(
        method=request.method,
        target=request.target.raw,
        headers=request.headers,
        body=request.body,
    )


def _to_response(request: AlpacaRequest, response: ForwardedResponse) -> ApiResponse:
    return ApiResponse(
        status=response.status,
        body=response.body,
        headers=response_headers(request, response.headers),
    )


def response_headers(request: AlpacaRequest, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers of a response that is passed back."""
    return {
        **_filter(headers),
        "X-Realtime-Source": "upstream",
        **account_headers(request.context, request.label),
    }


def _filter(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return the headers that are passed back; those in `Connection` are hop by hop, too."""
    pairs = list(headers)
    named = {
        name.strip().lower()
        for header, value in pairs
        if header.lower() == "connection"
        for name in value.split(",")
    }
    return {
        name: value
        for name, value in pairs
        if name.lower() not in DROPPED_HEADERS and name.lower() not in named
    }
