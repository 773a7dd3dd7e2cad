"""Weeks of invented trading before the start, as the REST interface serves them."""

from decimal import Decimal
from typing import Any

import pytest

from realtime.simulator.app import Simulator
from realtime.simulator.exchange.timestamps import SECOND

NOW = 1_796_137_200 * SECOND  # Monday, 30 November 2026, 15:00 UTC


@pytest.mark.slow
def test_cash_activities_orders_and_portfolio_history_agree() -> None:
    exchange = Simulator(accounts=5, seed=7, clock=lambda: NOW, past_days=30).exchange
    for label in exchange.labels:
        books: Any = exchange.books(label)
        assert exchange.positions(label) == []
        fills: Any = exchange.activities(label, {"activity_types": "FILL", "direction": "asc"})
        assert len(fills) >= 50
        orders: Any = exchange.orders(label, {"status": "closed", "limit": "500"})
        assert len(orders) == len(books["executions"])
        assert {order["status"] for order in orders} == {"filled"}
        cash = Decimal(books["cash"])
        flows: Any = exchange.activities(label, {"category": "non_trade_activity"})
        paid_in = sum(Decimal(row["net_amount"]) for row in flows)
        gains = sum(Decimal(execution["cash_delta"]) for execution in books["executions"])
        assert cash == paid_in + gains
        history: Any = exchange.portfolio_history(label, {"period": "1A", "timeframe": "1D"})
        assert Decimal(str(history["equity"][-1])) == cash
        opened = Decimal(str(history["equity"][0]))
        assert opened == sum(
            Decimal(r["net_amount"]) for r in flows if r["activity_type"] == "JNLC"
        )


def test_the_first_account_is_skilled_and_the_third_copies_it() -> None:
    exchange = Simulator(accounts=4, seed=7, clock=lambda: NOW, past_days=30).exchange

    def gain(label: str) -> Decimal:
        history: Any = exchange.portfolio_history(label, {"period": "1A", "timeframe": "1D"})
        first, last = (Decimal(str(history["equity"][at])) for at in (0, -1))
        return last / first - 1

    alpha, bravo, charlie = (gain(label) for label in ("alpha", "bravo", "charlie"))
    assert alpha > Decimal("0.015")
    assert charlie > Decimal("0.01")
    assert abs(bravo) < Decimal("0.015")


def test_without_a_past_nothing_is_booked() -> None:
    exchange = Simulator(accounts=1, seed=7, clock=lambda: NOW).exchange
    assert exchange.orders("alpha", {"status": "all"}) == []
