"""Errors as Alpaca's own clients read them: `{"code": …, "message": …}`, keys in order.

Which status a client receives decides whether its SDK sends the request again: alpaca-py on 429 and
504, C# on 429, 502, 503, 504 and on any `Retry-After`, Go on 429. So what never left is 429 or 503,
what may have taken effect is 500, and 502, 504 and `Retry-After` are never sent.
"""

from collections.abc import Mapping

import msgspec

from realtime.api.problems import Problem
from realtime.api.responses import ApiResponse
from realtime.orders.errors import Declined, Unresolved

JSON = "application/json; charset=UTF-8"
"""As Alpaca writes it."""

BAD_REQUEST = 40010000
FORBIDDEN = 40310000
NOT_FOUND = 40410000
TOO_MANY = 42910000
INTERNAL = 50010000
UNAUTHORIZED = 40110000

UNAUTHORIZED_BODY = b'{"message": "unauthorized."}'
"""The broker's response to a pair that it does not know, with that space."""

NO_ROUTE_BODY = b'{"message":"Not Found"}'

_encode = msgspec.json.Encoder(order="sorted").encode

STATUS_OF_CODE: Mapping[str, int] = {
    "token_missing": 401, "token_invalid": 401, "token_expired": 401, "unknown_account": 401,
    "account_refused": 401,
    "trading_not_permitted": 403, "permission_missing": 403, "trading_disabled": 403,
    "guard_notional": 403, "guard_contracts": 403, "guard_equity": 403,
    "guard_symbol": 403, "guard_side": 403, "guard_rate": 403,
    "orders_halted": 403, "account_closing": 403, "account_restricted": 403,
    "canceled_before_sent": 403, "position_unsettled": 403,
    "broker_forbids": 403, "broker_knows_not": 404, "broker_refuses": 422, "invalid_order": 422,
    "budget_spent": 429, "rate_limited": 429,
}  # fmt: skip
"""Our code of a refusal → status. Every other refusal never left: 503."""

CODE_OF_STATUS: Mapping[int, int] = {
    401: UNAUTHORIZED, 403: FORBIDDEN, 404: NOT_FOUND, 422: 42210000, 429: TOO_MANY,
}  # fmt: skip
"""Status → Alpaca's code, where the refusal has none of its own."""

NEVER_SENT = 503


class AlpacaError(Exception):
    """A response that is an error."""

    def __init__(self, response: ApiResponse) -> None:
        super().__init__(response.status)
        self.response = response


def error_response(status: int, message: str, code: int | None = None) -> ApiResponse:
    """Return an error in Alpaca's form."""
    default = INTERNAL if status >= 500 else BAD_REQUEST
    number = CODE_OF_STATUS.get(status, default) if code is None else code
    return _respond(status, _encode({"code": number, "message": message}))


def unauthorized() -> ApiResponse:
    """Return the broker's own response to credentials that it does not know."""
    return _respond(401, UNAUTHORIZED_BODY)


def no_route() -> ApiResponse:
    """Return the broker's own response to a path that it does not have."""
    return _respond(404, NO_ROUTE_BODY)


def declined_response(error: Declined) -> ApiResponse:
    """Return a definite refusal: the broker's own words where there are any."""
    status = error.broker_status or STATUS_OF_CODE.get(error.code, NEVER_SENT)
    if error.alpaca is not None:
        return _respond(status, _encode(error.alpaca))
    message = error.message.removeprefix(": ")
    remedy = error.remedy or ""
    if not remedy or "Retry-After" in remedy:  # which is not sent here
        return error_response(status, message)
    return error_response(status, f"{message}; {remedy}")


def unresolved_response(error: Unresolved) -> ApiResponse:
    """Return that the result is unknown: 500, which no client repeats on its own."""
    order = f" (client_order_id {error.client_order_id})" if error.client_order_id else ""
    return error_response(
        500,
        f"status unknown{order}: {error.message}; the same request again joins this one and is not"
        " sent twice",
    )


def problem_response(problem: Problem) -> ApiResponse:
    """Return one of our own errors, such as that of a token, in Alpaca's form."""
    status = problem.kinds[problem.code].status
    return error_response(status, f"realtime: {problem.detail}")


def _respond(status: int, body: bytes) -> ApiResponse:
    headers = {"Content-Type": JSON, "Cache-Control": "no-store"}
    return ApiResponse(status=status, body=body, headers=headers)
