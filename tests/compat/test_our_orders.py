"""What alpaca-py sees after the daemon's orders: none twice, none lost, all as reported."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import GetOrdersRequest, MarketOrderRequest

from realtime.accounts import Accounts
from realtime.config.settings import AccountSettings, AlpacaSettings, OrdersSettings, Settings
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.results import Placed
from realtime.secret import Credentials, Secret
from tests.compat.trader import Trader

pytestmark = pytest.mark.compat

BUY = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
REST = {**BUY, "symbol": "MSFT", "type": "limit"}
FAULTS: dict[str, dict[str, Any]] = {
    "504 after acceptance": {"kind": "accepted_but_504", "count": 5},
    "503": {"kind": "server_error", "status": 503, "count": 3},
    "slow": {"kind": "latency", "seconds": 0.3},
}


def ours(trader: Trader, folder: Path) -> Accounts:
    """The same account through our gateway."""
    key = Credentials(
        key_id=Secret(f"demo-{trader.label}"), secret_key=Secret(f"demo-secret-{trader.label}")
    )
    account = AccountSettings(label=trader.label, trading_url=trader.broker.url, credentials=key)
    return Accounts(
        Settings(
            path=folder / "accounts.toml",
            alpaca=AlpacaSettings(),
            orders=OrdersSettings(audit_log=folder / "orders.jsonl"),
            accounts=(account,),
        )
    )


def seen(trader: Trader) -> list[Any]:
    """Every order of the account, as alpaca-py lists them."""
    query = GetOrdersRequest(status=QueryOrderStatus.ALL, limit=500)
    return list(trader.client.get_orders(query))


def test_repeated_posts_are_sent_once(trader: Trader, tmp_path: Path) -> None:
    """Three times the broker takes the order and answers 504. The SDK repeats the order blindly;
    we ask whether it is there."""
    trader.client._retry_wait = 0
    asked = MarketOrderRequest(
        symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
    )
    trader.broker.fault("accepted_but_504", account=trader.label, method="POST", count=3)
    trader.client.submit_order(asked)
    theirs = {order.id for order in seen(trader)}
    assert len(theirs) == 4

    async def place() -> Placed:
        async with ours(trader, tmp_path) as accounts:
            return await accounts.account(trader.label).place_order(**BUY)

    trader.broker.fault("accepted_but_504", account=trader.label, method="POST", count=3)
    placed = asyncio.run(place())
    trader.broker.call(lambda sim: sim.faults.clear())
    (order,) = [order for order in seen(trader) if order.id not in theirs]
    assert (str(order.id), order.client_order_id) == (placed.order.id, placed.client_order_id)
    assert placed.how == "recovered"


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_stream_and_rest_agree(trader: Trader, tmp_path: Path, fault: Mapping[str, Any]) -> None:
    """Ten orders at once under a fault, each insisted on: ten orders, each as in our answer."""
    wanted = [f"{trader.label}-{n}" for n in range(10)]

    async def insist() -> dict[str, Placed]:
        placed: dict[str, Placed] = {}
        async with ours(trader, tmp_path) as accounts:
            for _ in range(6):
                left = [name for name in wanted if name not in placed]
                orders = [{**BUY, "account_id": trader.label, "client_order_id": n} for n in left]
                outcomes = await accounts.place_orders(orders)
                for name, outcome in zip(left, outcomes, strict=True):
                    if isinstance(outcome, Placed):
                        placed[name] = outcome
                    check_no(trader, name, outcome)
                if len(placed) == len(wanted):
                    break
        return placed

    trader.broker.fault(**fault, account=trader.label, method="POST")
    placed = asyncio.run(insist())
    trader.broker.call(lambda sim: sim.faults.clear())
    trader.broker.settle()
    listed = seen(trader)
    assert sorted(order.client_order_id for order in listed) == sorted(wanted)
    for order in listed:
        result = placed[order.client_order_id].order
        assert (str(order.id), order.symbol, order.qty) == (result.id, result.symbol, result.qty)
    assert trader.client.get_open_position("AAPL").qty == "10"


def check_no(trader: Trader, name: str, outcome: Placed | Declined | Unresolved) -> None:
    """A decided no is one: alpaca-py finds no such order."""
    if isinstance(outcome, Declined):
        with pytest.raises(APIError):
            trader.client.get_order_by_client_id(name)


def test_every_change_whose_answer_is_lost_is_done_once(trader: Trader, tmp_path: Path) -> None:
    """Replaced, closed in part, canceled: as the SDK sees it, and as the daemon reported it."""
    label, settle = trader.label, trader.broker.settle

    def lose(method: str) -> None:
        trader.broker.fault("accepted_but_504", account=label, method=method, count=1)

    async def change() -> tuple[Placed, Placed, Placed, Placed]:
        async with ours(trader, tmp_path) as accounts:
            one = accounts.account(label)
            bought = await one.place_order(**{**BUY, "qty": "10"})
            await asyncio.to_thread(settle)
            resting = await one.place_order(**{**REST, "limit_price": "1"})
            lose("PATCH")
            replaced = await one.replace_order(resting.order.id, limit_price="2")
            lose("POST")
            closed = await one.close_position("AAPL", qty="4")
            await asyncio.to_thread(settle)
            lose("DELETE")
            await one.cancel_order(replaced.order.id)
            await asyncio.to_thread(settle)
            return bought, resting, replaced, closed

    results = asyncio.run(change())
    states = [trader.status(each.order) for each in results]
    assert states == ["filled", "replaced", "canceled", "filled"]
    assert {str(order.id) for order in seen(trader)} == {each.order.id for each in results}
    assert trader.client.get_open_position("AAPL").qty == "6"
