"""The route of the fleet's figures."""

from realtime.api.context import ApiContext, RequestContext
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.health import condition
from realtime.api.documents.summary import summary
from realtime.api.documents.timestamps import instant
from realtime.api.parameters import NoQuery
from realtime.api.responses import JSON, ApiResponse, is_match


def answer_summary(desk: ApiContext, call: RequestContext, _: NoQuery) -> ApiResponse:
    """The fleet in a handful of figures."""
    headers = desk.fleet_freshness()
    if is_match(call.if_none_match, headers["ETag"]):
        return ApiResponse(status=304, headers=headers)
    census, is_ready = desk.census()
    document = summary(
        desk.lists.account_rows(desk.store),
        as_of=instant(max((record.as_of for record in desk.store), default=desk.started_at)),
        status=condition(census, is_ready=is_ready),
        accounts=census.enabled,
        synced=census.connected,
        stale=census.stale,
    )
    return ApiResponse(body=ENCODER.encode(document), headers={**headers, "Content-Type": JSON})
