"""Rows of books over all accounts: profit at each day's last prices, on equity at the start."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from realtime.analytics.books import OTHER, Book, BookOfOrder, OrderKey, Origin, make_books
from realtime.analytics.compare.members import Member
from realtime.analytics.compare.row_data import Flag, Row, RowData, Window, sum_known
from realtime.analytics.daily import make_series
from realtime.analytics.figure_types import RowInputs
from realtime.analytics.round_trips import Fill
from realtime.core.trading_days import to_date
from realtime.history.exact import money
from realtime.history.realized import shares_of


def book_rows(
    members: Sequence[Member],
    window: Window,
    books: Mapping[str, str],
    origins: Callable[[str], dict[OrderKey, Origin]],
    prices: Mapping[str, Mapping[int, int]],
) -> list[Row]:
    """Rows of books over all accounts: what each made, on the equity that its accounts began with.

    Books have no equity of their own: their profit is marked at each day's last prices.
    """
    parts: dict[str, list[tuple[Member, Book, dict[str, int]]]] = {}
    for member in members:
        opening = member.opening
        orders = BookOfOrder(books, origins(member.profile.label))
        made = make_books(member.fills, orders, books, opening, member.coins_with_fee)
        for name, book in made.books.items():
            held = opening if name == OTHER else {}
            if book.fills or held:
                parts.setdefault(name, []).append((member, book, held))
    order = [*books, OTHER]
    return [
        Row(name, "book", partial(_make_data, name, parts[name], window, prices))
        for name in sorted(parts, key=lambda name: order.index(name))
    ]


def _make_data(
    name: str,
    parts: Sequence[tuple[Member, Book, dict[str, int]]],
    window: Window,
    prices: Mapping[str, Mapping[int, int]],
) -> RowData:
    base_equity: int | None = 0
    profit: dict[int, int | None] = dict.fromkeys(window.days, 0)
    for member, book, opening in parts:
        equity = member.closes(window).get(window.base)
        base_equity = None if base_equity is None or equity is None else base_equity + equity
        for day, amount in book_profit(book.fills, opening, prices, window).items():
            known = profit[day]
            profit[day] = None if known is None or amount is None else known + amount
    closes: dict[int, int] = {}
    total = base_equity or 0
    for day in window.days:
        amount = profit[day]
        if amount is None:
            break
        total += amount
        closes[day] = total
    series = make_series(window.days, base_equity, closes)
    fills = [
        fill
        for _, book, _ in parts
        for fill in book.fills
        if window.first <= fill.day <= window.last and not fill.is_split
    ]
    realized: int | None = 0
    for _, book, _ in parts:
        for day, gain in book.realized.items():
            if window.first <= day <= window.last:
                realized = None if realized is None or gain is None else realized + gain
    balances = [money(member.profile.initial_balance) for member, _, _ in parts]
    row = RowData(
        key=name,
        kind="book",
        labels=[member.profile.label for member, _, _ in parts],
        inputs=RowInputs(
            series=series,
            base_day=window.base,
            fills=fills,
            trips=[
                trip
                for _, book, _ in parts
                for trip in book.trips
                if window.first <= trip.day <= window.last
            ],
            realized=realized,
            open_trips=sum(1 for _, b, _ in parts for h in b.holdings.values() if h.qty),
            initial_balance=sum_known(balances),
            is_paper=all(member.profile.paper for member, _, _ in parts),
            orders=len({fill.order_id for fill in fills}),
        ),
        paper=None,
    )
    if base_equity is None:
        row.own_from = _find_own_start([member for member, _, _ in parts], window)
        row.reason = (
            "no equity of its accounts at the start of the window"
            if row.own_from is None
            else f"starts {to_date(row.own_from).isoformat()}"
        )
    elif series.missing:
        row.reason = f"no price of a position on {to_date(series.missing[0]).isoformat()}"
        row.flags.append(Flag(flag="no_price", detail=row.reason))
    elif not fills:
        row.reason = "no trade in the window"
        row.flags.append(Flag(flag="no_trade", detail=row.reason))
    return row


def _find_own_start(members: Sequence[Member], window: Window) -> int | None:
    """The first day of the window before which the equity of all accounts is known."""
    starts = [member.closes(window).first for member in members]
    known = [start for start in starts if start is not None]
    if len(known) < len(starts):
        return None
    return next((day for day in window.days if day > max(known)), None)


def book_profit(
    fills: Sequence[Fill],
    opening: Mapping[str, int],
    prices: Mapping[str, Mapping[int, int]],
    window: Window,
) -> dict[int, int | None]:
    """Profit of each day: change of value at the day's last prices, minus what was paid."""
    held = dict(opening)
    by_day: dict[int, list[Fill]] = {}
    for fill in fills:
        if fill.day <= window.base:
            held[fill.symbol] = held.get(fill.symbol, 0) + fill.qty
        else:
            by_day.setdefault(fill.day, []).append(fill)
    value = _value(held, prices, window.base)
    profit: dict[int, int | None] = {}
    for day in window.days:
        paid = 0
        for fill in by_day.get(day, ()):
            held[fill.symbol] = held.get(fill.symbol, 0) + fill.qty
            paid += fill.qty * fill.price * fill.shares
        now = _value(held, prices, day)
        profit[day] = None if now is None or value is None else (now - value - paid) // 10**14
        value = now
    return profit


def _value(
    held: Mapping[str, int], prices: Mapping[str, Mapping[int, int]], day: int
) -> int | None:
    """The value of positions on a day, of 10⁻¹⁸; None where a price is missing."""
    total = 0
    for symbol, qty in held.items():
        if not qty:
            continue
        price = prices.get(symbol, {}).get(day)
        if price is None:
            return None
        total += qty * price * shares_of(symbol)
    return total
