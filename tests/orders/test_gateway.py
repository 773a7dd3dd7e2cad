"""The gateway's own rules: whole batches, visible accounts, origins, replacements."""

from decimal import Decimal
from pathlib import Path

import pytest

from realtime.core.model import Order, OrderId
from realtime.orders.errors import Declined
from realtime.orders.order_request import OrderChanges
from realtime.orders.results import Placed
from realtime.orders.risk import Limits, RiskRules
from tests.orders.trading import ANYONE, broker, make_principal, order, trading
from tests.virtual import run

RESTING = {"type": "limit", "limit_price": "1", "account_id": "alpha"}


def test_an_account_that_a_principal_may_not_see_does_not_exist_for_any_call() -> None:
    async def main() -> set[str]:
        async with broker(accounts=2) as simulator, trading(simulator) as setup:
            gateway = setup.gateway
            placed = await setup.place(order(**RESTING))
            stranger = make_principal(accounts=frozenset({"bravo"}))
            codes = set()
            for call in (
                gateway.place(order(**RESTING), stranger),
                gateway.replace("alpha", placed.order.id, OrderChanges(qty=Decimal(2)), stranger),
                gateway.cancel("alpha", placed.order.id, stranger),
                gateway.cancel_all(["alpha"], stranger),
                gateway.close_position("alpha", "AAPL", stranger),
                gateway.find("alpha", "o", stranger),
            ):
                with pytest.raises(Declined) as error:
                    await call
                codes.add(error.value.code)
            return codes

    assert run(main) == {"unknown_account"}


def test_a_batch_has_a_result_for_each_order_in_its_place() -> None:
    async def main() -> list[str]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            refusal = Declined("invalid_order", "not read")
            results = await setup.place_all([order(**RESTING), refusal, order(symbol="NOSUCH")])
            return [
                "placed" if isinstance(result, Placed) else getattr(result, "code", "unknown")
                for result in results
            ]

    placed, refused, unknown = run(main)
    assert (placed, refused) == ("placed", "invalid_order")
    assert unknown.startswith("broker_")


def test_whose_order_it_is(tmp_path: Path) -> None:
    async def main() -> list[str]:
        async with broker(accounts=1) as simulator:
            other = Order(id=OrderId("o"), client_order_id="x")
            async with trading(simulator, journal=tmp_path / "orders.jsonl") as setup:
                placed = await setup.place(order(**RESTING))
                origins = [setup.gateway.get_origin("alpha", o) for o in (placed.order, other)]
            async with trading(simulator) as setup:
                return [*origins, setup.gateway.get_origin("alpha", other)]

    assert run(main) == ["ours", "other", "unknown"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (OrderChanges(qty=Decimal(11)), "guard_notional"),
        (OrderChanges(limit_price=Decimal(2)), "guard_notional"),
        (OrderChanges(), "invalid_order"),
        (OrderChanges(notional=Decimal(5)), "invalid_order"),
        (OrderChanges(trail=Decimal(1)), "invalid_order"),
        (OrderChanges(qty=Decimal(9)), None),
    ],
    ids=str,
)
def test_a_replacement_is_checked_as_the_order_that_results(
    changes: OrderChanges, code: str | None
) -> None:
    async def main() -> str | None:
        rules = RiskRules(limits=Limits(max_notional="10"))
        async with broker(accounts=1) as simulator, trading(simulator, rules=rules) as setup:
            placed = await setup.place(order(**RESTING, qty="10"))
            try:
                await setup.replace("alpha", placed.order.id, changes)
            except Declined as error:
                assert len(setup.at_broker("alpha")) == 1
                return error.code
            return None

    assert run(main) == code


def test_why_a_principal_may_not_trade() -> None:
    async def main() -> list[str | None]:
        async with broker(accounts=1) as simulator, trading(simulator, live=["alpha"]) as setup:
            refusals = [
                setup.gateway.find_refusal("alpha", principal)
                for principal in (ANYONE, make_principal(may_trade=False))
            ]
            return [None if refusal is None else refusal.code for refusal in refusals]

    assert run(main) == ["trading_disabled", "trading_not_permitted"]
