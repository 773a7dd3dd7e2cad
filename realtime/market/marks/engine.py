"""Marks of all accounts, from one stream of prices.

Changes of the store and elements of the stream only note what has changed; `tick` applies it, a few
times a second. So the cost of a price does not depend on how often it changes, and a symbol that a
thousand accounts hold is applied once a tick to each.

An account gets a new mark at most four times a second, and only if a cent or a warning changed.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from heapq import heappop, heappush
from itertools import islice

import msgspec

from realtime.broker.market_codec import Element
from realtime.core.decimals import ZERO
from realtime.core.mark import AccountMark, PositionMark, to_cents
from realtime.core.mark_error import ErrorSummary, ErrorWindow, MarkError, PricesFrom
from realtime.core.mark_prices import (
    UNPRICED,
    PricePoint,
    StreamTrade,
    SymbolPrice,
    add_trade,
    set_broker_price,
)
from realtime.core.mark_to_market import max_change
from realtime.core.mark_totals import MarkTotals
from realtime.core.model import AccountLabel, Symbol
from realtime.market.marks.account_marker import AccountBooks, AccountMarker
from realtime.market.marks.holders import HolderIndex
from realtime.market.marks.sessions import TradingCalendar
from realtime.market.marks.ticks import MARKED_KINDS, apply_element, price_symbol
from realtime.store.records import Change, Profile
from realtime.store.store import Store

MIN_INTERVAL_S = 0.25
"""Between two marks of an account."""

CHECK_EVERY_S = 60.0
"""How often the sums of an account are added up from all positions, and compared."""

REFRESH_S = 5.0
"""How often marks are made without a price: warnings appear although nothing trades."""

MAX_MOVED = 1_000
"""Symbols of one tick, and"""
MAX_MARKS = 32
"""accounts: a few milliseconds each."""

NS = 1_000_000_000

READ_LAG_S = 1.0
"""Prices in a read are taken as of this long before it began: the broker's may be that old, and a
trade that was on its way then is newer."""


class MarkEngine:
    """All marks. `clock` gives epoch seconds; `feed` is the stock feed, such as `sip`."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        feed: str,
        calendar: TradingCalendar,
        make_books: Callable[[], AccountBooks | None] = lambda: None,
    ) -> None:
        self.feed = feed
        self.calendar = calendar
        self.counts: Counter[str] = Counter()
        """Counters of this run: `elements`, `unreadable`, `marks`, `checks`, `drift`."""
        self.errors = ErrorWindow()
        """Errors of the last reads of all accounts."""
        self.errors_by_source: dict[tuple[str, PricesFrom], ErrorWindow] = {}
        """(stock feed, where prices came from) → errors of the last such reads."""
        self.totals = MarkTotals()
        """Sums of the newest marks, by tier and by book."""
        self.withdrawn: list[AccountLabel] = []
        """Accounts that were disabled, until `pop_withdrawn`: nothing is known of them any more."""
        self.seq = 0
        self.has_more = False
        """Whether the last `tick` left something to do at once."""
        self.classes: dict[Symbol, str | None] = {}
        """Symbol that is held → asset class, as the broker names it."""
        self._store = store
        self._clock = clock
        self._make_books = make_books
        self._markers: dict[AccountLabel, AccountMarker] = {}
        self._prices: dict[Symbol, SymbolPrice] = {}
        self._limits: dict[Symbol, Decimal] = {}
        self._index = HolderIndex()
        self._moved: set[Symbol] = set()
        self._changed: dict[AccountLabel, None] = {}
        """Accounts whose mark may change, in the order in which they changed."""
        self._waiting: set[AccountLabel] = set()
        """Those of them that had a mark less than `MIN_INTERVAL_S` ago."""
        self._due: list[tuple[float, AccountLabel]] = []
        """A heap: when those that wait are due."""
        self._reading: set[AccountLabel] = set()
        self._due_at: dict[AccountLabel, float] = {}
        self._checked_at: dict[AccountLabel, float] = {}
        self._refreshed_at = clock()
        self._refresh_queue: deque[AccountLabel] = deque()
        self._last_close: float | None = None
        self._failure: Exception | None = None
        for record in store:
            self.handle_change(Change(label=record.profile.label, before=None, after=record))
        self._unsubscribe = store.subscribe(self.handle_change)

    def close(self) -> None:
        """Stop following the store."""
        self._unsubscribe()

    # -- what changes ------------------------------------------------------------------------------

    def handle_change(self, change: Change) -> None:
        """Note a change of the store. Returns at once and never raises, for the writer's sake: a
        failure is raised by the next `tick`."""
        try:
            self._handle_change(change)
        except Exception as error:  # noqa: BLE001 - the account's state is worth more than its mark
            self._failure = self._failure or error

    def _handle_change(self, change: Change) -> None:
        label = change.label
        is_disabled = change.after is not None and change.after.link.state == "disabled"
        if change.after is None or is_disabled:
            if is_disabled and label in self._markers:
                self.withdrawn.append(label)
            self._markers.pop(label, None)
            self._changed.pop(label, None)
            self._waiting.discard(label)
            self._due_at.pop(label, None)
            self._checked_at.pop(label, None)
            self._set_symbols(label, ())
            self.totals.update(label, None, paper=True, tier=None)
            return
        if change.before is not None and change.before.profile != change.after.profile:
            self._add_to_totals(change.after.profile, change.after.mark)
        marker = self._markers.get(label)
        if marker is None:
            marker = self._markers[label] = AccountMarker(
                change.after, self._prices, self._set_broker_price, self._make_books()
            )
            if change.after.has_data:
                marker.start()
        error = marker.handle_change(change, self._clock())
        self._add_error(error)
        if marker.is_reading:
            self._reading.add(label)
        self._note(label)
        positions = change.after.state.positions
        if change.before is None or positions is not change.before.state.positions:
            # The second asset under a symbol has another key: prices of the stream are not its own.
            held = {key: p.asset_class for key, p in positions.items() if key == p.symbol}
            self.classes.update(held)
            self._set_symbols(label, held)

    def handle_elements(self, elements: Iterable[Element]) -> None:
        """Take what the stream delivered; elements that move no price are skipped."""
        try:
            for element in elements:
                if element.kind in MARKED_KINDS:
                    symbol = price_symbol(element)
                    if symbol in self._index.holders:
                        self._apply(symbol, element)
        except Exception as error:  # noqa: BLE001 - other clients of the stream go on
            self._failure = self._failure or error

    def set_latest_trade(self, symbol: Symbol, price: Decimal, at: int) -> None:
        """Take the last trade of a symbol as REST has it; `at` is its time, epoch ns."""
        if symbol not in self._index.holders or price <= 0:
            return
        old = self._prices.get(symbol, UNPRICED)
        trade = StreamTrade(f"rest-{at}", PricePoint(price=price, at=at, source="trade"))
        if any(known.point.at >= at for known in old.trades):
            return
        limit = self._limits.get(symbol) or max_change(self.classes.get(symbol))
        self._replace_price(symbol, old, add_trade(old, trade, max_change=limit))

    def tick(self) -> list[AccountMark]:
        """Apply a part of what changed; return new marks, in the order in which accounts changed.

        Returns within a few milliseconds. While `has_more`, call it again after other tasks ran.
        """
        if self._failure is not None:
            raise self._failure
        now = self._clock()
        self._roll_over(now)
        self._select_for_refresh(now)
        self._finish_reads(now)
        while self._due and self._due[0][0] <= now:
            self._stop_waiting(heappop(self._due)[1])
        moved = 0
        while self._moved and moved < MAX_MOVED:
            moved += 1
            for label in self._index.holders.get(self._moved.pop(), ()):
                self._note(label)
        marks = self._make_marks(now)
        self.has_more = bool(self._moved) or bool(self._changed)
        return marks

    def pop_withdrawn(self) -> list[AccountLabel]:
        """Accounts whose mark is not shown any more."""
        labels, self.withdrawn = self.withdrawn, []
        return labels

    def get_next_due(self) -> float | None:
        """When an account that waits is due, epoch seconds; None if no account waits."""
        return self._due[0][0] if self._due else None

    def account_books(self) -> Iterator[tuple[AccountLabel, AccountBooks]]:
        """The books of each account; nothing where none are configured."""
        for label, marker in self._markers.items():
            if marker.books is not None:
                yield label, marker.books

    def split_again(self, label: AccountLabel) -> None:
        """Split an account's positions by book again."""
        marker = self._markers.get(label)
        if marker is not None:
            marker.marked.split_again()
            self._note(label)

    # -- what clients read -------------------------------------------------------------------------

    def get(self, label: str) -> AccountMark | None:
        """The newest mark of an account; None before its first."""
        marker = self._markers.get(AccountLabel(label))
        return None if marker is None else marker.mark

    def get_positions(self, label: str) -> list[PositionMark]:
        """The positions of an account at their marked prices; empty before its first mark."""
        marker, now = self._markers.get(AccountLabel(label)), self._clock()
        if marker is None or marker.mark is None:
            return []
        return marker.position_marks(now=now, session=self.calendar.session(now))

    @property
    def marks(self) -> Iterator[AccountMark]:
        """The newest mark of each account that has one."""
        return (marker.mark for marker in self._markers.values() if marker.mark is not None)

    @property
    def prices(self) -> Mapping[Symbol, SymbolPrice]:
        """The prices of all symbols that are held."""
        return self._prices

    @property
    def error(self) -> ErrorSummary | None:
        """Errors of the last reads of all accounts."""
        return self.errors.summary

    def exposure(self, symbol: Symbol) -> Decimal:
        """The market value of a symbol over all accounts, long and short added up."""
        holdings = (
            self._markers[label].marked.holdings.get(symbol)
            for label in self._index.holders.get(symbol, ())
        )
        return sum((abs(holding.value) for holding in holdings if holding is not None), ZERO)

    # -- inside ------------------------------------------------------------------------------------

    def _apply(self, symbol: Symbol, element: Element) -> None:
        self.counts["elements"] += 1
        old = self._prices.get(symbol, UNPRICED)
        try:
            limit = self._limits.get(symbol) or max_change(self.classes.get(symbol))
            new = apply_element(old, element, max_change=limit)
        except msgspec.ValidationError:
            self.counts["unreadable"] += 1
            return
        self._replace_price(symbol, old, new)

    def _set_broker_price(
        self, symbol: Symbol, price: Decimal, read_at: float, limit: Decimal, is_certain: bool
    ) -> None:
        self._limits[symbol] = limit
        old = self._prices.get(symbol, UNPRICED)
        at = int((read_at - READ_LAG_S) * NS)
        new = set_broker_price(old, price, at, max_change=limit, is_certain=is_certain)
        self._replace_price(symbol, old, new)

    def _replace_price(self, symbol: Symbol, old: SymbolPrice, new: SymbolPrice) -> None:
        if new is old:
            return
        self._prices[symbol] = new
        if new.current != old.current:
            self._moved.add(symbol)
        elif (new.held is None) != (old.held is None) or new.halted_since != old.halted_since:
            for label in self._index.holders.get(symbol, ()):
                self._note(label)

    def _set_symbols(self, label: AccountLabel, symbols: Iterable[Symbol]) -> None:
        for symbol in self._index.set_symbols(label, symbols):
            self._prices.pop(symbol, None)
            self._limits.pop(symbol, None)
            self.classes.pop(symbol, None)
            self._moved.discard(symbol)

    def _finish_reads(self, now: float) -> None:
        """A read that changed nothing is announced without a state: it ends with the next tick."""
        for label in self._reading:
            marker = self._markers.get(label)
            self._add_error(None if marker is None else marker.finish_read(now))
        self._reading.clear()

    def _add_error(self, error: MarkError | None) -> None:
        if error is not None:
            self.errors.add(error)
            key = (self.feed, error.prices_from)
            self.errors_by_source.setdefault(key, ErrorWindow()).add(error)

    def _note(self, label: AccountLabel) -> None:
        """An account's mark may change: at once, or when it is due."""
        if label not in self._waiting:
            self._changed[label] = None

    def _stop_waiting(self, label: AccountLabel) -> None:
        if label in self._waiting:  # else it was removed
            self._waiting.discard(label)
            self._changed[label] = None

    def _select_for_refresh(self, now: float) -> None:
        """Every account in turn, all of them within `REFRESH_S`."""
        elapsed_s = min(now - self._refreshed_at, REFRESH_S)
        count = int(len(self._markers) * elapsed_s / REFRESH_S)
        if count <= 0:
            return
        self._refreshed_at = now
        for _ in range(count):
            if not self._refresh_queue:
                self._refresh_queue.extend(self._markers)
            label = self._refresh_queue.popleft()
            if label in self._markers:
                self._note(label)

    def _roll_over(self, now: float) -> None:
        close = self.calendar.last_close(now)
        if close == self._last_close:
            return
        if self._last_close is not None:
            for label, marker in self._markers.items():
                marker.roll_over()
                self._note(label)
        self._last_close = close

    def _make_marks(self, now: float) -> list[AccountMark]:
        """The marks that are due and new, of as many accounts as there is time for."""
        session = self.calendar.session(now)
        marks = []
        for label in tuple(islice(self._changed, MAX_MARKS)):
            del self._changed[label]
            due_at = self._due_at.get(label, 0.0)
            if due_at > now:
                self._waiting.add(label)
                heappush(self._due, (due_at, label))
                continue
            marker = self._markers[label]
            marker.catch_up()
            self._check(marker, now)
            mark = marker.make_mark(now=now, session=session, seq=self.seq + 1, feed=self.feed)
            if mark is None:
                continue
            is_new = marker.mark is None or _shown(marker.mark) != _shown(mark)
            marker.mark = mark
            if is_new:
                self.seq += 1
                self._due_at[label] = now + MIN_INTERVAL_S
                self.counts["marks"] += 1
                self._add_to_totals(marker.record.profile, mark)
                marks.append(mark)
        return marks

    def _add_to_totals(self, profile: Profile, mark: AccountMark | None) -> None:
        self.totals.update(profile.label, mark, paper=profile.paper, tier=profile.tier)

    def _check(self, marker: AccountMarker, now: float) -> None:
        """Compare the sums with all positions added up, once a minute."""
        if now < self._checked_at.get(marker.label, 0.0):
            return
        self._checked_at[marker.label] = now + CHECK_EVERY_S
        self.counts["checks"] += 1
        total = marker.marked.total()
        books = marker.marked.total_books()
        nothing_lost = all(books.get(name) == sums for name, sums in marker.marked.books.items())
        if total != marker.marked.sums or not nothing_lost:
            self.counts["drift"] += 1
            marker.marked.sums, marker.marked.books = total, books


def _shown(mark: AccountMark) -> tuple[object, ...]:
    """What makes a mark worth sending: a cent, or a warning. Times alone do not."""
    amounts = (
        mark.equity,
        mark.cash,
        mark.unrealized_pl,
        mark.unrealized_intraday_pl,
        mark.long_market_value,
        mark.short_market_value,
        mark.last_equity,
        mark.equity_rest,
        None if mark.error is None else mark.error.p95,
    )
    prices, is_old = mark.prices, mark.prices.old > 0
    warnings = (prices.unpriced, prices.halted, prices.held, is_old)
    state = (mark.feed, mark.session, mark.is_provisional, mark.is_stale, mark.last_equity_source)
    cents = tuple(None if amount is None else to_cents(amount) for amount in amounts)
    return (cents, mark.books, *warnings, *state)
