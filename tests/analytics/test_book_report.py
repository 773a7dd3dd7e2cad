"""The books of one account as a document."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.analytics.book_report import (
    BookRow,
    BooksDocument,
    BooksRequest,
    BrokerPosition,
    OpenOrder,
    make_book_report,
)
from realtime.core.model import Order, OrderId
from tests.analytics.ledgers import LedgerScene, after, days

DAYS = days(3)
BOOKS = {"momentum": "mom-", "pairs": "prs-"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerScene]:
    scene = LedgerScene(tmp_path / "history")
    yield scene
    scene.close()


def report(ledger: LedgerScene, **positions: BrokerPosition) -> BooksDocument:
    request = BooksRequest(
        label="alpha",
        books=BOOKS,
        positions=positions,
        open_orders=[OpenOrder(id="open", client_order_id="prs-9")],
        equity="10000",
        now_us=after(DAYS[2], -0.5),
    )
    return make_book_report(ledger.reader(), request)


def book(found: BooksDocument, name: str) -> BookRow:
    return next(row for row in found.books if row.name == name)


def test_positions_profit_and_orders_by_book(ledger: LedgerScene) -> None:
    ledger.fill("alpha", DAYS[1], "buy", "10", "100", client_order_id="mom-1")
    ledger.fill("alpha", DAYS[2], "buy", "4", "110", client_order_id="prs-1")
    ledger.fill("alpha", DAYS[2], "sell", "4", "109", client_order_id="prs-2", second=1)
    found = report(ledger, AAPL=BrokerPosition(qty="10", price="112", lastday_price="105"))
    momentum, pairs = book(found, "momentum"), book(found, "pairs")
    assert (momentum.positions[0].qty, momentum.positions[0].avg_entry_price) == ("10", "100")
    assert (momentum.unrealized_pl.amount, momentum.day_pl.amount) == ("120", "70")
    assert (pairs.realized_pl.amount, pairs.day_pl.amount) == ("-4", "-4")
    assert (pairs.open_orders, pairs.win_rate_pct.n) == (1, 1)
    assert momentum.exposure_pct.value == pytest.approx(11.2)
    assert found.balanced
    assert [row.name for row in found.books] == ["momentum", "pairs", "other"]


def test_the_sum_is_the_brokers_position_and_a_difference_has_its_reason(
    ledger: LedgerScene,
) -> None:
    ledger.fill("alpha", DAYS[1], "buy", "10", "100", client_order_id="mom-1")
    ledger.activity("alpha", DAYS[1], "SPLIT", None, symbol="AAPL", qty=10 * 10**9)
    found = report(
        ledger,
        AAPL=BrokerPosition(qty="20", price="55"),
        MSFT=BrokerPosition(qty="3", price="10"),
    )
    assert not found.balanced
    reasons = {d.symbol: (d.qty, d.reason) for d in found.differences}
    assert reasons["AAPL"] == ("10", "a split or another corporate action")
    assert reasons["MSFT"][0] == "3"
    assert {p.symbol: p.qty for p in book(found, "other").positions} == {"AAPL": "10", "MSFT": "3"}
    assert book(found, "other").unrealized_pl.reason == "the entry price is not known"


def test_opposite_books_in_one_symbol_are_shown(ledger: LedgerScene) -> None:
    ledger.fill("alpha", DAYS[1], "buy", "50", "100", client_order_id="mom-1")
    ledger.fill("alpha", DAYS[1], "sell", "20", "100", client_order_id="prs-1", second=1)
    found = report(ledger, AAPL=BrokerPosition(qty="30", price="100"))
    assert found.opposed[0].books == {"momentum": "50", "pairs": "-20"}
    assert found.opposed[0].broker == "30"
    assert found.balanced


def test_an_expired_option_is_closed_at_nothing(ledger: LedgerScene) -> None:
    option = "AAPL260619C00190000"
    ledger.fill("alpha", DAYS[1], "buy", "2", "1.5", symbol=option, client_order_id="mom-1")
    ledger.activity("alpha", DAYS[2], "OPEXP", None, symbol=option, qty=-2 * 10**9)
    momentum = book(report(ledger), "momentum")
    assert (momentum.round_trips, momentum.realized_pl.amount) == (1, "-300")


def test_legs_belong_to_the_book_of_their_parent(ledger: LedgerScene) -> None:
    parent = ledger.fill("alpha", DAYS[1], "buy", "5", "100", client_order_id="mom-1")
    leg = Order(id=OrderId("0e7f2c1a-1111-4222-8333-444455556666"), client_order_id="random")
    ledger.origin("alpha", leg, parent)
    ledger.fill("alpha", DAYS[1], "sell", "5", "102", order=leg.id, second=1)
    momentum = book(report(ledger), "momentum")
    assert (momentum.realized_pl.amount, momentum.fills) == ("10", 2)
