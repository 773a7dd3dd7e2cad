"""Documents of tier bounds: `GET /alerts`, and the event `alert`."""

from msgspec import Struct, field

from realtime.analytics.tier_bounds import Alert, AlertState, Rule
from realtime.api.documents.timestamps import format_millis
from realtime.core.model import AccountLabel


class AlertDocument(Struct, frozen=True, kw_only=True):
    """A bound of a tier that is exceeded, would be if an open order filled, or cannot be met.

    `value` and `worst` are contracts, or per cent of the initial balance.
    """

    account_id: AccountLabel
    tier: str | None
    rule: Rule
    state: AlertState
    symbol: str
    order_id: str | None
    value: str
    bound: str
    worst: str
    of_equity_pct: str | None
    since: str
    until: str | None = field(name="ended_at")
    detail: str | None
    hidden_until: str | None
    hidden_by: str | None


class AlertsDocument(Struct, frozen=True, kw_only=True):
    """What is open, the furthest over its bound first, and what has ended today (UTC)."""

    as_of: str
    watched: bool
    """Whether any tier has bounds."""
    over: list[AlertDocument]
    would_be: list[AlertDocument]
    cannot_be_met: list[AlertDocument]
    hidden: list[AlertDocument]
    """Open, but a person has seen them: in none of the other lists."""
    ended_today: list[AlertDocument]


def make_alert_document(alert: Alert) -> AlertDocument:
    """An alert as JSON."""
    return AlertDocument(
        account_id=AccountLabel(alert.account_id),
        tier=alert.tier,
        rule=alert.rule,
        state=alert.state,
        symbol=alert.symbol,
        order_id=alert.order_id,
        value=alert.value,
        bound=alert.bound,
        worst=alert.worst,
        of_equity_pct=alert.of_equity_pct,
        since=format_millis(alert.since),
        until=None if alert.until is None else format_millis(alert.until),
        detail=alert.detail,
        hidden_until=None if alert.hidden_until is None else format_millis(alert.hidden_until),
        hidden_by=alert.hidden_by,
    )
