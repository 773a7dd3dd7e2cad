"""Tier bounds: both values, pending orders, hysteresis, and bounds that cannot be met."""

from decimal import Decimal

import pytest
from msgspec import structs

from realtime.analytics.alert_log import AlertLog
from realtime.analytics.tier_bounds import Bounds, Measure, measure
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Order, OrderId, Position, Symbol
from realtime.core.state import AccountState
from realtime.store.records import Profile, Record

OPTION = "AAPL261218C00190000"
TINY = Bounds(risk_pct=Decimal(25), max_contracts=2)


def record(
    *positions: Position, orders: tuple[Order, ...] = (), balance: str = "1000", equity: str = "900"
) -> Record:
    account = Account(id="a", account_number="PA0EXAMPLE01", equity=equity)
    return Record(
        profile=Profile(label=AccountLabel("alpha"), tier="tiny", initial_balance=balance),
        state=AccountState(
            account=account,
            positions={position.symbol: position for position in positions},
            orders={order.id: order for order in orders},
        ),
        link=Link(state="synced", stale_reason=None),
    )


def held(qty: str, value: str, symbol: str = "AAPL") -> Position:
    return Position(symbol=Symbol(symbol), qty=qty, market_value=value, asset_class="us_equity")


def buy(qty: str, price: str, symbol: str = "AAPL", order_id: str = "1") -> Order:
    return Order(
        id=OrderId(order_id), symbol=symbol, qty=qty, filled_qty="0", limit_price=price,
        side="buy", status="new",
    )  # fmt: skip


def found(record: Record, bounds: Bounds = TINY) -> dict[tuple[str, str], Measure]:
    return {(m.rule, m.state): m for m in measure(record, bounds)}


@pytest.mark.parametrize(
    ("balance", "risk", "contracts"),
    [("1000", 25, 2), ("5000", 12, 3), ("25000", 4, 5), ("100000", 1, 10)],
    ids=["tiny", "small", "medium", "large"],
)
def test_the_four_tiers_of_the_seed_document(balance: str, risk: int, contracts: int) -> None:
    """One contract at 2.50: 25 % of 1 000, 5 % of 5 000, 1 % of 25 000, 0.25 % of 100 000."""
    bounds = Bounds(risk_pct=Decimal(risk), max_contracts=contracts)
    position = held("1", "250", OPTION)
    measures = found(record(position, balance=balance, equity=balance), bounds)
    value = measures["position_risk", "over"]
    assert value.value == Decimal(250) / Decimal(balance) * 100
    assert value.of_equity_pct == value.value
    assert measures["position_contracts", "over"].value == 1
    log = AlertLog()
    assert log.update(record(position, balance=balance), bounds, 0) == []


def test_risk_is_measured_against_initial_balance_and_equity() -> None:
    measures = found(record(held("3", "300")))
    assert measures["position_risk", "over"].value == 30
    assert measures["position_risk", "over"].of_equity_pct == pytest.approx(Decimal("33.33333333"))


def test_contracts_count_by_order_and_by_position_and_stocks_have_none() -> None:
    options = record(held("2", "100", OPTION), orders=(buy("3", "0.10", OPTION),))
    measures = found(options)
    assert measures["position_contracts", "over"].value == 2
    assert measures["order_contracts", "over"].value == 3
    assert measures["position_contracts", "would_be"].value == 5
    assert ("position_contracts", "over") not in found(record(held("500", "100")))


def test_a_pending_order_is_what_would_be() -> None:
    news = AlertLog().update(record(held("1", "200"), orders=(buy("1", "100"),)), TINY, 5.0)
    assert [(a.rule, a.state, a.value, a.since) for a in news] == [
        ("position_risk", "would_be", "30", 5.0)
    ]
    closing = structs.replace(buy("1", "100"), side="sell")
    assert AlertLog().update(record(held("1", "200"), orders=(closing,)), TINY, 5.0) == []


def test_a_bound_that_one_contract_exceeds_cannot_be_met() -> None:
    large = Bounds(risk_pct=Decimal(1), max_contracts=10)
    dear = record(orders=(buy("1", "12", OPTION),), balance="100000", equity="100000")
    alert = next(a for a in AlertLog().update(dear, large, 0) if a.state == "cannot_be_met")
    assert (alert.value, alert.bound) == ("1.2", "1")
    assert alert.detail == "one costs 1200, the bound is 1000"


def test_an_alert_does_not_flap_at_its_bound() -> None:
    log = AlertLog()
    assert log.update(record(held("1", "250")), TINY, 0) == []  # at the bound is within it
    assert len(log.update(record(held("1", "251")), TINY, 1)) == 1
    assert log.update(record(held("1", "249")), TINY, 2) == []
    assert log.update(record(held("1", "252")), TINY, 3) == []
    assert log.update(record(held("1", "249")), TINY, 4) == []
    assert log.update(record(held("1", "249")), TINY, 63) == []
    (ended,) = log.update(record(held("1", "249")), TINY, 64)
    assert (ended.until, ended.worst, ended.since) == (64, "25.2", 1)
    assert len(log.update(record(held("1", "260")), TINY, 70)) == 1
    assert len(log.update(record(held("1", "200")), TINY, 71)) == 1  # below 95 % at once
    assert log.open() == []
    assert len(log.closed(0)) == 2


def test_without_bounds_or_balance_there_is_nothing_to_measure() -> None:
    assert AlertLog().update(record(held("1", "5000")), None, 0) == []
    bare = record(held("1", "5000"))
    profile = structs.replace(bare.profile, initial_balance=None)
    assert AlertLog().update(structs.replace(bare, profile=profile), TINY, 0) == []


def test_shares_and_coins_can_be_ordered_in_parts_so_no_bound_is_too_small_for_them() -> None:
    order = structs.replace(buy("1", "50000", "BTC/USD"), asset_class="crypto")
    news = AlertLog().update(record(orders=(order,)), TINY, 0)
    assert {alert.state for alert in news} == {"over", "would_be"}


def test_a_hidden_alert_shows_again_after_its_time_and_when_it_begins_again() -> None:
    log = AlertLog()
    (alert,) = log.update(record(held("1", "251")), TINY, 0)
    assert log.hide("alpha", alert.key, 100.0, "a person") is not None
    log.update(record(held("1", "252")), TINY, 50)
    assert [(a.hidden_by, a.value) for a in log.open()] == [("a person", "25.2")]
    log.update(record(held("1", "252")), TINY, 100)
    assert [a.hidden_by for a in log.open()] == [None]
    log.hide("alpha", alert.key, 500.0, "a person")
    log.update(record(held("1", "100")), TINY, 101)
    assert log.hide("alpha", alert.key, 500.0, "a person") is None
    log.update(record(held("1", "260")), TINY, 102)
    assert [a.hidden_until for a in log.open()] == [None]
