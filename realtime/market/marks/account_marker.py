"""Marks of one account: follows its record in the store, and measures the error at each read."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from realtime.core.decimals import number
from realtime.core.mark import (
    AccountMark,
    BookMark,
    EquitySource,
    PositionMark,
    PriceCounts,
    Session,
    to_cents,
)
from realtime.core.mark_error import ErrorWindow, MarkError, PricesFrom, measure
from realtime.core.mark_prices import SymbolPrice
from realtime.core.mark_to_market import NO_BOOK, Holding, MarkedAccount, max_change, multiplier
from realtime.core.model import AccountLabel, OrderId, Position, Symbol, position_symbol
from realtime.core.order_versions import flatten
from realtime.core.positions import OPTION_MULTIPLIER
from realtime.core.state import MONEY, AccountState, Execution
from realtime.store.records import Change, Record

SAMPLES = 160
"""Marks kept for the comparison with a read: 40 s at four a second, longer than a read may take."""

BEFORE_READ_S = 1.0
"""The broker's figures may be this old when it answers."""

MAX_AGE_S: Mapping[str | None, float] = {"us_option": 300.0}
"""Asset class → age at which a price is old while the market is open; the others 15 s."""
DEFAULT_MAX_AGE_S = 15.0


class AccountBooks(Protocol):
    """What the books of one account hold (`analytics.live_books`)."""

    @property
    def names(self) -> tuple[str, ...]:
        """All books, in the order in which they are shown."""

    def start(self, state: AccountState) -> None:
        """Begin with what a state has."""

    def apply(self, execution: Execution, sign: int, state: AccountState) -> None:
        """Apply an execution, or undo it with `sign` -1."""

    def split(self, symbol: Symbol, qty: Decimal) -> Iterable[tuple[str, Decimal]]:
        """Split a position by book."""


SetPrice = Callable[[Symbol, Decimal, float, Decimal, bool], None]
"""Called with every price that a read shows: symbol, price, when the read began, the largest change
that is believed, and whether the quantity changed just as much the other way."""


