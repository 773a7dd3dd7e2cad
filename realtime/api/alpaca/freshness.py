"""Where an answer comes from and how old it is: headers of every response."""

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
    is_stale: bool = False,
) -> ApiResponse:
    """Return an answer from memory. `as_of`: when it was known to be right, epoch seconds."""
    headers = {
        "Content-Type": JSON,
        "Cache-Control": "no-store",
        "X-Realtime-Source": "memory",
        "X-Realtime-As-Of": format_millis(record.as_of if as_of is None else as_of),
        "X-Realtime-Stale": "true" if is_stale else "false",
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
    if is_loopback(host):
        return "sim"
    return "paper" if record is None or record.profile.paper else "live"


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


def refresh_if_written(request: AlpacaRequest, record: Record) -> bool:
    """Whether money and positions were read after the account's last change through here; if not,
    start that read."""
    if request.context.recent_writes.are_balances_current(record):
        return True
    request.context.background.refresh(request.label)
    return False
