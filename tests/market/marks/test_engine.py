"""Marks of all accounts from one stream of prices."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from msgspec import structs

from realtime.broker.codec import CalendarRow
from realtime.broker.market_codec import Element, make_element
from realtime.core.link import Link
from realtime.core.mark import AccountMark
from realtime.core.model import Account, AccountLabel, ExecutionId, Order, OrderId, Position, Symbol
from realtime.core.position_keys import positions_by_key
from realtime.core.state import AccountState, Execution
from realtime.core.timestamps import format_micros
from realtime.market.marks.account_marker import AccountBooks
from realtime.market.marks.engine import CHECK_EVERY_S, MIN_INTERVAL_S, MarkEngine
from realtime.market.marks.sessions import TradingCalendar, parse_calendar
from realtime.store.records import Profile
from realtime.store.store import Store
from tests.api.documents.made import LIVE, NOW

ALPHA, BRAVO = AccountLabel("alpha"), AccountLabel("bravo")
CALENDAR = TradingCalendar([])


class Scene:
    """A store whose accounts are set as reads and events would, and the engine beside it."""

    def __init__(
        self,
        calendar: TradingCalendar = CALENDAR,
        make_books: Callable[[], AccountBooks | None] = lambda: None,
    ) -> None:
        self.now = NOW
        self.store = Store(boot="b")
        self.engine = MarkEngine(
            self.store,
            clock=lambda: self.now,
            feed="sip",
            calendar=calendar,
            make_books=make_books,
        )

    def add(self, label: AccountLabel, *positions: Position, cash: str = "1000") -> None:
        """An account that was just read."""
        self.store.add(Profile(label=label), now=self.now, link=LIVE)
        self.read(label, *positions, cash=cash)

    def read(
        self,
        label: AccountLabel,
        *positions: Position,
        cash: str = "1000",
        last_equity: str = "2000",
        is_confirmed: bool = True,
    ) -> None:
        """A read that begins now and ends at once."""
        state = self.state(label)
        value = sum(Decimal(p.market_value or "0") for p in positions)
        account = Account(
            id="a",
            account_number="PA0EXAMPLE01",
            cash=cash,
            equity=str(Decimal(cash) + value),
            last_equity=last_equity,
        )
        state = structs.replace(
            state,
            account=account,
            positions=positions_by_key(positions, state.positions),
            provisional=frozenset() if is_confirmed else state.provisional,
        )
        self.store.record_confirmation(label, now=self.now)
        self.store.update(label, now=self.now, state=state, recovered=())

    def state(self, label: AccountLabel) -> AccountState:
        record = self.store.get(label)
        assert record is not None
        return record.state

    def fill(self, label: AccountLabel, position: Position, size: int, price: str) -> None:
        """An execution that a read finds, so that no frame has to be made for it."""
        self.order(label, position, size, price, "by hand")

    def order(
        self, label: AccountLabel, position: Position, size: int, price: str, name: str
    ) -> None:
        """The same by the order with this `client_order_id`. `position`: after it."""
        state = self.state(label)
        order_id = OrderId(name)
        known = dict(state.executions.get(order_id, {}))
        execution = Execution(
            execution_id=ExecutionId(f"e{len(known)}"),
            order_id=order_id,
            symbol=position.symbol,
            side="buy" if size > 0 else "sell",
            qty=str(abs(size)),
            price=price,
            at=None,
        )
        state = structs.replace(
            state,
            positions={**state.positions, position.symbol: position},
            executions={
                **state.executions,
                order_id: {**known, execution.execution_id: execution},
            },
            orders={
                **state.orders,
                order_id: Order(id=order_id, symbol=position.symbol, client_order_id=name),
            },
            provisional=frozenset({"account", "positions"}),
        )
        self.store.update(label, now=self.now, state=state, recovered=(execution,))

    def trade(
        self, symbol: str, price: float, *, trade_id: int = 1, at: float | None = None
    ) -> None:
        self.take("t", symbol, i=trade_id, p=price, at=at)

    def take(self, kind: str, symbol: str, *, at: float | None = None, **fields: object) -> None:
        time = format_micros(int((self.now if at is None else at) * 1e6))
        self.engine.handle_elements([make_element({"T": kind, "S": symbol, **fields, "t": time})])

    def tick(self, after_s: float = MIN_INTERVAL_S) -> list[AccountMark]:
        self.now += after_s
        marks = self.engine.tick()
        while self.engine.has_more:
            marks += self.engine.tick()
        return marks

    def equity(self, label: AccountLabel) -> Decimal | None:
        mark = self.engine.get(label)
        assert mark is not None
        return mark.equity


def position(
    symbol: str = "NVDA", qty: str = "10", price: str | None = "100", **fields: object
) -> Position:
    made = Position(
        symbol=Symbol(symbol),
        asset_id=f"asset-{symbol}",
        qty=qty,
        current_price=price,
        market_value=None if price is None else str(Decimal(qty) * Decimal(price)),
        cost_basis="900",
        avg_entry_price="90",
        asset_class="us_equity",
    )
    return structs.replace(made, **fields)


def labels(marks: Sequence[AccountMark]) -> list[str]:
    return [mark.label for mark in marks]


def test_the_first_mark_is_the_broker_s_own_equity() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    (mark,) = scene.tick()
    assert (mark.label, mark.equity, mark.equity_rest) == (ALPHA, Decimal(2000), Decimal(2000))
    assert (mark.day_pl, mark.unrealized_pl) == (Decimal(0), Decimal(100))
    assert scene.tick() == []


def test_one_trade_moves_every_holder_and_no_other_account() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.add(BRAVO, position(qty="-5"))
    scene.add(AccountLabel("charlie"), position("XLF"))
    scene.tick()
    scene.trade("NVDA", 101.5)
    assert sorted(labels(scene.tick())) == [ALPHA, BRAVO]
    assert (scene.equity(ALPHA), scene.equity(BRAVO)) == (Decimal(2015), Decimal("492.5"))


def test_a_symbol_that_is_not_held_costs_nothing() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    scene.trade("TSLA", 300)
    assert scene.engine.counts["elements"] == 0
    assert Symbol("TSLA") not in scene.engine.prices


def test_a_coin_is_found_in_both_spellings() -> None:
    scene = Scene()
    scene.add(ALPHA, position("ETHUSD", "2", "2500", asset_class="crypto"))
    scene.tick()
    scene.trade("ETH/USD", 2600)
    scene.tick()
    assert scene.equity(ALPHA) == Decimal(6200)


def test_at_most_four_marks_a_second_and_the_last_price_is_never_lost() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    marks = 0
    for n in range(100):
        scene.trade("NVDA", 100 + n / 100, trade_id=n)
        marks += len(scene.tick(0.02))
    assert marks <= 9
    scene.tick()
    assert scene.equity(ALPHA) == Decimal("2009.90")


def test_less_than_a_cent_is_no_new_mark() -> None:
    scene = Scene()
    scene.add(ALPHA, position(qty="1"))
    scene.tick()
    scene.trade("NVDA", 100.001)
    assert scene.tick() == []


def test_a_fill_moves_cash_and_position_and_is_provisional_until_a_read() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    scene.fill(ALPHA, position(qty="15", market_value="1500"), 5, "100")
    (mark,) = scene.tick()
    assert (mark.equity, mark.cash, mark.is_provisional) == (Decimal(2000), Decimal(500), True)
    scene.read(ALPHA, position(qty="15"), cash="499.5")  # a fee
    (mark,) = scene.tick()
    assert (mark.equity, mark.is_provisional) == (Decimal("1999.5"), False)


def test_a_read_that_does_not_know_the_fill_yet_does_not_replace_its_cash() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    bought = position(qty="15", market_value="1500")
    scene.fill(ALPHA, bought, 5, "100")
    scene.read(ALPHA, bought, cash="1000", is_confirmed=False)
    scene.tick()
    assert scene.equity(ALPHA) == Decimal(2000)


def test_a_cancelled_and_a_corrected_trade_are_undone() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.now += 5
    scene.trade("NVDA", 101, trade_id=1)
    scene.trade("NVDA", 120, trade_id=2)
    scene.tick()
    scene.trade("NVDA", 119, trade_id=3)
    scene.tick()
    assert scene.equity(ALPHA) == Decimal(2190)
    scene.take("x", "NVDA", i=3, p=119.0)
    scene.take("c", "NVDA", oi=2, op=120.0, ci=4, cp=102.0, cc=["@"])
    scene.tick()
    assert scene.equity(ALPHA) == Decimal(2020)


@pytest.mark.parametrize("conditions", [["I"], ["@", "W"], ["Z"]])
def test_a_trade_that_is_no_last_price_changes_nothing(conditions: list[str]) -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    scene.take("t", "NVDA", i=1, p=105.0, c=conditions)
    assert scene.tick() == []


def test_a_halted_symbol_is_listed_and_keeps_its_price() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    scene.take("s", "NVDA", sc="H", sm="Trading Halt")
    (mark,) = scene.tick()
    assert (mark.prices.halted, mark.equity) == (("NVDA",), Decimal(2000))
    scene.take("s", "NVDA", sc="T")
    (mark,) = scene.tick()
    assert mark.prices.halted == ()


def test_a_position_without_a_price_is_listed_and_equity_is_unknown() -> None:
    scene = Scene()
    scene.add(ALPHA, position(), position("MRUS", price=None))
    (mark,) = scene.tick()
    assert (mark.equity, mark.day_pl, mark.prices.unpriced) == (None, None, ("MRUS",))
    scene.take("q", "MRUS", bp=9.9, ap=10.1)
    (mark,) = scene.tick()
    assert (mark.equity, mark.prices.unpriced) == (Decimal(2100), ())


@pytest.mark.parametrize("stream_first", [True, False])
def test_a_split_never_shows_a_tenth_of_the_equity(stream_first: bool) -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    scene.now += 60
    if stream_first:
        scene.trade("NVDA", 10.0)
        (mark,) = scene.tick()
        assert (mark.equity, mark.prices.held) == (Decimal(2000), ("NVDA",))
    scene.read(ALPHA, position(qty="100", price="100"))  # quantity first: the price is stale
    scene.tick()
    assert scene.equity(ALPHA) == Decimal(2000)
    scene.now += 60
    scene.read(ALPHA, position(qty="100", price="10"))
    scene.tick()
    mark_after = scene.engine.get(ALPHA)
    assert mark_after is not None
    assert (mark_after.equity, mark_after.prices.held) == (Decimal(2000), ())


def test_the_error_of_a_read_is_measured_against_the_mark_of_its_time() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    scene.trade("NVDA", 101.0)
    scene.tick()
    scene.now += 5
    scene.read(ALPHA, position(price="100.9"))
    scene.tick()
    mark = scene.engine.get(ALPHA)
    assert mark is not None
    assert mark.error is not None
    assert (mark.error.reads, mark.error.last) == (1, Decimal(1))
    assert scene.engine.error == mark.error
    assert mark.equity == Decimal(2009)


def test_a_read_that_changes_nothing_confirms_and_measures() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    scene.now += 5
    scene.read(ALPHA, position())
    scene.tick()
    mark = scene.engine.get(ALPHA)
    assert mark is not None
    assert mark.error is not None
    assert (mark.error.reads, mark.error.max) == (1, Decimal(0))


def test_sums_are_added_up_once_a_minute_and_agree() -> None:
    scene = Scene()
    scene.add(ALPHA, position(), position("XLF", "-40", "50"))
    for n in range(1, 201):
        scene.trade("NVDA", 100 + n / 7, trade_id=n)
        scene.trade("XLF", 50 + n / 11, trade_id=n)
        scene.tick(1.0)
    assert scene.engine.counts["checks"] >= 200 // CHECK_EVERY_S
    assert scene.engine.counts["drift"] == 0


def test_day_gain_starts_again_at_the_close_and_follows_the_broker_later() -> None:
    close = NOW + 60
    rows = [
        CalendarRow("2026-10-01", "09:30", "16:00"),
        CalendarRow("2026-10-02", "09:30", "16:00"),
    ]
    days = parse_calendar(rows).days
    shift = close - days[1].close
    calendar = TradingCalendar(
        structs.replace(
            day,
            session_open=day.session_open + shift,
            open=day.open + shift,
            close=day.close + shift,
            session_close=day.session_close + shift,
        )
        for day in days
    )
    scene = Scene(calendar)
    scene.add(ALPHA, position())
    scene.trade("NVDA", 110)
    (mark,) = scene.tick()
    assert (mark.day_pl, mark.session) == (Decimal(100), "regular")
    scene.now = close
    scene.tick(0)
    mark_at_close = scene.engine.get(ALPHA)
    assert mark_at_close is not None
    assert (mark_at_close.day_pl, mark_at_close.last_equity_source) == (Decimal(0), "mark")
    scene.trade("NVDA", 111)
    scene.tick()
    scene.read(ALPHA, position(price="111"))  # the broker still shows the equity of the day before
    scene.tick()
    evening = scene.engine.get(ALPHA)
    assert evening is not None
    assert (evening.day_pl, evening.last_equity) == (Decimal(10), Decimal(2100))
    scene.now += 5
    scene.read(ALPHA, position(price="111"), last_equity="2099")
    scene.tick()
    later = scene.engine.get(ALPHA)
    assert later is not None
    assert (later.day_pl, later.last_equity_source) == (Decimal(11), "broker")


def test_an_account_that_is_removed_has_no_mark_and_its_symbols_no_price() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    scene.store.remove(ALPHA)
    scene.trade("NVDA", 101)
    assert scene.tick() == []
    assert (scene.engine.get(ALPHA), dict(scene.engine.prices)) == (None, {})


def test_two_assets_under_one_symbol_are_marked_by_reads_alone() -> None:
    scene = Scene()
    other = position(price="7", asset_id="asset-other")
    scene.add(ALPHA, position(), other)
    scene.tick()
    before = scene.equity(ALPHA)
    assert before == Decimal(1000 + 1000 + 70)
    scene.trade("NVDA", 101.0)
    scene.tick()
    assert scene.equity(ALPHA) == before + 10


def test_elements_with_fields_of_other_types_are_counted_and_skipped() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    bad: list[Element] = [
        make_element({"T": "t", "S": "NVDA", "i": 1, "p": "dear", "t": "2026-10-06T14:02:13Z"}),
        make_element({"T": "t", "S": "NVDA", "i": 1, "p": -5.0, "t": "2026-10-06T14:02:13Z"}),
        make_element({"T": "q", "S": "NVDA", "bp": [], "ap": 1.0, "t": "2026-10-06T14:02:13Z"}),
    ]
    scene.engine.handle_elements(bad)
    assert scene.tick() == []
    assert scene.engine.counts["unreadable"] == 2


def test_many_accounts_are_marked_in_slices() -> None:
    scene = Scene()
    for n in range(300):
        scene.add(AccountLabel(f"a{n}"), position())
    assert len(scene.tick()) == 300
    scene.trade("NVDA", 101.0)
    scene.now += MIN_INTERVAL_S
    first = scene.engine.tick()
    assert 0 < len(first) < 300
    assert scene.engine.has_more
    assert len(scene.tick(0)) == 300 - len(first)


def test_a_disabled_account_has_no_mark_and_comes_back_with_its_next_read() -> None:
    scene = Scene()
    scene.add(ALPHA, position())
    scene.tick()
    scene.store.update(ALPHA, now=scene.now, link=Link(state="disabled"))
    assert scene.engine.pop_withdrawn() == [ALPHA]
    assert not scene.engine.totals.tiers
    scene.trade("NVDA", 101.0)
    assert scene.tick() == []
    scene.store.update(ALPHA, now=scene.now, link=LIVE)
    scene.read(ALPHA, position(price="102"))
    scene.tick()
    assert scene.equity(ALPHA) == 2020
