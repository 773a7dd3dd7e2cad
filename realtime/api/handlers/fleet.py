"""The routes over all accounts: the table of figures and the status of the links."""

from realtime.api.context import ApiContext, RequestContext
from realtime.api.csv_responses import as_sheet
from realtime.api.documents.accounts import AccountRow, AccountsQuery
from realtime.api.documents.status import StatusQuery
from realtime.api.documents.timestamps import instant
from realtime.api.responses import JSON, ApiResponse, is_match


def answer_accounts(desk: ApiContext, call: RequestContext, query: AccountsQuery) -> ApiResponse:
    """The fleet as a table. A label that no account has is a mistake, not an empty answer."""
    for label in query.account_id:
        desk.record(label)
    headers = desk.fleet_freshness()
    if is_match(call.if_none_match, headers["ETag"]):
        return ApiResponse(status=304, headers=headers)
    rendered = desk.lists.accounts(desk.store, query)
    answer = ApiResponse(
        body=rendered.body,
        headers={**headers, "Content-Type": JSON, "X-Total-Count": str(rendered.total)},
    )
    if query.format == "csv":
        return as_sheet(answer, AccountRow.__struct_fields__, "accounts", member="accounts")
    return answer


def answer_status(desk: ApiContext, _: RequestContext, query: StatusQuery) -> ApiResponse:
    """The links as of now. It counts seconds, so it is never conditional."""
    now = desk.clock()
    # What others ask and trade is not told to whoever may know of some accounts only.
    requests, updates = (
        (desk.loop_monitor.requests, desk.loop_monitor.updates)
        if desk.only is None
        else (None, None)
    )
    rendered = desk.lists.status(desk.store, query, now=now, requests=requests, updates=updates)
    return ApiResponse(
        body=rendered.body,
        headers={
            "Content-Type": JSON,
            "Cache-Control": "no-store",
            "X-Realtime-As-Of": instant(now),
            "X-Total-Count": str(rendered.total),
        },
    )
