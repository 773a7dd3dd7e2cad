"""Books: whatever happens, they add up to the account."""

from random import Random

from realtime.analytics.books import OTHER, BookOfOrder, Books, OrderKey, Origin, make_books
from realtime.analytics.round_trips import Fill, round_trips

NAMES = {"momentum": "mom-", "mom_fast": "mom-fast-", "pairs": "prs-"}


def fill(
    qty: int, price: int, order: OrderKey | None = None, at: int = 0, symbol: str = "A"
) -> Fill:
    return Fill(
        at_us=at, day=20_000 + at // 10, symbol=symbol, qty=qty * 10**9, price=price * 10**9,
        order_id=order,
    )  # fmt: skip


def test_the_longest_prefix_names_the_book() -> None:
    orders = BookOfOrder(
        NAMES,
        {
            "1": Origin("mom-7"),
            "2": Origin("mom-fast-7"),
            "3": Origin("by hand"),
            "leg": Origin("random", parent="1"),
            "leg of leg": Origin("random", parent="leg"),
            "replacement": Origin("random", replaces="2"),
            "named replacement": Origin("prs-1", replaces="2"),
            "lost": Origin("random", parent="unknown"),
            "circle": Origin("random", replaces="circle"),
        },
    )
    assert {key: orders.get(key) for key in ("1", "2", "3")} == {
        "1": "momentum",
        "2": "mom_fast",
        "3": OTHER,
    }
    assert orders.get("leg of leg") == "momentum"
    assert orders.get("replacement") == "mom_fast"
    assert orders.get("named replacement") == "pairs"
    assert [orders.get(key) for key in ("lost", "circle", "never seen", None)] == [OTHER] * 4


def test_an_order_by_hand_closes_the_books_in_proportion() -> None:
    books = Books(NAMES)
    books.apply(fill(30, 10), "momentum")
    books.apply(fill(10, 10), "pairs")
    books.apply(fill(-20, 11), OTHER)
    assert books.quantities("A") == {"momentum": 15 * 10**9, "pairs": 5 * 10**9}
    books.apply(fill(-25, 11), OTHER)
    assert books.quantities("A") == {OTHER: -5 * 10**9}
    assert len(books.books["momentum"].trips) == 1


def test_a_difference_to_the_broker_goes_into_other() -> None:
    books = Books(NAMES)
    books.apply(fill(10, 100), "momentum")
    assert books.reconcile({"A": 13 * 10**9, "B": 10**9}, 5) == [("A", 3 * 10**9), ("B", 10**9)]
    assert books.quantities("A") == {"momentum": 10 * 10**9, OTHER: 3 * 10**9}


def test_books_add_up_to_the_account() -> None:
    """Quantities at every step, and money at the end: realized and open profit of all books is that
    of the account."""
    for seed in range(1000):
        check_sums(Random(seed))


def check_sums(rng: Random) -> None:
    origins: dict[OrderKey, Origin] = {
        str(n): Origin(rng.choice(["mom-", "mom-fast-", "prs-", "x", ""]) + str(n))
        for n in range(20)
    }
    for n in range(20, 30):
        link = str(rng.randrange(20))
        origins[str(n)] = (
            Origin("r", parent=link) if rng.random() < 0.5 else Origin("r", None, link)
        )
    fills = []
    held: dict[str, int] = {}
    for at in range(rng.randrange(5, 60)):
        symbol = rng.choice("AB")
        qty = rng.choice([-1, 1]) * rng.randrange(1, 40)
        if rng.random() < 0.1:  # a panic close
            qty = -held.get(symbol, 0) // 10**9
        if qty:
            order = rng.choice([*origins, None, "unknown"])
            fills.append(fill(qty, rng.randrange(90, 110), order, at, symbol))
            held[symbol] = held.get(symbol, 0) + fills[-1].qty
    orders = BookOfOrder(NAMES, origins)
    books = make_books([], orders, NAMES)
    sums: dict[str, int] = {}
    for one in fills:
        books.apply(one, orders.get(one.order_id))
        sums[one.symbol] = sums.get(one.symbol, 0) + one.qty
        assert sum(books.quantities(one.symbol).values()) == sums[one.symbol]
    if rng.random() < 0.3:  # a restart in the middle: rebuilt from the same fills
        books = make_books(fills, orders, NAMES)
    assert books.reconcile(held, 0) == []
    mark = 100 * 10**9
    money = sum(-one.qty * one.price for one in fills) + sum(q * mark for q in held.values())
    of_books = sum(
        sum(gain or 0 for gain in book.realized.values()) * 10**14
        + sum(h.qty * mark - h.cost for h in book.holdings.values() if h.qty)
        for book in books.books.values()
    )
    # Each realized amount is rounded to 10⁻⁴.
    assert abs(of_books - money) <= len(fills) * 4 * 10**14
    assert sum(len(book.fills) for book in books.books.values()) >= len(fills)


def test_round_trips_are_from_flat_to_flat_and_a_turn_is_two() -> None:
    trading = round_trips(
        [fill(10, 100), fill(5, 110, at=1), fill(-20, 120, at=2), fill(5, 90, at=3)]
    )
    first, second = trading.trips
    assert (first.realized, first.largest) == ((10 * 20 + 5 * 10) * 10**4, 15 * 10**9)
    assert (second.realized, second.is_short) == (5 * 30 * 10**4, True)
    assert trading.open_trips == 0


def test_an_entry_that_is_not_known_makes_the_profit_unknown() -> None:
    trading = round_trips([fill(-10, 120, at=1)], {"A": 10 * 10**9})
    assert trading.trips[0].realized is None
    assert list(trading.realized.values()) == [None]


def test_an_option_is_about_a_hundred_shares() -> None:
    symbol = "AAPL261218C00190000"
    trading = round_trips([fill(2, 3, symbol=symbol), fill(-2, 5, at=1, symbol=symbol)])
    assert trading.trips[0].realized == 2 * 2 * 100 * 10**4
