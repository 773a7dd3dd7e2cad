"""The alerts of tier bounds: when one begins and ends, and which a person has hidden."""

from decimal import Decimal

from msgspec import structs

from realtime.analytics.tier_bounds import (
    Alert,
    AlertKey,
    Bounds,
    Measure,
    format_value,
    make_alert,
    measure,
    share_of_bound,
)
from realtime.store.records import Record

HYSTERESIS = Decimal("0.95")
"""An alert ends below this part of its bound …"""

CALM_S = 60.0
"""… or when its value was not over the bound for this long."""

MAX_CLOSED = 500
"""Alerts that are over and still listed; until the end of their day."""


class AlertLog:
    """The alerts of all accounts: what is open, and what has ended today."""

    def __init__(self, *, is_watched: bool = True) -> None:
        self.is_watched = is_watched
        """Whether any tier has bounds."""
        self._open: dict[str, dict[AlertKey, _OpenAlert]] = {}
        self._closed: list[Alert] = []

    def hide(self, label: str, key: AlertKey, until: float | None, by: str) -> Alert | None:
        """List an alert apart until a time, or with the others again (None); returns it, None if
        it is not open."""
        entry = self._open.get(label, {}).get(key)
        if entry is None:
            return None
        entry.hide(until, None if until is None else by)
        return entry.alert

    def update(self, record: Record, bounds: Bounds | None, now: float) -> list[Alert]:
        """Look at an account again; returns the alerts that have begun or ended."""
        label = str(record.profile.label)
        known = self._open.setdefault(label, {})
        measures = {m.key: m for m in (measure(record, bounds) if bounds else ())}
        news: list[Alert] = []
        for key, found in measures.items():
            if key not in known and (found.value > found.bound or found.state == "cannot_be_met"):
                known[key] = _OpenAlert(make_alert(record, found, now), found)
                news.append(known[key].alert)
        for key, entry in list(known.items()):
            entry.show_again(now)
            if entry.update(measures.get(key), now):
                del known[key]
                news.append(entry.ended(now))
                self._closed.append(news[-1])
        del self._closed[:-MAX_CLOSED]
        if not known:
            del self._open[label]
        return news

    def remove(self, label: str) -> None:
        """Forget an account that is no longer configured."""
        self._open.pop(label, None)

    def accounts(self) -> list[str]:
        """Accounts with open alerts."""
        return list(self._open)

    def open(self) -> list[Alert]:
        """Open alerts: over, would be, cannot be met; the furthest over its bound first."""
        alerts = [entry.alert for entries in self._open.values() for entry in entries.values()]
        order = ("over", "would_be", "cannot_be_met")
        return sorted(alerts, key=lambda a: (order.index(a.state), -share_of_bound(a)))

    def closed(self, since: float) -> list[Alert]:
        """Alerts that have ended since a time, the newest first."""
        return [a for a in reversed(self._closed) if (a.until or 0.0) >= since]


class _OpenAlert:
    """An alert that goes on."""

    __slots__ = ("alert", "calm_since", "worst")

    def __init__(self, alert: Alert, found: Measure) -> None:
        self.alert = alert
        self.worst = found.value
        self.calm_since: float | None = None

    def hide(self, until: float | None, by: str | None) -> None:
        """List it apart until a time; None: with the others."""
        self.alert = structs.replace(self.alert, hidden_until=until, hidden_by=by)

    def show_again(self, now: float) -> None:
        """List it with the others when its time is over."""
        until = self.alert.hidden_until
        if until is not None and now >= until:
            self.hide(None, None)

    def update(self, found: Measure | None, now: float) -> bool:
        """Use the newest value; returns whether the alert is over."""
        if found is None:
            return True
        self.worst = max(self.worst, found.value)
        self.alert = structs.replace(
            self.alert,
            value=format_value(found.value),
            bound=format_value(found.bound),
            of_equity_pct=None
            if found.of_equity_pct is None
            else format_value(found.of_equity_pct),
            worst=format_value(self.worst),
            detail=found.detail,
        )
        if found.state == "cannot_be_met":
            return False
        if found.value > found.bound:
            self.calm_since = None
            return False
        if found.value < found.bound * HYSTERESIS:
            return True
        self.calm_since = now if self.calm_since is None else self.calm_since
        return now - self.calm_since >= CALM_S

    def ended(self, now: float) -> Alert:
        """The alert, over at a time."""
        return structs.replace(self.alert, until=now)
