"""What counts as lost: the broker's books beside the daemon's answers."""

from msgspec import structs

from realtime.cli.demo.comparison import ORDERS, Account, Books, Order, Position, differences

FILLED = Order("o1", "filled", "2", "10.50", "2026-11-21T10:00:00Z")
BOOKS = Books(Account("100"), [Position("AAPL", "2")], [FILLED])


def test_books_that_agree() -> None:
    """As numbers: how they are spelled is another test's business."""
    ours = Books(
        Account("100.00"), [Position("AAPL", "2.0")], [structs.replace(FILLED, filled_qty="2.00")]
    )
    assert differences("alpha", BOOKS, ours) == []


def test_every_kind_of_difference_is_said() -> None:
    ours = Books(
        Account("121"),
        [Position("TSLA", "1")],
        [structs.replace(FILLED, status="new", filled_qty="0", filled_avg_price=None)],
    )
    assert differences("alpha", BOOKS, ours) == [
        "alpha order o1: broker filled 2 10.50, daemon new 0 None",
        "alpha position AAPL: broker 2, daemon none",
        "alpha position TSLA: broker none, daemon 1",
        "alpha cash in account: broker 100, daemon 121",
    ]


def test_an_order_that_the_daemon_never_heard_of() -> None:
    ours = structs.replace(BOOKS, orders=[])
    assert differences("alpha", BOOKS, ours) == [
        "alpha order o1: broker filled 2 10.50, daemon none"
    ]


def test_orders_older_than_an_answer_holds_are_not_missed() -> None:
    many = [
        Order(f"o{n}", "filled", "1", "1", f"2026-11-21T10:{n // 60:02}:{n % 60:02}Z")
        for n in range(ORDERS + 5)
    ]
    theirs = structs.replace(BOOKS, orders=many)
    assert differences("alpha", theirs, structs.replace(BOOKS, orders=many[5:])) == []
    assert len(differences("alpha", theirs, structs.replace(BOOKS, orders=many[:-5]))) == 5