class AccountMarker:
    """One account. All methods return at once."""

    def __init__(
        self,
        record: Record,
        prices: Mapping[Symbol, SymbolPrice],
        set_price: SetPrice,
        books: AccountBooks | None = None,
    ) -> None:
        self.label: AccountLabel = record.profile.label
        self.record = record
        self.errors = ErrorWindow()
        self.mark: AccountMark | None = None
        self.books = books
        self.marked = MarkedAccount(None if books is None else books.split)
        self.is_behind = False
        """Whether positions changed since `catch_up`."""
        self._prices = prices
        self._set_price = set_price
        self._samples: deque[tuple[float, Decimal]] = deque(maxlen=SAMPLES)
        self._reading_at: float | None = None
        self._last_equity_source: EquitySource = "broker"
        self._rolled_from: Decimal | None = None
        """The broker's last equity when we rolled it over; it is outdated until it changes."""
        self._equity_rest_at: float | None = None

    @property
    def is_reading(self) -> bool:
        """Whether a read ended of which the state was not announced yet."""
        return self._reading_at is not None

    # -- from the store ----------------------------------------------------------------------------

    def handle_change(self, change: Change, now: float) -> MarkError | None:
        """Follow a change of the record; return the error that a read has shown."""
        before, after = change.before, change.after
        assert after is not None, "removed accounts have no marker"
        error = None
        is_read = change.recovered is not None
        if self._reading_at is not None and not is_read:
            error = self.finish_read(now)  # it changed nothing, so it was not announced
        self.record = after
        if before is not None and before.confirmed_at != after.confirmed_at:
            self._reading_at = after.confirmed_at
            return error
        if before is None or before.state is after.state:
            return error
        if change.updates or change.recovered:
            self._add_executions(change, before.state, after.state)
        self.is_behind = True
        return self.finish_read(now) if self._reading_at is not None else error

    def start(self) -> None:
        """Start from a record that was read before: its prices are as old as its confirmation."""
        self._reading_at = self.record.confirmed_at or self.record.as_of
        if self.books is not None:
            self.books.start(self.record.state)

    def finish_read(self, now: float) -> MarkError | None:
        """Start from what the last read brought; return its error. Nothing without a read."""
        requested_at, state = self._reading_at, self.record.state
        self._reading_at = None
        self.marked.move_all(self._prices)
        if requested_at is None or state.account is None:
            return None
        is_confirmed = state.provisional.isdisjoint(MONEY)
        error = None
        if is_confirmed and self.marked.is_known and state.account.equity is not None:
            error = self._measure(number(state.account.equity), requested_at)
        if is_confirmed or not self.marked.is_known:
            last_equity = self.marked.last_equity
            repriced = self.marked.rebase(state.account, state.positions)
            self._keep_rolled(last_equity)
            self._equity_rest_at = requested_at
        else:
            repriced = self.marked.set_positions(state.positions)
        self.is_behind = True
        for key, position in state.positions.items():
            if position.current_price is not None and key == position.symbol:
                if not is_confirmed and key in self.marked.traded:
                    continue  # what the stream showed of it, not the read
                price, limit = number(position.current_price), max_change(position.asset_class)
                self._set_price(key, price, requested_at, limit, key in repriced)
        return error

    def catch_up(self) -> None:
        """Take the positions of the record, and the prices of all of them."""
        if self.is_behind and self.marked.is_known:
            self.marked.set_positions(self.record.state.positions)
        self.is_behind = False
        self.marked.move_all(self._prices)

    def roll_over(self) -> None:
        """The market closed: today's gain starts at zero, until the broker shows its own figure."""
        self.marked.move_all(self._prices)
        equity = self.marked.equity
        if equity is not None:
            if self._last_equity_source == "broker":
                self._rolled_from = self.marked.last_equity
            self.marked.last_equity = equity
            self._last_equity_source = "mark"

    # -- for clients -------------------------------------------------------------------------------

    def make_mark(
        self, *, now: float, session: Session | None, seq: int, feed: str
    ) -> AccountMark | None:
        """The mark as of now; None while the account was not read."""
        account = self.record.state.account
        if account is None or not self.marked.is_known:
            return None
        marked, sums = self.marked, self.marked.sums
        equity = marked.equity
        counts, price_at = self._count_prices(now=now, session=session)
        if equity is not None:
            self._samples.append((now, equity))
        return AccountMark(
            label=self.label,
            seq=seq,
            at=now,
            equity=equity,
            cash=marked.cash,
            long_market_value=sums.long_value,
            short_market_value=sums.short_value,
            unrealized_pl=sums.long_value + sums.short_value - sums.cost,
            unrealized_intraday_pl=sums.long_value + sums.short_value - sums.intraday_base,
            last_equity=marked.last_equity,
            last_equity_source=self._last_equity_source,
            prices=counts,
            price_at=price_at,
            feed=feed,
            session=session,
            is_provisional=not self.record.state.provisional.isdisjoint(MONEY),
            is_stale=self.record.link.is_stale,
            equity_rest=None if account.equity is None else number(account.equity),
            equity_rest_at=self._equity_rest_at,
            error=self.errors.summary,
            books=() if self.books is None else self._mark_books(self.books.names),
        )

    def position_marks(self, *, now: float, session: Session | None) -> list[PositionMark]:
        """Every position at its marked price, by symbol."""
        positions = self.record.state.positions
        marks = []
        for key, holding in self.marked.holdings.items():
            known, position = self._prices.get(key), positions.get(key)
            current = None if known is None else known.current
            price_at = None if current is None else current.at / 1e9
            asset_class = None if position is None else position.asset_class
            value = None if holding.price is None else holding.value
            marks.append(
                PositionMark(
                    symbol=holding.symbol,
                    qty=holding.qty,
                    price=holding.price,
                    market_value=value,
                    unrealized_pl=None if value is None else value - holding.cost,
                    unrealized_intraday_pl=None if value is None else value - holding.intraday_base,
                    price_at=price_at,
                    source=None if current is None else current.source,
                    is_old=price_at is None or _is_old(asset_class, now - price_at, session),
                    is_halted=known is not None and known.halted_since is not None,
                    held_price=_held_price(holding, known),
                    is_held=holding.is_held or (known is not None and known.held is not None),
                )
            )
        return sorted(marks, key=lambda mark: mark.symbol)

    def _mark_books(self, names: Sequence[str]) -> tuple[BookMark, ...]:
        """The parts of all books; the last has what rounding to cents leaves over."""
        marked, sums = self.marked, self.marked.sums
        value = to_cents(sums.long_value) + to_cents(sums.short_value)
        net = sums.long_value + sums.short_value
        rest = (value, to_cents(net - sums.cost), to_cents(net - sums.intraday_base))
        books = []
        for name in names:
            part = marked.books.get(name, NO_BOOK)
            if name == names[-1]:
                amounts = rest
            else:
                amounts = (
                    to_cents(part.value),
                    to_cents(part.value - part.cost),
                    to_cents(part.value - part.intraday_base),
                )
                rest = (rest[0] - amounts[0], rest[1] - amounts[1], rest[2] - amounts[2])
            books.append(
                BookMark(
                    name=name,
                    market_value=amounts[0],
                    unrealized_pl=amounts[1],
                    unrealized_intraday_pl=amounts[2],
                )
            )
        return tuple(books)

    def _count_prices(
        self, *, now: float, session: Session | None
    ) -> tuple[PriceCounts, float | None]:
        positions = self.record.state.positions
        fresh, oldest = 0, None
        unpriced, halted, held = [], [], []
        for key, holding in self.marked.holdings.items():
            known = self._prices.get(key)
            if holding.price is None:
                unpriced.append(holding.symbol)
            if holding.is_held or (known is not None and known.held is not None):
                held.append(holding.symbol)
            if known is not None and known.halted_since is not None:
                halted.append(holding.symbol)
            at = None if known is None or known.current is None else known.current.at / 1e9
            if at is not None and (oldest is None or at < oldest):
                oldest = at
            position = positions.get(key)
            asset_class = None if position is None else position.asset_class
            if at is not None and not _is_old(asset_class, now - at, session):
                fresh += 1
        counts = PriceCounts(
            fresh=fresh,
            old=len(self.marked.holdings) - fresh - len(unpriced),
            unpriced=tuple(sorted(unpriced)),
            halted=tuple(sorted(halted)),
            held=tuple(sorted(held)),
        )
        return counts, oldest

    # -- inside ------------------------------------------------------------------------------------

    def _add_executions(self, change: Change, before: AccountState, after: AccountState) -> None:
        for order_id in _touched_orders(change):
            old, new = before.executions.get(order_id, {}), after.executions.get(order_id, {})
            if old is new:
                continue
            for execution_id in old.keys() | new.keys():
                was, now = old.get(execution_id), new.get(execution_id)
                if was != now:  # `now` of a reversed execution has quantity zero
                    self._move_cash(was, after, -1)
                    self._move_cash(now, after, 1)

    def _move_cash(self, execution: Execution | None, state: AccountState, sign: int) -> None:
        if execution is None:
            return
        key = position_symbol(execution.symbol)
        qty = number(execution.qty) * (1 if execution.side.startswith("buy") else -1)
        each = self._multiplier(key, execution.order_id, state)
        self.marked.add_execution(key, sign * qty * each, number(execution.price), each)
        if self.books is not None:
            self.books.apply(execution, sign, state)

    def _multiplier(self, key: Symbol, order_id: OrderId, state: AccountState) -> Decimal:
        position: Position | None = state.positions.get(key) or self.record.state.positions.get(key)
        if position is not None:
            return multiplier(position)
        order = state.orders.get(order_id)
        is_option = order is not None and order.asset_class == "us_option"
        return Decimal(OPTION_MULTIPLIER if is_option else 1)

    def _measure(self, equity: Decimal, requested_at: float) -> MarkError | None:
        """Compare the broker's equity with the marks while it was read."""
        current = self.marked.equity
        marks = list(_during(self._samples, requested_at - BEFORE_READ_S))
        if current is not None:
            marks.append(current)
        error = measure(marks, equity, self._prices_from())
        if error is not None:
            self.errors.add(error)
        return error

    def _prices_from(self) -> PricesFrom:
        known = [self._prices.get(key) for key in self.marked.holdings]
        sources = {p.current.source for p in known if p is not None and p.current is not None}
        if not sources:
            return "none"
        from_stream = sources & {"trade", "quote"}
        return (
            "mixed" if len(sources) > len(from_stream) > 0 else "stream" if from_stream else "rest"
        )

    def _keep_rolled(self, last_equity: Decimal | None) -> None:
        if self._last_equity_source == "mark" and self.marked.last_equity == self._rolled_from:
            self.marked.last_equity = last_equity
        else:
            self._last_equity_source, self._rolled_from = "broker", None


def _held_price(holding: Holding, known: SymbolPrice | None) -> Decimal | None:
    if known is not None and known.held is not None:
        return known.held.price
    return known.current.price if known and known.current and holding.is_behind else None


def _during(samples: deque[tuple[float, Decimal]], since: float) -> Iterator[Decimal]:
    """The mark that was current at a time, and all later ones."""
    before = None
    for at, equity in samples:
        if at < since:
            before = equity
            continue
        if before is not None:
            yield before
            before = None
        yield equity
    if before is not None:
        yield before


def _touched_orders(change: Change) -> set[OrderId]:
    touched = {order.id for update in change.updates for order, _ in flatten(update.order)}
    return touched | {execution.order_id for execution in change.recovered or ()}


def _is_old(asset_class: str | None, age_s: float, session: Session | None) -> bool:
    if asset_class == "us_option" and session not in (None, "regular"):
        return False
    if asset_class != "crypto" and session in ("overnight", "closed"):
        return False
    return age_s > MAX_AGE_S.get(asset_class, DEFAULT_MAX_AGE_S)
