"""Problems of orders: code → status, title and remedy.

The same shape as every other problem (`api/problems.py`). Where the broker refused, or would have,
its own response is in `alpaca`: a number and a sentence in Alpaca's form.
"""

import math
from collections.abc import Mapping

from realtime.api.problems import Problem, ProblemType
from realtime.orders.errors import Declined, Unresolved

CHANGE = "change the order, or the configuration"
RETRY = "retry after Retry-After"

ORDER_PROBLEMS: Mapping[str, ProblemType] = {
    "account_required": ProblemType(
        400, "Several accounts fit this request", "name one by account_id, or set a strategy"
    ),
    "confirm_required": ProblemType(
        400, "This closes every position of every account", "set confirm=true if you want that"
    ),
    "trading_not_permitted": ProblemType(
        403, "The token permits reading only", "request the permission trading"
    ),
    "trading_disabled": ProblemType(
        403, "Trading is switched off", "see [orders] in accounts.toml"
    ),
    "guard_contracts": ProblemType(403, "The order exceeds the cap on its contracts", CHANGE),
    "guard_equity": ProblemType(403, "The order exceeds the cap on its part of equity", CHANGE),
    "guard_notional": ProblemType(403, "The order exceeds the cap on its value", CHANGE),
    "guard_symbol": ProblemType(403, "The symbol is not allowed", CHANGE),
    "guard_side": ProblemType(403, "The side is not allowed", CHANGE),
    "account_restricted": ProblemType(
        403, "The broker accepts no orders from the account", "see the account at the broker"
    ),
    "broker_forbids": ProblemType(403, "The broker does not allow it", "see the broker's message"),
    "broker_knows_not": ProblemType(
        404, "The order or position does not exist at the broker", "see the broker's message"
    ),
    "unknown_order": ProblemType(
        404, "No account has this order", "set account_id, or use its client_order_id"
    ),
    "account_not_synced": ProblemType(409, "The account is not synced", "wait, or set force"),
    "canceled_before_sent": ProblemType(
        409, "All orders were canceled while this one waited", "send it again if it is still wanted"
    ),
    "position_unsettled": ProblemType(409, "Earlier closes have not settled", RETRY),
    "invalid_order": ProblemType(422, "The order is not valid", "correct the named field"),
    "broker_refuses": ProblemType(422, "The broker refused it", "see the broker's message"),
    "orders_halted": ProblemType(423, "The kill switch is on", "POST /orders/resume"),
    "account_closing": ProblemType(
        423, "The account is being closed", "wait until it is flat, or DELETE /orders/closing"
    ),
    "guard_rate": ProblemType(429, "Too many orders in a minute", RETRY),
    "budget_spent": ProblemType(429, "The account's request budget is used up", RETRY),
    "rate_limited": ProblemType(
        429, "Rate limited by the broker", "another program may use this account; wait"
    ),
    "order_failed": ProblemType(
        500, "The daemon failed before the order was sent", "see order.failed in its log; retry"
    ),
    "broker_unreachable": ProblemType(
        503, "The broker cannot be reached", "nothing was sent: retry"
    ),
    "no_account": ProblemType(503, "No account is usable now", "see GET /realtime/status"),
    "journal_unwritable": ProblemType(
        503, "The audit log cannot be written", "make room; nothing is sent without it"
    ),
    "not_owner": ProblemType(
        503, "Another daemon owns the account", "send it to the owner, or retry: nothing was sent"
    ),
    "owner_unreachable": ProblemType(
        503, "The daemon that owns the account cannot be reached", "nothing was sent: retry"
    ),
    "owner_response_lost": ProblemType(
        504,
        "The response of the account's owner was lost",
        "it may have been done: read the orders before you repeat it",
    ),
    "engine_unreachable": ProblemType(
        503, "The engine that decides ownership does not answer", "nothing was sent: retry"
    ),
    "order_unknown": ProblemType(
        504,
        "Order status unknown",
        "GET /orders/by_client_order_id, or send the same call again: it never results in two"
        " orders",
    ),
}


class OrderProblem(Problem):
    """An error of an order route."""

    kinds = ORDER_PROBLEMS


def declined_problem(error: Declined) -> Problem:
    """Return a definite refusal as a problem."""
    members: dict[str, object] = {"reached_broker": error.reached_broker}
    if error.alpaca is not None:
        members["alpaca"] = error.alpaca
    if error.guard is not None:
        members["guard"] = error.guard
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    form = OrderProblem if error.code in ORDER_PROBLEMS else Problem
    return form(error.code, error.message, remedy=error.remedy, headers=headers, members=members)


def unresolved_problem(error: Unresolved) -> Problem:
    """Return an order of unknown status as a problem."""
    return OrderProblem(
        "order_unknown",
        error.message,
        headers={"Retry-After": "2"},
        members={
            "status_of_order": "unknown",
            "account_id": error.account_id,
            "client_order_id": error.client_order_id,
        },
    )
