"""Handlers of the alerts of tier bounds."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from realtime.analytics.tier_bounds import Alert, AlertState, Rule
from realtime.api.context import RequestContext
from realtime.api.documents.alerts import AlertDocument, AlertsDocument, make_alert_document
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.filters import ShortWord
from realtime.api.documents.timestamps import format_millis
from realtime.api.problems import Problem, quote
from realtime.api.responses import JSON, ApiResponse
from realtime.telemetry.log import get_logger

log = get_logger()

DAY_S = 86_400
HOUR_S = 3_600


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
    shown = [alert for alert in found if not is_hidden(alert, now)]
    ended = [] if alerts is None else alerts.closed(now // DAY_S * DAY_S)
    document = AlertsDocument(
        as_of=format_millis(now),
        watched=alerts is not None and alerts.is_watched,
        over=of(shown, "over"),
        would_be=of(shown, "would_be"),
        cannot_be_met=of(shown, "cannot_be_met"),
        hidden=of(alert for alert in found if is_hidden(alert, now)),
        ended_today=of(ended),
    )
    return ApiResponse(
        body=ENCODER.encode(document), headers={"Content-Type": JSON, "Cache-Control": "no-cache"}
    )


class HideQuery(Struct, frozen=True, kw_only=True):
    """Which alert, and for how long."""

    rule: Annotated[Rule, Meta(description="Its rule.")]
    state: Annotated[AlertState, Meta(description="Its state.")]
    symbol: Annotated[ShortWord, Meta(description="Its symbol.")]
    order_id: Annotated[ShortWord | None, Meta(description="Of an alert about an order.")] = None
    hide: Annotated[
        Literal["hour", "today", "no"],
        Meta(description="For an hour, until midnight UTC, or no longer."),
    ] = "hour"


def hide_alert(request: RequestContext[HideQuery]) -> ApiResponse:
    """List an alert apart: a person has seen it. It stays counted, and nothing else changes."""
    context, query = request.context, request.query
    label, now = context.record(request.account_id).profile.label, context.clock()
    until = {"hour": now + HOUR_S, "today": (now // DAY_S + 1) * DAY_S, "no": None}[query.hide]
    key = (query.rule, query.state, query.symbol, query.order_id)
    alert = (
        None
        if context.alerts is None
        else context.alerts.hide(label, key, until, request.principal.user_id)
    )
    if alert is None:
        raise Problem("unknown_alert", f"no open alert of {quote(query.symbol)} by this rule")
    log.info(
        "alert.hidden",
        account=label,
        rule=query.rule,
        symbol=query.symbol,
        hide=query.hide,
        by=alert.hidden_by,
    )
    return ApiResponse(
        body=ENCODER.encode(make_alert_document(alert)),
        headers={"Content-Type": JSON, "Cache-Control": "no-store"},
    )


def is_hidden(alert: Alert, now: float) -> bool:
    """Whether a person has hidden it, and the time is not over."""
    return alert.hidden_until is not None and now < alert.hidden_until
