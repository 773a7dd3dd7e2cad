"""Totals: exact, of the accounts that were read, paper and real money apart."""

from msgspec import structs

from realtime.api.documents.accounts import make_account_row
from realtime.api.documents.timestamps import format_millis
from realtime.api.documents.totals import MoneyTotals, add_up
from realtime.store.records import Record
from tests.api.documents.made import ACCOUNT, DISABLED, LIVE, LOST, NOW, record, state_of


def with_equity(
    label: str, equity: str, *, paper: bool = True, confirmed_at: float = NOW
) -> Record:
    account = structs.replace(ACCOUNT, equity=equity)
    made = record(label, structs.replace(state_of(), account=account))
    profile = structs.replace(made.profile, paper=paper)
    return structs.replace(made, profile=profile, confirmed_at=confirmed_at)


def totals(*records: Record) -> list[MoneyTotals]:
    return add_up((each, make_account_row(each)) for each in records)


def test_paper_and_real_money_are_never_added_up() -> None:
    paper, real = totals(
        with_equity("alpha", "0.1"),
        with_equity("bravo", "0.2"),
        with_equity("charlie", "98765392200.55", paper=False),
    )
    assert (paper.paper, paper.equity, paper.accounts) == (True, "0.3", 2)
    assert (real.paper, real.equity, real.accounts) == (False, "98765392200.55", 1)


def test_a_sum_of_nothing_is_unknown_and_not_zero() -> None:
    unread = structs.replace(record("alpha"), state=structs.replace(state_of(), account=None))
    (only,) = totals(unread)
    assert (only.accounts, only.read) == (1, 0)
    sums = (only.equity, only.day_pl, only.cash, only.positions, only.open_orders)
    assert sums == (None,) * 5
    assert only.confirmed_at is None


def test_the_age_of_a_sum_is_that_of_its_oldest_part() -> None:
    (only,) = totals(with_equity("alpha", "1", confirmed_at=NOW - 600), with_equity("bravo", "1"))
    assert only.confirmed_at == format_millis(NOW - 600)


def test_disabled_accounts_are_not_missing() -> None:
    (only,) = totals(
        record("alpha", link=LIVE), record("bravo", link=LOST), record("charlie", link=DISABLED)
    )
    assert (only.accounts, only.stale) == (2, 1)
