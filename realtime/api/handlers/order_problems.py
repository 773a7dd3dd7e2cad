"""What can be said about an order that did not come through: code → status, title, remedy.

The same shape as every other problem (`server.problems`). Where the broker said no, or would have,
its own words stand beside ours in `alpaca`: a number and a sentence in Alpaca's form.
"""

import math
from collections.abc import Mapping

from realtime.api.problems import Problem, ProblemType
from realtime.orders.errors import Declined, Unresolved

AGAIN = "change the order, or the configuration"

ORDER_KINDS: Mapping[str, ProblemType] = {
    "account_required": ProblemType(
        400, "Which account is meant is not said", "name one by account_id, or give a strategy"
    ),
    "confirm_required": ProblemType(
        400, "This closes everything, everywhere", "say confirm=true if that is what you want"
    ),
    "trading_not_permitted": ProblemType(
        403, "You may read, not trade", "ask for the permission trading"
    ),
    "trading_disabled": ProblemType(
        403, "Trading is switched off here", "see [orders] in accounts.toml"
    ),
    "guard_notional": ProblemType(403, "The order is worth more than one may be", AGAIN),
    "guard_symbol": ProblemType(403, "This symbol may not be traded here", AGAIN),
    "guard_side": ProblemType(403, "This side may not be traded here", AGAIN),
    "broker_forbids": ProblemType(403, "The broker does not allow it", "see the broker's message"),
    "broker_knows_not": ProblemType(
        404, "The broker knows no such thing", "see the broker's message"
    ),
    "unknown_order": ProblemType(
        404, "No account has this order", "give account_id, or its client_order_id"
    ),
    "account_not_synced": ProblemType(
        409, "What the account holds is not known for sure", "wait, or say force"
    ),
    "position_unsettled": ProblemType(
        409, "How much is held is not known for sure", "ask again after Retry-After"
    ),
    "invalid_order": ProblemType(422, "No broker would take this order", "correct the field named"),
    "broker_refuses": ProblemType(422, "The broker refused it", "see the broker's message"),
    "orders_halted": ProblemType(423, "The kill switch is on", "POST /orders/resume"),
    "account_closing": ProblemType(
        423, "The account is being closed", "wait until it is flat, or DELETE /orders/closing"
    ),
    "guard_rate": ProblemType(429, "Too many orders in a minute", "ask again after Retry-After"),
    "budget_spent": ProblemType(
        429, "The account's requests are spent", "ask again after Retry-After"
    ),
    "rate_limited": ProblemType(
        429, "The broker says: not so fast", "another program may use this account; wait"
    ),
    "broker_unreachable": ProblemType(
        503, "The broker cannot be reached", "nothing was sent: try again"
    ),
    "no_account": ProblemType(503, "No account can take this order now", "GET /realtime/status"),
    "journal_unwritable": ProblemType(
        503, "The audit log cannot be written", "make room; nothing is sent without it"
    ),
    "order_unknown": ProblemType(
        504,
        "Nobody knows whether the broker took it",
        "ask GET /orders/by_client_order_id, or send the same call again: never two orders come"
        " of it",
    ),
}


class OrderProblem(Problem):
    """An answer about an order that is an error."""

    kinds = ORDER_KINDS


def of_declined(no: Declined) -> Problem:
    """A decided no."""
    members: dict[str, object] = {"reached_broker": no.reached_broker}
    if no.alpaca is not None:
        members["alpaca"] = no.alpaca
    if no.guard is not None:
        members["guard"] = no.guard
    headers = {}
    if no.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(no.retry_after_s)))
    form = OrderProblem if no.code in ORDER_KINDS else Problem
    return form(no.code, no.message, remedy=no.remedy, headers=headers, members=members)


def of_unresolved(lost: Unresolved) -> Problem:
    """Nobody knows."""
    return OrderProblem(
        "order_unknown",
        lost.message,
        headers={"Retry-After": "2"},
        members={
            "status_of_order": "unknown",
            "account_id": lost.account_id,
            "client_order_id": lost.client_order_id,
        },
    )
