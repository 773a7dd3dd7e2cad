"""What alpaca-py meets at the daemon and not at the broker: no order twice, whatever happens."""

from time import sleep
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import GetOrdersRequest, MarketOrderRequest

from realtime.simulator.app import Simulator
from tests.compat.localhost import Localhost
from tests.compat.trader import Trader

pytestmark = [
    pytest.mark.compat,
    pytest.mark.parametrize("target", ["localhost"], indirect=True),
]

BUY = MarketOrderRequest(symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)


def count_orders(trader: Trader) -> int:
    """How many orders the exchange has of the account."""

    def count(sim: Simulator) -> int:
        return len(sim.exchange.orders(trader.label, {"status": "all", "limit": "500"}))

    return trader.broker.call(count)


@pytest.mark.parametrize(
    ("fault", "is_answered"),
    [
        ({"kind": "accepted_but_504", "count": 3}, True),
        ({"kind": "server_error", "status": 500, "count": 1}, False),
        ({"kind": "server_error", "status": 504, "count": 1}, False),
        ({"kind": "rate_limited", "count": 1, "headers": False}, False),
    ],
)
def test_faults_make_one_order_at_most(
    trader: Trader, fault: dict[str, Any], is_answered: bool
) -> None:
    """The SDK repeats on 429 and 504 by itself: directly that makes up to four orders."""
    trader.client._retry_wait = 0.05
    trader.broker.fault(**fault, account=trader.label, method="POST")
    if is_answered:
        order = trader.client.submit_order(BUY)
        assert order.client_order_id.startswith("rt-")
        assert str(trader.client.get_order_by_id(order.id).id) == str(order.id)
    else:
        with pytest.raises(APIError) as refused:
            trader.client.submit_order(BUY)
        assert refused.value.status_code in (429, 500)
        assert refused.value.code in (42910000, 50010000)
    assert count_orders(trader) == is_answered


def test_orders_are_read_right_after_they_were_placed(trader: Trader) -> None:
    """Always, and without a request to the broker."""
    for placed in range(1, 11):
        order = trader.client.submit_order(BUY)
        query = GetOrdersRequest(status=QueryOrderStatus.ALL, limit=500)
        listed = [each.id for each in trader.client.get_orders(query)]
        assert order.id in listed
        assert len(listed) == placed == count_orders(trader)


def test_reads_cost_no_request(trader: Trader) -> None:
    def requests(sim: Simulator) -> int:
        return sim.counters.get(trader.label).get("requests", 0)

    before = trader.broker.call(requests)
    for _ in range(200):
        trader.client.get_account()
        trader.client.get_all_positions()
        trader.client.get_orders()
    assert trader.broker.call(requests) - before <= 10  # those that keep the state in sync


def test_same_address_serves_trading_and_its_account_only(
    target: Localhost, trader: Trader
) -> None:
    wrong: Any = trader.log_in(secret="demo-secret-other")
    with pytest.raises(APIError) as refused:
        wrong.submit_order(BUY)
    assert refused.value.status_code == 401
    assert count_orders(trader) == 0


def test_ten_streams_of_one_account_share_the_daemon_s_own(trader: Trader) -> None:
    """Unmodified `TradingStream`s: every event arrives once at each, over one socket."""

    def sockets(sim: Simulator) -> int:
        return sim.counters.get(trader.label).get("authorized", 0)

    before = trader.broker.call(sockets)
    listeners = [trader.listen() for _ in range(10)]
    for listener in listeners:
        listener.start()
    waiting = list(listeners)
    while waiting:  # they listen once an order's event arrives
        trader.client.submit_order(BUY)
        trader.broker.settle()
        waiting = [listener for listener in waiting if listener.updates.empty()]
        sleep(0.05)
    for listener in listeners:
        while not listener.updates.empty():
            listener.updates.get()
    order = trader.client.submit_order(BUY)
    trader.broker.settle()
    for listener in listeners:
        mine: list[Any] = []
        while not mine or mine[-1].event != "fill" or mine[-1].order.id != order.id:
            mine.append(listener.next())
        fills = [u for u in mine if u.order.id == order.id and u.event == "fill"]
        assert len(fills) == 1
    assert trader.broker.call(sockets) == before
    for listener in listeners:
        listener.stream.stop()
