import csv
import io

import pytest

from realtime.api.documents.accounts import MARK_COLUMNS, AccountRow
from realtime.api.responses import is_match
from realtime.core.model import Order
from realtime.store.store import Store
from tests.api.documents.made import fleet, order, put, state_of
from tests.api.reader import Reader, Reply


@pytest.mark.parametrize(
    ("if_none_match", "expected"),
    [
        (None, False),
        ("", False),
        ("*", True),
        ('"b-7"', True),
        ('W/"b-7"', True),
        ('"a", "b-7"', True),
        ('"a","c"', False),
        ("b-7", False),
        ('"b-70"', False),
        ('"b-7', False),
    ],
)
def test_if_none_match_compares_weakly_with_lists_and_star(
    if_none_match: str | None, expected: bool
) -> None:
    assert is_match(if_none_match, '"b-7"') is expected


def read(reply: Reply) -> list[dict[str, str]]:
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(reply.body.decode(), newline="")))


async def test_accounts_as_csv(reader: Reader) -> None:
    reply = await reader.get("/realtime/accounts?format=csv&sort=day_pl")
    rows = read(reply)
    assert reply.headers["Content-Disposition"] == 'attachment; filename="accounts.csv"'
    assert reply.headers["X-Total-Count"] == "5"
    assert list(rows[0]) == [c for c in AccountRow.__struct_fields__ if c not in MARK_COLUMNS]
    assert (rows[0]["account_id"], rows[0]["day_pl"]) == ("delta", "-500.75")
    assert rows[-1]["equity"] == ""


async def test_lists_of_one_account_as_csv(reader: Reader) -> None:
    positions = read(await reader.get("/realtime/positions/alpha?format=csv"))
    assert [row["symbol"] for row in positions] == ["AAPL", "ETHUSD", "TSLA"]
    orders = read(await reader.get("/realtime/orders/alpha?format=csv&status=open"))
    assert list(orders[0]) == list(Order.__struct_fields__)
    assert orders[0]["limit_price"] == "188.4"


async def test_csv_is_conditional_and_its_errors_are_problems(reader: Reader) -> None:
    first = await reader.get("/realtime/positions/alpha?format=csv")
    again = await reader.get(
        "/realtime/positions/alpha?format=csv", If_None_Match=first.headers["ETag"]
    )
    assert (again.status, again.body) == (304, b"")
    (await reader.get("/realtime/positions/charlie?format=csv")).problem(503, "account_refused")
    (await reader.get("/realtime/positions/alpha?format=xls")).problem(400, "bad_parameter")


async def test_formula_in_csv_stays_text(store: Store, reader: Reader) -> None:
    link = fleet().records[next(iter(store.records))].link
    put(store, "foxtrot", link, state_of([order(1, client_order_id="=HYPERLINK(1)")]))
    orders = read(await reader.get("/realtime/orders/foxtrot?format=csv"))
    assert orders[0]["client_order_id"] == "'=HYPERLINK(1)"
