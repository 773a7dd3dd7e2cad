"""An account marked to market, as clients see it."""

from decimal import Decimal

import msgspec
from msgspec import UNSET, structs

from realtime.api.documents.accounts import make_account_row
from realtime.api.documents.dashboard import make_dashboard
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.mark_totals import add_up_marks, make_mark_totals
from realtime.api.documents.marks import make_mark
from realtime.api.documents.summary import sum_marks
from realtime.core.mark import AccountMark, PriceCounts
from realtime.core.mark_error import ErrorWindow, MarkError
from realtime.core.model import AccountLabel
from realtime.core.state import AccountState
from realtime.store.records import Profile, Record
from realtime.store.scoped_store import ScopedStore
from realtime.store.store import Store
from tests.api.documents.made import ACCOUNT, LIVE, NOW

ALPHA = AccountLabel("alpha")


def mark(equity: str | None = "100214.804", **fields: object) -> AccountMark:
    errors = ErrorWindow()
    for cents in range(1, 5):
        error = Decimal(cents) / 100
        errors.add(MarkError(error=-error, naive=error, equity=Decimal(100_000)))
    made = AccountMark(
        label=ALPHA,
        seq=7,
        at=NOW,
        equity=None if equity is None else Decimal(equity),
        cash=Decimal("5000.50"),
        long_market_value=Decimal(1000),
        short_market_value=Decimal("-200.005"),
        unrealized_pl=Decimal("-3.1"),
        unrealized_intraday_pl=Decimal(0),
        last_equity=Decimal(100_000),
        last_equity_source="broker",
        prices=PriceCounts(fresh=2, old=1, halted=("NVDA",)),
        price_at=NOW - 12,
        feed="iex",
        session="regular",
        is_provisional=False,
        is_stale=False,
        equity_rest=Decimal("100281.40"),
        equity_rest_at=NOW - 30,
        error=errors.summary,
    )
    return structs.replace(made, **fields)


def record(of: AccountMark | None) -> Record:
    state = AccountState(account=structs.replace(ACCOUNT, maintenance_margin="300"))
    return Record(profile=Profile(label=ALPHA), state=state, link=LIVE, version=3, mark=of)


def test_amounts_are_strings_to_the_cent() -> None:
    document = make_mark(record(mark()))
    assert document is not None
    assert (document.equity, document.equity_rest) == ("100214.8", "100281.4")
    assert (document.short_market_value, document.unrealized_pl) == ("-200", "-3.1")
    assert (document.day_pl, document.day_pl_pct) == ("214.8", "0.2148")
    assert document.maintenance_cushion == "99914.8"
    assert document.indicative is True
    assert document.prices.halted == ("NVDA",)


def test_the_error_is_shown_in_money_and_basis_points() -> None:
    document = make_mark(record(mark()))
    assert document is not None
    assert document.error is not None
    assert structs.astuple(document.error) == (
        *(4, "0.02", "0.04", "0.04"),
        *("0", "0", "0"),
        "-0.04",
    )


def test_an_unknown_equity_is_null_and_never_zero() -> None:
    document = make_mark(record(mark(None, prices=PriceCounts(fresh=0, old=0, unpriced=("MRUS",)))))
    assert document is not None
    assert (document.equity, document.day_pl, document.maintenance_cushion) == (None, None, None)
    assert document.prices.unpriced == ("MRUS",)


def test_documents_without_market_data_do_not_mention_marks() -> None:
    plain = record(None)
    assert make_mark(plain) is None
    for document in (make_account_row(plain), make_dashboard(plain)):
        assert b"mark" not in ENCODER.encode(document)


def test_dashboard_and_row_show_the_mark_beside_the_broker_s_equity() -> None:
    marked = record(mark())
    row = make_account_row(marked)
    assert (row.equity, row.equity_mark, row.day_pl_mark) == ("100281.40", "100214.8", "214.8")
    dashboard = msgspec.json.decode(ENCODER.encode(make_dashboard(marked)))
    assert dashboard["account"]["equity"] == "100281.40"
    assert dashboard["equity_mark"]["equity"] == "100214.8"


def test_a_sum_with_an_unknown_mark_is_unknown() -> None:
    rows = [make_account_row(record(mark(equity))) for equity in ("1", "2.5", None)]
    marks = [row.equity_mark for row in rows]
    assert sum_marks(marks[:2]) == "3.5"
    assert sum_marks(marks) is None
    assert sum_marks([make_account_row(record(None)).equity_mark]) is UNSET


def test_totals_of_a_client_that_sees_some_accounts_have_these_only() -> None:
    store = Store(boot="b00t")
    for label, tier, paper in (
        ("alpha", "large", True),
        ("bravo", "large", True),
        ("charlie", None, False),
    ):
        name = AccountLabel(label)
        store.add(Profile(label=name, tier=tier, paper=paper), now=NOW)
        store.set_mark(structs.replace(mark("100.005"), label=name), now=NOW)
    seen = make_mark_totals(add_up_marks(ScopedStore(store, frozenset({"alpha", "charlie"}))))
    assert [(t.tier, t.paper, t.accounts, t.equity_mark) for t in seen.by_tier] == [
        ("large", True, 1, "100"),
        ("", False, 1, "100"),
    ]
    everything = make_mark_totals(add_up_marks(store))
    assert [(t.accounts, t.equity_mark) for t in everything.by_tier] == [(2, "200"), (1, "100")]


def test_one_unknown_mark_makes_the_tier_s_sum_unknown() -> None:
    store = Store(boot="b00t")
    for label, equity in (("alpha", "1"), ("bravo", None)):
        name = AccountLabel(label)
        store.add(Profile(label=name), now=NOW)
        store.set_mark(structs.replace(mark(equity), label=name), now=NOW)
    (tier,) = make_mark_totals(add_up_marks(store)).by_tier
    assert (tier.accounts, tier.unknown, tier.equity_mark, tier.day_pl_mark) == (2, 1, None, None)
