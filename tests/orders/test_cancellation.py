"""Cancels: of every account, whatever becomes of one of them."""

import pytest

from realtime.orders.errors import Declined
from tests.orders.trading import ANYONE, broker, make_principal, order, trading
from tests.virtual import run

RESTING = {"type": "limit", "limit_price": "1"}


def test_the_failure_of_one_account_stays_in_it() -> None:
    async def main() -> dict[str, list[int]]:
        async with broker(accounts=3) as simulator, trading(simulator) as setup:
            for label in ("alpha", "bravo", "charlie"):
                await setup.place(order(account_id=label, **RESTING))
            simulator.add_fault(
                {"kind": "rate_limited", "account": "bravo", "method": "DELETE", "count": 9}
            )
            orders = await setup.gateway.cancel_all(["alpha", "bravo", "charlie"], ANYONE)
            statuses: dict[str, list[int]] = {}
            for item in orders:
                statuses.setdefault(item.account_id, []).append(item.status)
            return statuses

    assert run(main) == {"alpha": [200], "bravo": [503], "charlie": [200]}


def test_a_cancel_passes_a_halt_and_a_full_disk_but_not_a_missing_permission() -> None:
    async def main() -> str:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            placed = await setup.place(order(**RESTING))
            setup.gateway.kill_switch.halt(None, reason="", principal="ops")
            reader = make_principal(may_trade=False)
            with pytest.raises(Declined) as error:
                await setup.gateway.cancel("alpha", placed.order.id, reader)
            await setup.cancel("alpha", placed.order.id)
            return error.value.code

    assert run(main) == "trading_not_permitted"


@pytest.mark.parametrize("order_id", ["..", "", "a" * 36, "773742DA-1CFC-4D9C-AC52-D118E6135AFA"])
def test_a_text_that_is_no_order_id_is_unknown_here(order_id: str) -> None:
    async def main() -> tuple[str, bool, int]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            with pytest.raises(Declined) as error:
                await setup.cancel("alpha", order_id)
            return error.value.code, error.value.reached_broker, setup.posts("alpha")

    assert run(main) == ("broker_knows_not", False, 0)
