"""The route that a Prometheus server scrapes."""

from realtime.api.context import ApiContext, RequestContext
from realtime.api.parameters import NoQuery
from realtime.api.responses import ApiResponse


def answer_metrics(desk: ApiContext, call: RequestContext, _: NoQuery) -> ApiResponse:
    """The figures, in the format asked for."""
    body, content_type = desk.metrics.expose(call.accept, desk.store)
    return ApiResponse(
        body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"}
    )
