"""Deposits and withdrawals are read at sync, hourly, and when the cash changes without a fill."""

import asyncio
from decimal import Decimal

import pytest

from realtime.api.documents.accounts import make_account_row
from realtime.sync import flows
from realtime.sync.flows import CHECK_INTERVAL_S, MIN_INTERVAL_S
from tests.fleet import Fleet
from tests.sync.scene import play

BALANCE = "1000000"


def total_pl(fleet: Fleet) -> tuple[str | None, str | None]:
    row = make_account_row(fleet.record("alpha"))
    return row.net_flows, row.total_pl


def flow_reads(fleet: Fleet) -> int:
    net_flows = fleet.record("alpha").net_flows
    return 0 if net_flows is None else int(net_flows.read_at)


def test_deposit_is_no_profit() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: fleet.record("alpha").net_flows is not None, within_s=20)
        assert total_pl(fleet) == ("0", "0")
        await asyncio.sleep(MIN_INTERVAL_S)
        fleet.simulator.exchange.deposit("alpha", "500")
        fleet.simulator.exchange.deposit("alpha", "-120.5")
        await fleet.until(lambda: total_pl(fleet)[0] == "379.5", within_s=60 + 3 * CHECK_INTERVAL_S)
        account = fleet.record("alpha").state.account
        assert account is not None
        assert Decimal(account.equity or "0") == Decimal("1000379.5")
        assert total_pl(fleet)[1] == "0"

    play(act, accounts=1, initial_balance=BALANCE)


def test_flows_are_read_on_a_schedule_and_not_after_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    interval_s = 300.0  # virtual time costs processor time, too
    monkeypatch.setattr(flows, "INTERVAL_S", interval_s)

    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: fleet.record("alpha").net_flows is not None, within_s=20)
        first = flow_reads(fleet)
        fleet.buy("alpha", qty="3")
        await asyncio.sleep(interval_s / 2)
        assert flow_reads(fleet) == first
        await asyncio.sleep(interval_s / 2)
        assert flow_reads(fleet) > first

    play(act, accounts=1, initial_balance=BALANCE)


def test_flows_are_not_read_without_an_initial_balance() -> None:
    async def act(fleet: Fleet) -> None:
        await asyncio.sleep(10)
        assert fleet.record("alpha").net_flows is None
        assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("flows:")]

    play(act, accounts=1)


def test_failed_read_of_flows_is_logged_and_tried_again() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.until(lambda: fleet.links["alpha"].is_synced)
        assert fleet.record("alpha").net_flows is None
        await fleet.fault(kind="server_error", account="alpha", status=503, for_s=30)
        await asyncio.sleep(30)
        await fleet.until(
            lambda: fleet.record("alpha").net_flows is not None, within_s=2 * MIN_INTERVAL_S
        )

    play(act, accounts=1, initial_balance=BALANCE, synced_first=False)
