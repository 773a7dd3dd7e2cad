"""Handler of the alerts of tier bounds."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from realtime.analytics.tier_bounds import Alert, AlertState
from realtime.api.context import RequestContext
from realtime.api.documents.alerts import AlertDocument, AlertsDocument, make_alert_document
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.filters import ShortWord
from realtime.api.documents.timestamps import format_millis
from realtime.api.responses import JSON, ApiResponse

DAY_S = 86_400


class AlertsQuery(Struct, frozen=True, kw_only=True):
    """Parameters of the alerts."""

    account_id: Annotated[
        tuple[ShortWord, ...], Meta(max_length=1000, description="Only these accounts, by label.")
    ] = ()


def get_alerts(request: RequestContext[AlertsQuery]) -> ApiResponse:
    """Open alerts of the accounts that the client may see."""
    context = request.context
    labels = {context.record(label).profile.label for label in request.query.account_id}
    visible = labels or set(context.store.records)
    alerts, now = context.alerts, context.clock()

    def of(found: Iterable[Alert], state: AlertState | None = None) -> list[AlertDocument]:
        return [
            make_alert_document(alert)
            for alert in found
            if alert.account_id in visible and state in (None, alert.state)
        ]

    found = [] if alerts is None else alerts.open()
    ended = [] if alerts is None else alerts.closed(now // DAY_S * DAY_S)
    document = AlertsDocument(
        as_of=format_millis(now),
        watched=alerts is not None,
        over=of(found, "over"),
        would_be=of(found, "would_be"),
        cannot_be_met=of(found, "cannot_be_met"),
        ended_today=of(ended),
    )
    return ApiResponse(
        body=ENCODER.encode(document), headers={"Content-Type": JSON, "Cache-Control": "no-cache"}
    )
