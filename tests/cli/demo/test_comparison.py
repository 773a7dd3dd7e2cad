"""What counts as lost: the broker's books against the daemon's responses."""

from msgspec import structs

from realtime.cli.demo.comparison import MAX_ORDERS, Books, find_differences
from realtime.core.model import Account, Order, OrderId, Position, Symbol


def account(cash: str) -> Account:
    return Account(id="a", account_number="PA0EXAMPLE01", cash=cash)


def position(symbol: str, qty: str) -> Position:
    return Position(symbol=Symbol(symbol), qty=qty)


FILLED = Order(
    id=OrderId("o1"),
    status="filled",
    filled_qty="2",
    filled_avg_price="10.50",
    submitted_at="2026-11-21T10:00:00Z",
)
BOOKS = Books(account("100"), [position("AAPL", "2")], [FILLED])


def test_equal_numbers_agree_however_they_are_written() -> None:
    daemon = Books(
        account("100.00"), [position("AAPL", "2.0")], [structs.replace(FILLED, filled_qty="2.00")]
    )
    assert find_differences("alpha", BOOKS, daemon) == []


def test_every_kind_of_difference_is_listed() -> None:
    order = structs.replace(FILLED, status="new", filled_qty="0", filled_avg_price=None)
    daemon = Books(account("121"), [position("TSLA", "1")], [order])
    assert find_differences("alpha", BOOKS, daemon) == [
        "alpha order o1: broker filled 2 10.50, daemon new 0 None",
        "alpha position AAPL: broker 2, daemon none",
        "alpha position TSLA: broker none, daemon 1",
        "alpha cash in account: broker 100, daemon 121",
    ]


def test_a_missing_order_is_a_difference() -> None:
    assert find_differences("alpha", BOOKS, structs.replace(BOOKS, orders=[])) == [
        "alpha order o1: broker filled 2 10.50, daemon none"
    ]


def test_orders_older_than_a_response_holds_are_not_compared() -> None:
    many = [
        structs.replace(
            FILLED, id=OrderId(f"o{n}"), submitted_at=f"2026-11-21T10:{n // 60:02}:{n % 60:02}Z"
        )
        for n in range(MAX_ORDERS + 5)
    ]
    broker = structs.replace(BOOKS, orders=many)
    assert find_differences("alpha", broker, structs.replace(BOOKS, orders=many[5:])) == []
    assert len(find_differences("alpha", broker, structs.replace(BOOKS, orders=many[:-5]))) == 5
