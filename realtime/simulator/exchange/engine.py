"""Interface of the exchange: every result JSON-ready, every rejection an `ApiError`.

No I/O, no task, no logger; time is the injected clock, randomness is seeded. The same seed and the
same calls at the same times give the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from random import Random

from realtime.simulator.exchange.accounts.account import Account, AccountSpec, LastClose
from realtime.simulator.exchange.accounts.configuration import (
    change_configuration,
    configuration_document,
)
from realtime.simulator.exchange.accounts.id_generator import IdGenerator
from realtime.simulator.exchange.accounts.margin import compute_balances
from realtime.simulator.exchange.accounts.past import (
    deposit_in_the_past,
    end_past,
    open_in_the_past,
    trade_in_the_past,
)
from realtime.simulator.exchange.accounts.portfolio_history import portfolio_history
from realtime.simulator.exchange.accounts.position import Position
from realtime.simulator.exchange.corrections import (
    RARE_STATUSES,
    bust,
    correct,
    rename,
    set_status,
    split,
    transfer_cash,
)
from realtime.simulator.exchange.decimals import format_decimal
from realtime.simulator.exchange.documents import account_document, position_document, rest_order
from realtime.simulator.exchange.errors import ApiError, Document
from realtime.simulator.exchange.orders.availability import available_qty
from realtime.simulator.exchange.orders.cancellation import (
    cancel,
    cancel_all,
    get_order,
    get_order_by_client_order_id,
    hold_cancels,
)
from realtime.simulator.exchange.orders.closing import close_all, close_position, get_position
from realtime.simulator.exchange.orders.lifecycle import set_working
from realtime.simulator.exchange.orders.order import Execution, Order
from realtime.simulator.exchange.orders.order_list import list_orders
from realtime.simulator.exchange.orders.replacement import hold_replaces, replace
from realtime.simulator.exchange.orders.submission import submit
from realtime.simulator.exchange.state import ExchangeState, Quirks, TradeUpdate
from realtime.simulator.exchange.timestamps import format_rfc3339, new_york_date
from realtime.simulator.exchange.trade_events import publish
from realtime.simulator.exchange.trading_day import end_day, process_bells, set_market_mode
from realtime.simulator.exchange.venue.assets import Listing
from realtime.simulator.exchange.venue.calendar import calendar_documents, previous_trading_day
from realtime.simulator.exchange.venue.market_hours import MODES, REGULAR
from realtime.simulator.exchange.venue.matching import match_all
from realtime.simulator.exchange.venue.prices import PriceProcess

__all__ = ["AccountSpec", "ApiError", "Exchange", "Quirks", "TradeUpdate"]


PRICED_FIELDS = (
    "current_price", "market_value", "unrealized_pl", "unrealized_plpc", "unrealized_intraday_pl",
    "unrealized_intraday_plpc", "change_today",
)  # fmt: skip
"""What a position without a price does not have."""


class Exchange:
    """An Alpaca-like broker with its own accounts and order books."""

    def __init__(self, *, seed: int, clock: Callable[[], int]) -> None:
        self._state = ExchangeState(seed=seed, clock=clock)
        self._clock = clock

    # ── set-up ──────────────────────────────────────────────────────────────────────────────

    @property
    def labels(self) -> Sequence[str]:
        """Labels of all accounts, in the order of opening."""
        return list(self._state.accounts)

    @property
    def quirks(self) -> Quirks:
        """Switches for uncertain facts; change them in place."""
        return self._state.quirks

    @property
    def on_update(self) -> Callable[[TradeUpdate], None] | None:
        """Called for every event, synchronously and in order."""
        return self._state.on_update

    @on_update.setter
    def on_update(self, listener: Callable[[TradeUpdate], None] | None) -> None:
        self._state.on_update = listener

    def open_account(self, spec: AccountSpec) -> None:
        """Open an account with its first cash; a label is used once."""
        if spec.label in self._state.accounts:
            raise ValueError(f'account "{spec.label}" is open already')
        seed = f"{self._state.seed}:{spec.label}"
        ids = IdGenerator(f"{seed}:ids", self._clock)
        created = ids.next_time()
        account = Account(
            spec=spec,
            id=ids.uuid(),
            created_at=created,
            ids=ids,
            rng=Random(f"{seed}:fills"),
            cash=spec.cash,
            last_close=LastClose(
                day=previous_trading_day(new_york_date(created)).isoformat(), equity=spec.cash
            ),
        )
        account.activity_log.record(
            "JNLC",
            created,
            ids.uuid(),
            net_amount=format_decimal(spec.cash),
            description="opening balance",
        )
        self._state.accounts[spec.label] = account

    @property
    def seed(self) -> int:
        """The seed of everything."""
        return self._state.seed

    def now(self) -> int:
        """The exchange's time, epoch nanoseconds."""
        return self._state.now()

    def cash(self, label: str) -> Decimal:
        """An account's cash."""
        return self._account(label).cash

    def may_short(self, label: str) -> bool:
        """Whether an account may sell short."""
        return self._account(label).may_short

    def open_in_the_past(self, label: str, at: int) -> None:
        """Let an account that has not traded yet have been opened earlier."""
        open_in_the_past(self._account(label), at)

    def trade_in_the_past(
        self,
        label: str,
        symbol: str,
        side: str,
        qty: Decimal,
        price: Decimal,
        *,
        at: int,
        client_order_id: str,
    ) -> None:
        """Book a market order that was filled before the start; see `accounts/past.py`."""
        trade_in_the_past(
            self._state,
            self._account(label),
            self._state.listing.get_tradable(symbol),
            side,
            qty,
            price,
            at=at,
            client_order_id=client_order_id,
        )

    def deposit_in_the_past(self, label: str, amount: Decimal, at: int) -> None:
        """Book a deposit before the start."""
        deposit_in_the_past(self._account(label), amount, at)

    def end_past(self, label: str, day: str) -> None:
        """Begin the present, after the last close."""
        end_past(self._account(label), day)

    def set_market(self, mode: str) -> None:
        """Set the hours: always, open, closed or nyse (see market_hours.py)."""
        if mode not in MODES:
            raise ValueError(f'market mode "{mode}" is not one of {", ".join(MODES)}')
        set_market_mode(self._state, mode)

    def advance(self, *, prices_move: bool = True) -> None:
        """Run one step: opening and closing bells, expiries, price moves, matching."""
        state = self._state
        now = state.now()
        process_bells(state)
        if prices_move:
            state.prices.step(stocks_trade=state.market.phase(now) == REGULAR)
        state.prices.remember_minute(now)
        match_all(state)

    # ── account ─────────────────────────────────────────────────────────────────────────────

    def account(self, label: str) -> Document:
        """Answer GET /v2/account."""
        account = self._account(label)
        last = self._state.prices.last
        if self.quirks.unpriced:
            last = {**last, **dict.fromkeys(self.quirks.unpriced, Decimal(0))}
        balances = compute_balances(account, last)
        return account_document(account, balances, pdt_fields=self.quirks.pdt_fields)

    def configurations(self, label: str) -> Document:
        """Answer GET /v2/account/configurations."""
        return configuration_document(self._account(label), pdt_fields=self.quirks.pdt_fields)

    def patch_configurations(self, label: str, body: object) -> Document:
        """Answer PATCH /v2/account/configurations."""
        change_configuration(self._account(label), body)
        return self.configurations(label)

    def activities(
        self, label: str, query: Mapping[str, str], activity_type: str | None = None
    ) -> list[Document]:
        """Answer GET /v2/account/activities, or …/{activity_type}."""
        return self._account(label).activity_log.page(query, activity_type)

    def portfolio_history(self, label: str, query: Mapping[str, str]) -> Document:
        """Answer GET /v2/account/portfolio/history."""
        return portfolio_history(self._state, self._account(label), query)

    # ── positions ───────────────────────────────────────────────────────────────────────────

    def positions(self, label: str) -> list[Document]:
        """Answer GET /v2/positions."""
        account = self._account(label)
        return [self._position(account, position) for position in account.holdings()]

    def position(self, label: str, symbol_or_asset_id: str) -> Document:
        """Answer GET /v2/positions/{symbol or asset id}."""
        account = self._account(label)
        return self._position(account, get_position(self._state, account, symbol_or_asset_id))

    def close_position(
        self, label: str, symbol_or_asset_id: str, *, qty: str | None, percentage: str | None
    ) -> Document:
        """Answer DELETE /v2/positions/{symbol or asset id}: the closing order."""
        account = self._account(label)
        return close_position(
            self._state, account, symbol_or_asset_id, qty=qty, percentage=percentage
        )

    def close_all_positions(self, label: str, *, cancel_orders: bool) -> list[Document]:
        """Answer DELETE /v2/positions, which is sent with 207."""
        if cancel_orders:
            self.cancel_all(label)
        return close_all(self._state, self._account(label))

    # ── orders ──────────────────────────────────────────────────────────────────────────────

    def orders(self, label: str, query: Mapping[str, str]) -> list[Document]:
        """Answer GET /v2/orders."""
        return list_orders(self._account(label), query, micros=self.quirks.rest_micros)

    def order(self, label: str, order_id: str, *, nested: bool) -> Document:
        """Answer GET /v2/orders/{id}."""
        return self._rest_order(get_order(self._account(label), order_id), nested=nested)

    def order_by_client_order_id(self, label: str, client_order_id: str) -> Document:
        """Answer GET /v2/orders:by_client_order_id."""
        order = get_order_by_client_order_id(self._account(label), client_order_id)
        return self._rest_order(order, nested=False)

    def submit(self, label: str, body: object) -> Document:
        """Answer POST /v2/orders."""
        return submit(self._state, self._account(label), body)

    def replace(self, label: str, order_id: str, body: object) -> Document:
        """Answer PATCH /v2/orders/{id}: the new order."""
        account = self._account(label)
        return replace(self._state, account, get_order(account, order_id), body)

    def cancel(self, label: str, order_id: str) -> None:
        """Answer DELETE /v2/orders/{id}, which is sent with 204."""
        account = self._account(label)
        cancel(self._state, account, get_order(account, order_id))

    def cancel_all(self, label: str) -> list[Document]:
        """Answer DELETE /v2/orders, which is sent with 207."""
        return cancel_all(self._state, self._account(label))

    # ── market ──────────────────────────────────────────────────────────────────────────────

    def clock(self) -> Document:
        """Answer GET /v2/clock."""
        return self._state.market.clock_document(self._state.now())

    def calendar(self, query: Mapping[str, str]) -> list[Document]:
        """Answer GET /v2/calendar."""
        return calendar_documents(query)

    def assets(self, query: Mapping[str, str]) -> list[Document]:
        """Answer GET /v2/assets."""
        return self._state.listing.list_documents(query)

    def asset(self, symbol_or_id: str) -> Document:
        """Answer GET /v2/assets/{symbol or id}."""
        return self._state.listing.get_document(symbol_or_id)

    def prices(self) -> dict[str, str]:
        """Return symbol → last price."""
        return {symbol: format_decimal(price) for symbol, price in self._state.prices.last.items()}

    @property
    def price_process(self) -> PriceProcess:
        """The prices that drive trading, positions and market data; read only."""
        return self._state.prices

    @property
    def listing(self) -> Listing:
        """All assets; read only."""
        return self._state.listing

    def session_phase(self, at: int | None = None) -> str:
        """Return the stock market's session at a time (epoch ns), or now."""
        return self._state.market.phase(self._state.now() if at is None else at)

    def last_close(self, symbol: str) -> str:
        """Return a symbol's price at the close of the trading day before."""
        return format_decimal(self._state.prices.lastday[symbol])

    def last_trading_day(self) -> str:
        """Return the trading day before this one, in New York."""
        return previous_trading_day(new_york_date(self._state.now())).isoformat()

    def set_price(self, symbol: str, price: str) -> None:
        """Pin a symbol's price; orders are matched at the next `advance`."""
        self._state.prices.pin(self._state.listing.get_tradable(symbol).symbol, Decimal(price))

    # ── acts of a venue or a back office ────────────────────────────────────────────────

    def bust(self, label: str, execution_id: str) -> None:
        """Undo an execution (event `trade_bust`)."""
        bust(self._state, self._account(label), execution_id)

    def correct(self, label: str, execution_id: str, price: str) -> None:
        """Change the price of an execution (event `trade_correct`)."""
        correct(self._state, self._account(label), execution_id, Decimal(price))

    def reject_next(self, label: str) -> None:
        """Let the venue reject this account's next order."""
        self._account(label).rejects_next = True

    def split(self, symbol: str, ratio: int, *, reverse: bool = False) -> None:
        """Split a stock, without an event on the stream."""
        split(self._state, self._state.listing.get_tradable(symbol), ratio, reverse=reverse)

    def rename(self, symbol: str, to: str) -> None:
        """Change a stock's symbol, without an event on the stream."""
        rename(self._state, self._state.listing.get_tradable(symbol), to)

    def end_day(self) -> None:
        """End the trading day now, regardless of the clock, and begin the next."""
        end_day(self._state)

    def deposit(self, label: str, amount: str) -> None:
        """Move cash in, or out if negative, without an event on the stream."""
        transfer_cash(self._account(label), Decimal(amount))

    def hold_cancels(self, label: str, on: bool) -> None:
        """Let cancels wait in `pending_cancel` until switched off."""
        hold_cancels(self._state, self._account(label), on=on)

    def hold_replaces(self, label: str, on: bool) -> None:
        """Let replaces wait in `pending_replace` until switched off."""
        hold_replaces(self._state, self._account(label), on=on)

    def set_status(self, label: str, order_id: str, status: str) -> None:
        """Set a rare status of an open order: stopped, suspended, calculated …; `new` ends it."""
        account = self._account(label)
        order = get_order(account, order_id)
        if status == "new" and order.status in RARE_STATUSES:
            set_working(self._state, account, order)
            return
        at = set_status(self._state, account, order, status)
        publish(self._state, account, order, status, at)

    def books(self, label: str) -> Document:
        """Return the full state of an account."""
        account = self._account(label)
        return {
            "label": label,
            "account": self.account(label),
            "positions": self.positions(label),
            "orders": [self._rest_order(o, nested=False) for o in account.orders.values()],
            "executions": [_execution(e) for e in account.executions.values()],
            "cash": format_decimal(account.cash),
            "seq": account.seq,
        }

    # ── inside ──────────────────────────────────────────────────────────────────────────────

    def _account(self, label: str) -> Account:
        return self._state.accounts[label]

    def _position(self, account: Account, position: Position) -> Document:
        symbol = position.asset.symbol
        price = self._state.prices.last[symbol]
        available = available_qty(account, position.asset, price)
        document = position_document(
            position,
            price=price,
            lastday=self._state.prices.lastday[symbol],
            available=available if position.qty > 0 else -available,
        )
        if symbol in self.quirks.unpriced:
            document |= dict.fromkeys(PRICED_FIELDS)
        return document

    def _rest_order(self, order: Order, *, nested: bool) -> Document:
        return rest_order(order, with_legs=nested, micros=self.quirks.rest_micros)


def _execution(execution: Execution) -> Document:
    return {
        "id": execution.id,
        "order_id": execution.order.id,
        "symbol": execution.asset.symbol,
        "side": execution.order.side,
        "qty": format_decimal(execution.qty),
        "price": format_decimal(execution.price),
        "at": format_rfc3339(execution.at),
        "position_delta": format_decimal(execution.position_delta),
        "cash_delta": format_decimal(execution.cash_delta),
        "is_busted": execution.is_busted,
    }
