from typing import get_args

import msgspec
import pytest
from msgspec import structs

from realtime.api.documents.accounts import (
    AccountRow,
    AccountsQuery,
    Column,
    is_selected,
    make_account_row,
    sort_rows,
)
from realtime.core.cash_flows import NetFlows
from realtime.core.state import EMPTY
from tests.api.documents.made import ACCOUNT, BOOKS, NOW, fleet, record

ROWS = [make_account_row(each) for each in fleet()]


def labels(**asked: object) -> list[str]:
    return [row.account_id for row in sort_rows(ROWS, msgspec.convert(asked, AccountsQuery))]


def test_row_has_the_figures_of_its_record() -> None:
    row = make_account_row(record(state=BOOKS))
    assert (row.equity, row.day_pl, row.positions, row.open_orders) == ("100281.40", "281.4", 3, 2)


def test_unknown_figures_are_null() -> None:
    row = make_account_row(record(state=EMPTY))
    unknown = ("equity", "last_equity", "cash", "buying_power", "day_pl", "positions")
    assert all(getattr(row, column) is None for column in (*unknown, "open_orders"))


@pytest.mark.parametrize(
    ("equity", "last_equity", "expected"),
    [
        ("100.1", "100.2", "-0.1"),
        ("100", "100.00", "0"),
        ("0.3", "0.1", "0.2"),
        ("5", None, None),
        (None, "5", None),
        ("", "5", None),
    ],
)
def test_day_pl_is_exact_or_unknown(
    equity: str | None, last_equity: str | None, expected: str | None
) -> None:
    base = record()
    assert base.state.account is not None
    account = msgspec.structs.replace(base.state.account, equity=equity, last_equity=last_equity)
    made = record(state=msgspec.structs.replace(base.state, account=account))
    assert make_account_row(made).day_pl == expected


def test_money_sorts_by_value_and_unknown_values_come_last_in_both_directions() -> None:
    assert labels(sort="equity") == ["delta", "alpha", "bravo", "charlie", "echo"]
    assert labels(sort="equity", order="desc") == ["alpha", "bravo", "delta", "charlie", "echo"]


@pytest.mark.parametrize("column", get_args(Column))
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_column_sorts_and_keeps_every_row(column: str, order: str) -> None:
    assert sorted(labels(sort=column, order=order)) == [row.account_id for row in ROWS]


def test_columns_are_the_fields_of_a_row() -> None:
    assert get_args(Column) == ("configured", *AccountRow.__struct_fields__)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["alpha", "bravo", "charlie", "delta", "echo"]),
        ({"state": ("synced",)}, ["alpha", "delta"]),
        ({"state": ("synced", "refused"), "tier": ("basic",)}, ["charlie", "delta"]),
        ({"account_id": ("echo", "alpha")}, ["alpha", "echo"]),
        ({"tier": ("gold",)}, []),
    ],
)
def test_filters(asked: dict[str, object], expected: list[str]) -> None:
    query = msgspec.convert(asked, AccountsQuery)
    assert [each.profile.label for each in fleet() if is_selected(each, query)] == expected


FLOWS = NetFlows(account_id=ACCOUNT.id, initial_balance="100000", net="150.00", read_at=NOW)


@pytest.mark.parametrize(
    ("initial_balance", "flows", "expected"),
    [
        ("100000", FLOWS, ("150.00", "131.4", "0.1314", None)),
        ("100000", None, (None, None, None, "deposits and withdrawals were not read yet")),
        # Flows of another initial balance, or of the account that had the label before.
        ("90000", FLOWS, (None, None, None, "deposits and withdrawals were not read yet")),
        (
            "100000",
            structs.replace(FLOWS, account_id="other"),
            (None, None, None, "deposits and withdrawals were not read yet"),
        ),
        (
            "100000",
            structs.replace(FLOWS, net=None, unknown="securities were transferred"),
            (None, None, None, "securities were transferred"),
        ),
        (None, FLOWS, (None, None, None, "no initial_balance is configured")),
    ],
)
def test_total_pl_excludes_deposits_or_states_why_it_is_unknown(
    initial_balance: str | None,
    flows: NetFlows | None,
    expected: tuple[str | None, str | None, str | None, str | None],
) -> None:
    original = record()
    profile = structs.replace(original.profile, initial_balance=initial_balance)
    row = make_account_row(structs.replace(original, profile=profile, net_flows=flows))
    assert (row.net_flows, row.total_pl, row.total_pl_pct, row.total_pl_unknown) == expected
