"""Where an answer comes from and how old it is: headers of every response."""

from functools import lru_cache
from urllib.parse import urlsplit

from realtime.api.alpaca.errors import JSON
from realtime.api.alpaca.requests import AlpacaContext, AlpacaRequest
from realtime.api.documents.timestamps import format_millis
from realtime.api.responses import ApiResponse
from realtime.config.validators import is_loopback
from realtime.orders.errors import Declined
from realtime.store.records import Record


def memory_response(
    request: AlpacaRequest,
    record: Record,
    body: bytes,
    *,
    as_of: float | None,
) -> ApiResponse:
    """Return an answer from memory. `as_of`: when it was known to be right, epoch seconds."""
    headers = {
        "Content-Type": JSON,
        "Cache-Control": "no-store",
        "X-Realtime-Source": "memory",
        "X-Realtime-As-Of": format_millis(record.as_of if as_of is None else as_of),
        "X-Realtime-Stale": "true" if request.allows_stale else "false",
        **account_headers(request.context, request.label),
        **budget_headers(request.context, request.label),
    }
    return ApiResponse(body=body, headers=headers)


def account_headers(context: AlpacaContext, label: str) -> dict[str, str]:
    """Return the headers by which a program can prove where it trades."""
    return {"X-Realtime-Account": label, "X-Realtime-Environment": get_environment(context, label)}


def get_environment(context: AlpacaContext, label: str) -> str:
    """Return `live` (real money), `paper`, or `sim` for a broker on this machine."""
    record = context.store.get(label)
    try:
        host = urlsplit(context.trading.forwarder.get_address(label)).hostname or ""
    except Declined:  # a disabled account
        host = ""
    if _is_on_this_machine(host):
        return "sim"
    return "paper" if record is None or record.profile.paper else "live"


@lru_cache(maxsize=256)
def _is_on_this_machine(host: str) -> bool:
    return is_loopback(host)


def budget_headers(context: AlpacaContext, label: str) -> dict[str, str]:
    """Return the headers of the rate limit, for clients that pace themselves by them."""
    budget = context.trading.get_budget(label)
    if budget is None:
        return {}
    headers = {
        "X-RateLimit-Limit": str(budget.limit),
        "X-RateLimit-Remaining": str(budget.remaining),
    }
    if budget.resets_in_s is not None:
        headers["X-RateLimit-Reset"] = str(round(context.clock() + budget.resets_in_s))
    return headers


def get_current_record(request: AlpacaRequest, part: str) -> Record | None:
    """Return what is known of the account, if `part` of it (`account`, `positions`, `orders`) is as
    the broker has it now; None if not."""
    record, target = request.record, request.target
    # 1. nothing is known, or the query means more than one thing
    if record is None or not record.has_data or not target.is_plain:
        return None
    # 2. the broker could not be asked
    if request.allows_stale:
        return record
    # 3. it may be behind, or a read has not confirmed it yet
    if record.link.is_stale or not record.link.is_synced or part in record.state.provisional:
        return None
    # 4. a change through here is not in it yet
    recent_writes = request.context.recent_writes
    if part == "orders":
        return record if recent_writes.are_orders_current(record) else None
    if recent_writes.are_balances_current(record):
        return record
    request.context.options.request_balances(request.label)
    return None
