"""Accounts that trade by themselves."""

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from realtime.simulator.account_presets import account_specs
from realtime.simulator.app import Simulator
from realtime.simulator.exchange.engine import Exchange, TradeUpdate
from realtime.simulator.traffic.scheduler import TrafficScheduler


class Day:
    """Hours of trading, as fast as they can be computed."""

    def __init__(self, accounts: int, activity: float, seed: int = 7) -> None:
        self.now = 0.0
        self.events: list[TradeUpdate] = []
        self.specs = account_specs(accounts)
        self.exchange = Exchange(seed=seed, clock=self.epoch_ns)
        for spec in self.specs:
            self.exchange.open_account(spec)
        self.traffic = TrafficScheduler(self.exchange, self.specs, seed=seed, activity=activity)
        self.exchange.on_update = self.note
        self.traffic.add_initial_orders(self.exchange.advance)

    def epoch_ns(self) -> int:
        return 1_795_000_000_000_000_000 + int(self.now * 1e9)

    def note(self, update: TradeUpdate) -> None:
        self.events.append(update)
        self.traffic.handle_event(update)

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds * 10)):
            self.now += 0.1
            for part in range(5):
                self.traffic.step(self.now + part / 50)
            self.exchange.advance()


@pytest.mark.slow
def test_rate_is_in_events_a_second() -> None:
    for rate in (0.5, 20.0, 300.0):
        day = Day(5, rate)
        day.run(10)
        before = len(day.events)
        day.run(100 if rate < 100 else 20)
        made = len(day.events) - before
        expected = rate * (100 if rate < 100 else 20)
        assert expected * 0.8 - 12 <= made <= expected * 1.2 + 12, rate


@pytest.mark.slow
def test_accounts_keep_trading_and_stay_solvent() -> None:
    """About 3 to 8 positions and 5 to 15 open orders, of every kind, and money left."""
    day = Day(4, 40)
    day.run(600)
    exchange = day.exchange
    for spec in day.specs:
        assert 2 <= len(exchange.positions(spec.label)) <= 9
        assert 3 <= len(exchange.orders(spec.label, {"limit": "500"})) <= 16
        assert Decimal(str(exchange.account(spec.label)["buying_power"])) > spec.cash / 4
    assert day.traffic.refused < len(day.events) / 500
    names = Counter(update.data["event"] for update in day.events)
    assert set(names) >= {"new", "fill", "partial_fill", "canceled", "replaced"}
    kinds = {(order["type"], order["asset_class"]) for order in map(_order, day.events)}
    assert {kind for kind, _ in kinds} >= {"market", "limit", "stop", "stop_limit", "trailing_stop"}
    assert {asset_class for _, asset_class in kinds} == {"us_equity", "us_option", "crypto"}
    assert any(_order(update)["order_class"] == "bracket" for update in day.events)
    assert any(str(update.data.get("position_qty")).startswith("-") for update in day.events)


def test_same_seed_is_the_same_day() -> None:
    first, again, other = (Day(3, 20, seed=seed) for seed in (7, 7, 8))
    for day in (first, again, other):
        day.run(30)
    assert [update.data for update in first.events] == [update.data for update in again.events]
    assert len(other.events) > 100
    assert first.events[0].data != other.events[0].data


def test_without_activity_nothing_happens() -> None:
    day = Day(3, 0)
    day.run(30)
    assert day.events == []


def test_only_coins_trade_while_the_stock_market_is_closed() -> None:
    day = Day(3, 20)
    day.exchange.set_market("closed")
    for label in day.exchange.labels:
        day.exchange.cancel_all(label)
    day.run(1)
    day.events.clear()
    day.run(30)
    assert {_order(update)["asset_class"] for update in day.events} == {"crypto"}


@pytest.mark.parametrize("activity", [0.0, 200.0])
async def test_traffic_runs_with_the_simulator(activity: float) -> None:
    async with Simulator(accounts=3, activity=activity) as sim:
        before = sim.status()["events"]
        await asyncio.sleep(0.1)
        assert (sim.status()["events"] != before) is bool(activity)


def _order(update: TradeUpdate) -> dict[str, object]:
    order = update.data["order"]
    assert isinstance(order, dict)
    return order
