"""The route that a Prometheus server scrapes."""

from realtime.api.context import Call, Desk
from realtime.api.parameters import NoQuery
from realtime.api.responses import Answer


def answer_metrics(desk: Desk, call: Call, _: NoQuery) -> Answer:
    """The figures, in the format asked for."""
    body, content_type = desk.metrics.expose(call.accept, desk.store)
    return Answer(body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})
