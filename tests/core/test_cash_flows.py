"""Deposits and withdrawals since the initial balance, and when they cannot be known."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.cash_flows import CashFlow, get_net_flows, new_york_date
from realtime.core.model import Account
from tests.api.documents.made import ACCOUNT

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


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("now", "today"),
    [
        ("2026-10-06T20:00:00-04:00", "379.5"),
        ("2026-10-06T00:00:01-04:00", "379.5"),
        ("2026-10-07T09:30:00-04:00", "0"),  # contained in last_equity
        ("2026-10-05T23:59:59-04:00", "379.5"),  # dated ahead of us: not contained
    ],
)
def test_flows_of_today_are_those_after_the_last_close(now: str, today: str) -> None:
    flows = [OPENING, flow(1, "CSD", "500"), flow(2, "CSW", "-120.50")]
    result = get_net_flows(
        flows, account=ACCOUNT, initial_balance="100000", is_complete=True, now=epoch(now)
    )
    assert result.today == today


@pytest.mark.parametrize(
    ("now", "today"),
    [
        ("2026-10-03T12:00-04:00", "7"),
        ("2026-10-05T12:00-04:00", "7"),
        ("2026-10-06T12:00-04:00", "0"),
    ],
)
def test_the_last_close_of_a_monday_is_fridays(now: str, today: str) -> None:
    """A deposit of Saturday the 3rd is not in the equity of Friday's close."""
    flows = [OPENING, flow(1, "CSD", "7", date="2026-10-03")]
    result = get_net_flows(
        flows, account=ACCOUNT, initial_balance="100000", is_complete=True, now=epoch(now)
    )
    assert result.today == today


def test_the_initial_balance_is_no_flow_of_today() -> None:
    """An account that was opened today has no last equity to compare with, and no gain."""
    opening = flow(0, "JNLC", "100000", date="2026-10-06")
    now = epoch("2026-10-06T12:00-04:00")
    result = get_net_flows(
        [opening], account=ACCOUNT, initial_balance="100000", is_complete=True, now=now
    )
    assert result.today == "0"


def test_unknown_flows_are_unknown_today() -> None:
    result = get_net_flows(
        [flow(1, "JNLS", "1")],
        account=ACCOUNT,
        initial_balance="1",
        is_complete=True,
        now=NOW,
    )
    assert result.today is None


@given(st.floats(min_value=1.2e9, max_value=2.2e9))
def test_the_date_in_new_york_is_that_of_the_time_zone_database(now: float) -> None:
    assert new_york_date(now) == datetime.fromtimestamp(now, ZoneInfo("America/New_York")).date()
