"""The bounds of tiers while accounts change: alerts are logged and pushed."""

from structlog.testing import capture_logs

from realtime.analytics.alert_log import AlertLog
from realtime.analytics.tier_bounds import Alert
from realtime.config.settings import TierBounds
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Position, Symbol
from realtime.core.state import AccountState
from realtime.runtime.tier_monitor import TierMonitor
from realtime.store.records import Profile
from realtime.store.store import Store

LABEL = AccountLabel("alpha")
SYNCED = Link(state="synced", stale_reason=None)


def state(value: str) -> AccountState:
    position = Position(symbol=Symbol("AAPL"), qty="1", market_value=value)
    account = Account(id="a", account_number="PA0EXAMPLE01", equity="1000")
    return AccountState(account=account, positions={position.symbol: position})


async def test_alerts_begin_and_end_with_the_state() -> None:
    store, sent, alerts = Store(boot="b"), list[Alert](), AlertLog()
    now = [0.0]
    monitor = TierMonitor(
        store,
        {"tiny": TierBounds(risk_pct="25")},
        alerts,
        clock=lambda: now[0],
        send=sent.append,
    )
    store.subscribe(monitor.handle_change)
    store.add(Profile(label=LABEL, tier="tiny", initial_balance="1000"), now=0)
    store.update(LABEL, now=0, state=state("300"))
    await monitor.update()
    assert sent == []  # not synced: what is not known begins nothing
    with capture_logs() as logs:
        store.update(LABEL, now=1, link=SYNCED)
        await monitor.update()
        await monitor.update()  # nothing has changed
        assert [(a.rule, a.value, a.until) for a in sent] == [("position_risk", "30", None)]
        assert alerts.accounts() == ["alpha"]
        now[0] = 5.0
        store.update(LABEL, now=5, state=state("100"))
        await monitor.update()
    assert (sent[-1].until, sent[-1].worst) == (5.0, "30")
    assert [line["event"] for line in logs] == ["alert.started", "alert.ended"]


async def test_an_account_that_is_removed_has_no_alerts() -> None:
    store, alerts = Store(boot="b"), AlertLog()
    monitor = TierMonitor(
        store, {"tiny": TierBounds(risk_pct="25")}, alerts, clock=lambda: 0.0, send=lambda _: None
    )
    store.subscribe(monitor.handle_change)
    store.add(Profile(label=LABEL, tier="tiny", initial_balance="1000"), now=0)
    store.update(LABEL, now=0, state=state("300"), link=SYNCED)
    await monitor.update()
    assert len(alerts.open()) == 1
    store.remove(LABEL)
    await monitor.update()
    assert alerts.open() == []
