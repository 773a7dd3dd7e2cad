"""Totals by tier and by book: whatever happens, they are the sums of what accounts show."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.analytics.live_books import LiveBooks
from realtime.core.mark import AccountMark, to_cents
from realtime.core.mark_totals import Group
from realtime.core.model import AccountLabel, Symbol
from realtime.core.state import AccountState, Execution
from realtime.store.records import Profile
from tests.api.documents.made import LIVE
from tests.market.marks.test_engine import Scene, position

BOOKS = {"momentum": "mom-", "pairs": "pairs-", "fast": "mom-fast-"}
LABELS = [AccountLabel(name) for name in ("alpha", "bravo", "charlie")]
SYMBOLS = ("NVDA", "AAPL", "ETHUSD")

acts = st.lists(
    st.one_of(
        st.tuples(
            st.just("fill"),
            st.sampled_from(LABELS),
            st.sampled_from(SYMBOLS),
            st.integers(-9, 9).filter(bool),
            st.sampled_from(("mom-1", "mom-fast-1", "pairs-1", "by hand")),
        ),
        st.tuples(st.just("trade"), st.sampled_from(SYMBOLS), st.integers(9_000, 12_000)),
        st.tuples(st.just("read"), st.sampled_from(LABELS), st.integers(0, 2)),
        st.tuples(st.just("tier"), st.sampled_from(LABELS), st.sampled_from(("large", None))),
        st.tuples(st.just("remove"), st.sampled_from(LABELS)),
        st.tuples(st.just("tick")),
    ),
    max_size=25,
)


class Fleet(Scene):
    """Accounts whose fills have orders with a `client_order_id`."""

    def play(self, act: tuple[object, ...]) -> None:
        match act:
            case ("fill", label, symbol, size, name) if self.store.get(str(label)):
                self.trade_order(AccountLabel(str(label)), str(symbol), int(str(size)), str(name))
            case ("trade", symbol, cents):
                self.trades += 1
                self.trade(str(symbol), int(str(cents)) / 100, trade_id=self.trades)
            case ("read", label, held):
                known = [position(symbol) for symbol in SYMBOLS[: int(str(held))]]
                if self.store.get(str(label)) is None:
                    self.add(AccountLabel(str(label)), *known)
                else:
                    self.read(AccountLabel(str(label)), *known)
            case ("tier", label, tier) if self.store.get(str(label)):
                profile = Profile(
                    label=AccountLabel(str(label)), tier=None if tier is None else str(tier)
                )
                self.store.set_profile(profile, now=self.now)
            case ("remove", label) if self.store.get(str(label)):
                self.store.remove(AccountLabel(str(label)))
            case _:
                pass
        for mark in self.tick():
            self.store.set_mark(mark, now=self.now)

    trades = 0

    def trade_order(self, label: AccountLabel, symbol: str, size: int, name: str) -> None:
        held = self.state(label).positions.get(Symbol(symbol))
        qty = Decimal(size) + (Decimal(held.qty) if held is not None else 0)
        if qty:
            self.order(label, position(symbol, str(qty)), size, "100", name)

    def marks(self) -> dict[AccountLabel, AccountMark]:
        return {r.profile.label: r.mark for r in self.store if r.mark is not None}


@given(acts)
def test_totals_are_the_sums_of_the_accounts_cents(acts: list[tuple[object, ...]]) -> None:
    scene = Fleet(make_books=lambda: LiveBooks(BOOKS))
    for act in [("read", "alpha", 2), ("read", "bravo", 1), *acts]:
        scene.play(act)
        check(scene)
    assert scene.engine.counts["drift"] == 0


def check(scene: Fleet) -> None:
    marks = scene.marks()
    by_tier: dict[Group, list[AccountMark]] = {}
    for record in scene.store:
        if record.mark is not None:
            group = Group(record.profile.paper, record.profile.tier or "")
            by_tier.setdefault(group, []).append(record.mark)
    totals = scene.engine.totals
    assert totals.tiers.keys() == by_tier.keys()
    for group, members in by_tier.items():
        equities = [m.equity for m in members if m.equity is not None]
        assert totals.tiers[group].equity == sum(map(to_cents, equities))
        assert totals.tiers[group].unrealized_pl == sum(to_cents(m.unrealized_pl) for m in members)
    for mark in marks.values():
        value = to_cents(mark.long_market_value) + to_cents(mark.short_market_value)
        assert sum(book.market_value for book in mark.books) == value
        assert sum(b.unrealized_pl for b in mark.books) == to_cents(mark.unrealized_pl)
        assert sum(b.unrealized_intraday_pl for b in mark.books) == to_cents(
            mark.unrealized_intraday_pl
        )
    for book in (*BOOKS, "other") if marks else ():
        parts = [b for mark in marks.values() for b in mark.books if b.name == book]
        assert totals.books[Group(True, book)].market_value == sum(b.market_value for b in parts)


def test_the_longest_prefix_decides_and_what_no_order_explains_is_other() -> None:
    scene = Fleet(make_books=lambda: LiveBooks(BOOKS))
    scene.add(LABELS[0], position("NVDA", "10", "100"))
    scene.order(LABELS[0], position("NVDA", "13", "100"), 3, "100", "mom-fast-9")
    scene.order(LABELS[0], position("NVDA", "17", "100"), 4, "100", "mom-9")
    scene.tick()
    mark = scene.engine.get(LABELS[0])
    assert mark is not None
    values = {book.name: book.market_value for book in mark.books}
    assert values == {"momentum": 400, "pairs": 0, "fast": 300, "other": 1000}
    scene.trade("NVDA", 110.0)
    scene.tick()
    mark = scene.engine.get(LABELS[0])
    assert mark is not None
    assert [book.market_value for book in mark.books] == [440, 0, 330, 1100]


def test_a_sale_by_hand_closes_what_it_owns_and_then_the_books() -> None:
    scene = Fleet(make_books=lambda: LiveBooks(BOOKS))
    scene.add(LABELS[0])
    scene.order(LABELS[0], position("NVDA", "6", "100"), 6, "100", "mom-1")
    scene.order(LABELS[0], position("NVDA", "9", "100"), 3, "100", "pairs-1")
    scene.order(LABELS[0], position("NVDA", "6", "100"), -3, "100", "by hand")
    scene.tick()
    mark = scene.engine.get(LABELS[0])
    assert mark is not None
    values = {book.name: book.market_value for book in mark.books}
    assert values == {"momentum": 400, "pairs": 200, "fast": 0, "other": 0}


def test_what_the_history_knows_replaces_what_was_held_before_the_start() -> None:
    books = LiveBooks(BOOKS)
    scene = Fleet(make_books=lambda: books)
    scene.add(LABELS[0], position("NVDA", "10", "100"))
    scene.tick()
    books.set_quantities({Symbol("NVDA"): {"pairs": Decimal(4), "other": Decimal(6)}})
    scene.engine.split_again(LABELS[0])
    scene.tick()
    mark = scene.engine.get(LABELS[0])
    assert mark is not None
    assert [book.market_value for book in mark.books] == [0, 400, 0, 600]


def test_accounts_without_a_mark_are_in_no_total() -> None:
    scene = Scene()
    scene.store.add(Profile(label=LABELS[0]), now=scene.now, link=LIVE)
    scene.tick()
    assert not scene.engine.totals.tiers
    assert not scene.engine.totals.books


class BrokenBooks(LiveBooks):
    """A mistake of the program."""

    def apply(self, execution: Execution, sign: int, state: AccountState) -> None:
        raise ValueError(execution.execution_id)


def test_a_failure_of_marks_does_not_reach_the_account_s_writer() -> None:
    scene = Fleet(make_books=lambda: BrokenBooks(BOOKS))
    scene.add(LABELS[0])
    scene.tick()
    bought = position("NVDA", "6", "100")
    scene.order(LABELS[0], bought, 6, "100", "mom-1")
    assert scene.state(LABELS[0]).positions == {"NVDA": bought}
    with pytest.raises(ValueError, match="e0"):
        scene.tick()
