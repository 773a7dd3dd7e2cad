"""Deposits and withdrawals since the initial balance, and when they cannot be known."""

import pytest

from realtime.core.cash_flows import CashFlow, get_net_flows
from realtime.core.model import Account

NOW = 1_790_000_000.0


def flow(number: int, kind: str, amount: str | None, **more: str) -> CashFlow:
    date = more.pop("date", "2026-10-06")
    return CashFlow(
        id=f"2026100609000{number:04}::x", activity_type=kind, net_amount=amount, date=date, **more
    )


OPENING = flow(0, "JNLC", "100000", date="2026-10-01")


@pytest.mark.parametrize(
    ("flows", "initial_balance", "net"),
    [
        ([], "100000", "0"),
        ([OPENING], "100000.00", "0"),
        ([OPENING, flow(1, "CSD", "500"), flow(2, "CSW", "-120.50")], "100000", "379.5"),
        ([flow(2, "CSW", "-120.50"), OPENING, flow(1, "CSD", "500")], "100000", "379.5"),
        # An account that was funded in two parts.
        ([flow(0, "CSD", "25000"), flow(1, "CSD", "10000"), flow(2, "CSD", "1")], "35000", "1"),
        # An initial balance that is not the opening balance: the opening itself is no flow.
        ([OPENING, flow(1, "CSD", "500")], "50000", "500"),
        ([OPENING, flow(1, "CSD", "500", status="canceled")], "100000", "0"),
        (
            [OPENING, flow(1, "CSD", "500"), flow(2, "CSD", "-500", status="correct")],
            "100000",
            "500",
        ),
    ],
)
def test_net_flows_exclude_the_initial_balance(
    flows: list[CashFlow], initial_balance: str, net: str
) -> None:
    account = Account(id="a", account_number="PA0EXAMPLE01", created_at="2026-10-01T10:00:00Z")
    result = get_net_flows(
        flows, account=account, initial_balance=initial_balance, is_complete=True, now=NOW
    )
    assert (result.net, result.unknown, result.account_id) == (net, None, "a")


@pytest.mark.parametrize(
    ("flows", "is_complete", "unknown"),
    [
        ([OPENING], False, "too many"),
        ([OPENING, flow(1, "JNLS", None)], True, "securities"),
        ([OPENING, flow(1, "ACATS", "0")], True, "securities"),
        ([flow(1, "CSD", "25100")], True, "add up"),
        ([OPENING, flow(1, "CSD", None)], True, "without an amount"),
    ],
)
def test_net_flows_are_unknown_rather_than_wrong(
    flows: list[CashFlow], is_complete: bool, unknown: str
) -> None:
    account = Account(id="a", account_number="PA0EXAMPLE01", created_at="2026-09-01T10:00:00Z")
    result = get_net_flows(
        flows, account=account, initial_balance="25000", is_complete=is_complete, now=NOW
    )
    assert result.net is None
    assert unknown in (result.unknown or "")
