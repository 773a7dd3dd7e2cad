"""Watches the bounds of tiers: alerts begin within a second of what causes them, and end calmly."""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

from realtime.analytics.alert_log import AlertLog
from realtime.analytics.tier_bounds import Alert, Bounds
from realtime.config.settings import TierBounds
from realtime.store.records import Change
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

INTERVAL_S = 0.25
"""Between two looks at accounts that have changed: a burst of fills is one look."""

ACCOUNTS_PER_STEP = 50
"""Accounts looked at before other tasks run."""


class TierMonitor:
    """One for the daemon. `clock` gives epoch seconds; `send` pushes an alert to subscribers."""

    def __init__(
        self,
        store: Store,
        tiers: Mapping[str, TierBounds],
        alerts: AlertLog,
        *,
        clock: Callable[[], float],
        send: Callable[[Alert], None],
    ) -> None:
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self._send = send
        self._tiers: dict[str, Bounds] = {}
        self._has_tiers = asyncio.Event()
        self._changed: set[str] = set()
        self.replace(tiers)

    def replace(self, tiers: Mapping[str, TierBounds]) -> None:
        """Watch these bounds from now on; alerts of others end at the next look."""
        self._tiers = {
            name: Bounds(
                risk_pct=None if bounds.risk_pct is None else Decimal(bounds.risk_pct),
                max_contracts=bounds.max_contracts,
                watched=bounds.watched,
            )
            for name, bounds in tiers.items()
        }
        self._alerts.is_watched = bool(tiers)
        self._changed = {str(record.profile.label) for record in self._store}
        if tiers:
            self._has_tiers.set()
        else:
            self._has_tiers.clear()

    async def run(self) -> None:
        """Look at what has changed, until cancelled; without bounds, at nothing."""
        while True:
            await self._has_tiers.wait()
            end = self._store.subscribe(self.handle_change)
            try:
                while self._tiers or self._alerts.accounts():
                    await self.update()
                    await asyncio.sleep(INTERVAL_S)
            finally:
                end()

    def handle_change(self, change: Change) -> None:
        """Remember that an account has changed."""
        if change.after is None:
            self._alerts.remove(change.label)
            self._changed.discard(change.label)
        elif change.before is None or change.before.version != change.after.version:
            self._changed.add(change.label)

    async def update(self) -> None:
        """Look at the accounts that have changed, and at those with open alerts: one may end."""
        labels = self._changed | set(self._alerts.accounts())
        self._changed = set()
        for count, label in enumerate(sorted(labels), 1):
            if count % ACCOUNTS_PER_STEP == 0:
                await asyncio.sleep(0)
            record = self._store.get(label)
            if record is None or record.link.is_stale:
                continue  # what is not known begins and ends nothing
            bounds = self._tiers.get(record.profile.tier or "")
            for alert in self._alerts.update(record, bounds, self._clock()):
                self._report(alert)

    def _report(self, alert: Alert) -> None:
        facts = {
            "account": alert.account_id,
            "rule": alert.rule,
            "state": alert.state,
            "symbol": alert.symbol,
            "bound": alert.bound,
        }
        if alert.until is None:
            log.warning("alert.started", value=alert.value, **facts)
        else:
            lasted = round(alert.until - alert.since, 1)
            log.info("alert.ended", worst=alert.worst, seconds=lasted, **facts)
        self._send(alert)
