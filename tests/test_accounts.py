"""The library: the same gateway without the daemon, all accounts in parallel, each for itself."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs

import realtime
from realtime.accounts import Accounts
from realtime.config.settings import OrdersSettings
from realtime.core.model import Account
from realtime.errors import Refused
from realtime.orders.errors import Declined
from realtime.orders.results import Placed
from realtime.simulator.app import Simulator
from tests.fleet import settings_for
from tests.orders.trading import broker
from tests.virtual import VirtualConnector, run, wall_clock

BUY = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


def accounts_of(simulator: Simulator, folder: Path) -> Accounts:
    settings = settings_for(simulator, list(simulator.exchange.labels), {})
    orders = OrdersSettings(audit_log=folder / "orders.jsonl")
    return Accounts(
        structs.replace(settings, orders=orders),
        make_connector=lambda: VirtualConnector(limit=0),
        clock=wall_clock,
        rng=random.Random(1),
    )


def test_all_in_parallel_and_each_for_itself(tmp_path: Path) -> None:
    async def main() -> None:
        async with broker() as simulator, accounts_of(simulator, tmp_path) as accounts:
            simulator.add_fault({"kind": "unauthorized", "account": "bravo"})
            simulator.add_fault({"kind": "latency", "seconds": 1})
            began = asyncio.get_running_loop().time()
            figures = await accounts.get_accounts()
            assert asyncio.get_running_loop().time() - began < 1.5
            assert isinstance(figures["alpha"], Account)
            assert isinstance(figures["bravo"], Refused)
            assert isinstance((await accounts.verify_credentials())["charlie"], str)
            assert (await accounts.get_positions())["alpha"] == ()
            outcomes = await accounts.place_orders(
                [BUY | {"account_id": "alpha"}, BUY | {"account_id": "bravo"}, {"symbol": "x"}]
            )
            assert [type(each) for each in outcomes] == [Placed, Declined, Declined]

    run(main)


def test_one_account(tmp_path: Path) -> None:
    async def main() -> None:
        async with broker() as simulator, accounts_of(simulator, tmp_path) as accounts:
            alpha = accounts.account("alpha")
            placed = await alpha.place_order(**BUY, key="k")
            again = await alpha.place_order(**BUY, key="k")
            assert placed.order.id == again.order.id
            await asyncio.sleep(2)
            assert [p.qty for p in await alpha.get_positions()] == ["1"]
            resting = await alpha.place_order(**(BUY | {"type": "limit", "limit_price": "1"}))
            await alpha.cancel_order(resting.order.id)
            await asyncio.sleep(11)
            assert {o.status for o in await alpha.get_orders()} == {"filled", "canceled"}
            closed = await accounts.close_all_positions()
            assert [each.state for each in closed.values()] == ["flat"] * 3  # type: ignore[union-attr]  # none was refused
            with pytest.raises(Declined, match="3 accounts"):
                await accounts.place_order(**BUY)

    run(main)


def test_import_stays_cheap() -> None:
    program = "import sys, realtime; print('aiohttp' in sys.modules, hasattr(realtime, 'Accounts'))"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert answer.stdout == "False True\n"
    assert realtime.Accounts is Accounts
    with pytest.raises(AttributeError):
        realtime.Nonsense  # type: ignore[attr-defined]  # noqa: B018 - that is the test
