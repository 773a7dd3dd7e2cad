"""Problems of market data: code → status, title and remedy.

The broker's own refusal is in `alpaca`. Every document has `message` too, which is where the
broker's clients look for the reason.
"""

import math
from collections.abc import Mapping

import msgspec

from realtime.api.problems import PROBLEM_TYPES, Problem, ProblemType
from realtime.errors import LinkError, NotSent
from realtime.market.rest.reader import DataAnswer

MARKET_PROBLEMS: Mapping[str, ProblemType] = {
    **PROBLEM_TYPES,
    "bad_symbol": ProblemType(400, "Not a symbol of this kind", "correct the symbol"),
    "market_request_refused": ProblemType(
        400, "The broker refused the request", "see the broker's message"
    ),
    "feed_refused": ProblemType(
        403,
        "The plan of the data key does not permit this",
        "request another feed (iex, indicative), an end 15 minutes ago, or change the plan:"
        " docs/market.md",
    ),
    "unknown_symbol": ProblemType(
        404, "The broker has no such value", "check the symbol, its class, and the feed"
    ),
    "marks_off": ProblemType(
        409, "Accounts are not marked to market", "set `marks = true` in [market], then restart"
    ),
    "market_budget_used_up": ProblemType(
        429, "The budget of market-data requests is used up", "retry after Retry-After"
    ),
    "market_rate_limited": ProblemType(
        429, "Rate limited by the broker", "retry after Retry-After"
    ),
    "market_key_refused": ProblemType(
        503, "The broker refused the data key", "correct the key of [market], then restart"
    ),
    "market_unreachable": ProblemType(
        503, "The market-data API cannot be reached", "retry; see GET /market/status"
    ),
}

READING = (
    "feed_refused", "market_budget_used_up", "market_key_refused", "market_rate_limited",
    "market_request_refused", "market_unreachable",
)  # fmt: skip
"""Codes of every route that may send a request to the broker."""

RETRY_AFTER_S = 5


class MarketProblem(Problem):
    """An error of a market-data route."""

    kinds = MARKET_PROBLEMS

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        remedy: str | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        named = {"message": detail, **(members or {})}
        super().__init__(code, detail, remedy=remedy, headers=headers, members=named)


def refusal_problem(answer: DataAnswer) -> MarketProblem:
    """Return a response of the broker that is not a success as a problem."""
    message = _message(answer.body) or f"status {answer.status}"
    headers = {}
    match answer.status:
        case 401:
            code = "market_key_refused"
        case 403:
            code = "feed_refused"
        case 404:
            code = "unknown_symbol"
        case 429:
            code = "market_rate_limited"
            headers["Retry-After"] = _seconds(answer.retry_after_s)
        case status if status >= 500 or status < 400:
            code = "market_unreachable"
            headers["Retry-After"] = str(RETRY_AFTER_S)
        case _:
            code = "market_request_refused"
    alpaca = {"status": answer.status, "message": message}
    return MarketProblem(
        code, f"the broker: {message}", headers=headers, members={"alpaca": alpaca}
    )


def link_problem(error: LinkError) -> MarketProblem:
    """Return a request without a response as a problem."""
    if isinstance(error, NotSent) and error.retry_after_s is not None:
        headers = {"Retry-After": _seconds(error.retry_after_s)}
        remedy = error.remedy or None
        return MarketProblem("market_budget_used_up", error.message, remedy=remedy, headers=headers)
    return MarketProblem(
        "market_unreachable",
        error.message,
        remedy=error.remedy or None,
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _seconds(retry_after_s: float | None) -> str:
    return str(RETRY_AFTER_S if retry_after_s is None else max(1, math.ceil(retry_after_s)))


def _message(body: bytes) -> str:
    """Return the sentence in the broker's error; empty if it has none."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    message = document.get("message") if isinstance(document, dict) else None
    return message[:300] if isinstance(message, str) else ""
