"""The exchange as its edges see it: every answer JSON-ready, every refusal a `Refusal`.

No I/O, no task, no logger; time is the injected clock, chance is seeded. The same seed and the
same calls at the same clock readings give the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from random import Random

from realtime.simulator.exchange.accounts.account import Account, AccountSpec, Yesterday
from realtime.simulator.exchange.accounts.configuration import (
    change_configuration,
    configuration_document,
)
from realtime.simulator.exchange.accounts.id_generator import Identity
from realtime.simulator.exchange.accounts.margin import count_money
from realtime.simulator.exchange.accounts.portfolio_history import portfolio_history
from realtime.simulator.exchange.accounts.position import Position
from realtime.simulator.exchange.corrections import (
    RARE_STATUSES,
    bust,
    correct,
    give_status,
    move_cash,
    rename,
    split,
)
from realtime.simulator.exchange.decimals import plain
from realtime.simulator.exchange.documents import account_document, position_document, rest_order
from realtime.simulator.exchange.errors import Document, Refusal
from realtime.simulator.exchange.orders.availability import available_qty
from realtime.simulator.exchange.orders.cancellation import (
    cancel,
    cancel_all,
    find_by_client_order_id,
    find_order,
    hold_cancels,
)
from realtime.simulator.exchange.orders.closing import close_all, close_position, find_position
from realtime.simulator.exchange.orders.lifecycle import resume
from realtime.simulator.exchange.orders.order import Execution, Order
from realtime.simulator.exchange.orders.order_list import list_orders
from realtime.simulator.exchange.orders.replacement import hold_replaces, replace
from realtime.simulator.exchange.orders.submission import submit
from realtime.simulator.exchange.state import Floor, Quirks, TradeUpdate
from realtime.simulator.exchange.timestamps import new_york_date, rfc3339
from realtime.simulator.exchange.trade_events import announce
from realtime.simulator.exchange.trading_day import change_hours, end_day, ring_bells
from realtime.simulator.exchange.venue.calendar import calendar_documents, previous_trading_day
from realtime.simulator.exchange.venue.market_hours import MODES, REGULAR
from realtime.simulator.exchange.venue.matching import match_all

__all__ = ["AccountSpec", "Exchange", "Quirks", "Refusal", "TradeUpdate"]


class Exchange:
    """An Alpaca-like broker with its own books."""

    def __init__(self, *, seed: int, clock: Callable[[], int]) -> None:
        self._floor = Floor(seed=seed, clock=clock)
        self._clock = clock

    # ── set-up ──────────────────────────────────────────────────────────────────────────────

    @property
    def labels(self) -> Sequence[str]:
        """Labels of all accounts, in the order of opening."""
        return list(self._floor.accounts)

    @property
    def quirks(self) -> Quirks:
        """Switches for uncertain facts; change them in place."""
        return self._floor.quirks

    @property
    def on_update(self) -> Callable[[TradeUpdate], None] | None:
        """Called for every event, synchronously and in order."""
        return self._floor.on_update

    @on_update.setter
    def on_update(self, listener: Callable[[TradeUpdate], None] | None) -> None:
        self._floor.on_update = listener

    def open_account(self, spec: AccountSpec) -> None:
        """Open an account with its first cash; a label is used once."""
        if spec.label in self._floor.accounts:
            raise ValueError(f'account "{spec.label}" is open already')
        seed = f"{self._floor.seed}:{spec.label}"
        identity = Identity(f"{seed}:ids", self._clock)
        created = identity.stamp()
        account = Account(
            spec=spec,
            id=identity.uuid(),
            created_at=created,
            identity=identity,
            rng=Random(f"{seed}:fills"),
            cash=spec.cash,
            yesterday=Yesterday(
                day=previous_trading_day(new_york_date(created)).isoformat(), equity=spec.cash
            ),
        )
        account.journal.record(
            "JNLC",
            created,
            identity.uuid(),
            net_amount=plain(spec.cash),
            description="opening balance",
        )
        self._floor.accounts[spec.label] = account

    def set_market(self, mode: str) -> None:
        """Set the hours: always, open, closed or nyse (sessions.py says what each means)."""
        if mode not in MODES:
            raise ValueError(f'market mode "{mode}" is not one of {", ".join(MODES)}')
        change_hours(self._floor, mode)

    def advance(self, *, prices_move: bool = True) -> None:
        """Do one step: bells ring, orders expire, prices move, resting orders are matched."""
        floor = self._floor
        now = floor.now()
        ring_bells(floor)
        if prices_move:
            floor.prices.step(stocks_trade=floor.market.phase(now) == REGULAR)
        floor.prices.remember_minute(now)
        match_all(floor)

    # ── account ─────────────────────────────────────────────────────────────────────────────

    def account(self, label: str) -> Document:
        """Answer GET /v2/account."""
        account = self._account(label)
        money = count_money(account, self._floor.prices.last)
        return account_document(account, money, pdt_fields=self.quirks.pdt_fields)

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
        return self._account(label).journal.page(query, activity_type)

    def portfolio_history(self, label: str, query: Mapping[str, str]) -> Document:
        """Answer GET /v2/account/portfolio/history."""
        return portfolio_history(self._floor, self._account(label), query)

    # ── positions ───────────────────────────────────────────────────────────────────────────

    def positions(self, label: str) -> list[Document]:
        """Answer GET /v2/positions."""
        account = self._account(label)
        return [self._position(account, position) for position in account.holdings()]

    def position(self, label: str, symbol_or_asset_id: str) -> Document:
        """Answer GET /v2/positions/{symbol or asset id}."""
        account = self._account(label)
        return self._position(account, find_position(self._floor, account, symbol_or_asset_id))

    def close_position(
        self, label: str, symbol_or_asset_id: str, *, qty: str | None, percentage: str | None
    ) -> Document:
        """Answer DELETE /v2/positions/{symbol or asset id}: the closing order."""
        account = self._account(label)
        return close_position(
            self._floor, account, symbol_or_asset_id, qty=qty, percentage=percentage
        )

    def close_all_positions(self, label: str, *, cancel_orders: bool) -> list[Document]:
        """Answer DELETE /v2/positions, which the edge sends with 207."""
        if cancel_orders:
            self.cancel_all(label)
        return close_all(self._floor, self._account(label))

    # ── orders ──────────────────────────────────────────────────────────────────────────────

    def orders(self, label: str, query: Mapping[str, str]) -> list[Document]:
        """Answer GET /v2/orders."""
        return list_orders(self._account(label), query, micros=self.quirks.rest_micros)

    def order(self, label: str, order_id: str, *, nested: bool) -> Document:
        """Answer GET /v2/orders/{id}."""
        return self._rest_order(find_order(self._account(label), order_id), nested=nested)

    def order_by_client_order_id(self, label: str, client_order_id: str) -> Document:
        """Answer GET /v2/orders:by_client_order_id."""
        order = find_by_client_order_id(self._account(label), client_order_id)
        return self._rest_order(order, nested=False)

    def submit(self, label: str, body: object) -> Document:
        """Answer POST /v2/orders."""
        return submit(self._floor, self._account(label), body)

    def replace(self, label: str, order_id: str, body: object) -> Document:
        """Answer PATCH /v2/orders/{id}: the new order."""
        account = self._account(label)
        return replace(self._floor, account, find_order(account, order_id), body)

    def cancel(self, label: str, order_id: str) -> None:
        """Obey DELETE /v2/orders/{id}; the edge answers 204."""
        account = self._account(label)
        cancel(self._floor, account, find_order(account, order_id))

    def cancel_all(self, label: str) -> list[Document]:
        """Answer DELETE /v2/orders, which the edge sends with 207."""
        return cancel_all(self._floor, self._account(label))

    # ── market ──────────────────────────────────────────────────────────────────────────────

    def clock(self) -> Document:
        """Answer GET /v2/clock."""
        return self._floor.market.clock_document(self._floor.now())

    def calendar(self, query: Mapping[str, str]) -> list[Document]:
        """Answer GET /v2/calendar."""
        return calendar_documents(query)

    def assets(self, query: Mapping[str, str]) -> list[Document]:
        """Answer GET /v2/assets."""
        return self._floor.listing.select(query)

    def asset(self, symbol_or_id: str) -> Document:
        """Answer GET /v2/assets/{symbol or id}."""
        return self._floor.listing.one(symbol_or_id)

    def prices(self) -> dict[str, str]:
        """Return symbol → last price."""
        return {symbol: plain(price) for symbol, price in self._floor.prices.last.items()}

    def last_close(self, symbol: str) -> str:
        """Return a symbol's price at the close of the trading day before."""
        return plain(self._floor.prices.lastday[symbol])

    def last_trading_day(self) -> str:
        """Return the trading day before this one, in New York."""
        return previous_trading_day(new_york_date(self._floor.now())).isoformat()

    def set_price(self, symbol: str, price: str) -> None:
        """Pin a symbol's price; orders meet it at the next `advance`."""
        self._floor.prices.pin(self._floor.listing.tradable(symbol).symbol, Decimal(price))

    # ── what a venue or a back office can do ────────────────────────────────────────────────

    def bust(self, label: str, execution_id: str) -> None:
        """Undo an execution (event `trade_bust`)."""
        bust(self._floor, self._account(label), execution_id)

    def correct(self, label: str, execution_id: str, price: str) -> None:
        """Change the price of an execution (event `trade_correct`)."""
        correct(self._floor, self._account(label), execution_id, Decimal(price))

    def reject_next(self, label: str) -> None:
        """Let the venue reject this account's next order."""
        self._account(label).rejects_next = True

    def split(self, symbol: str, ratio: int) -> None:
        """Split a stock, without an event on the stream."""
        split(self._floor, self._floor.listing.tradable(symbol), ratio)

    def rename(self, symbol: str, to: str) -> None:
        """Give a stock another symbol, without an event on the stream."""
        rename(self._floor, self._floor.listing.tradable(symbol), to)

    def end_day(self) -> None:
        """End the trading day now, whatever the clock says, and begin the next."""
        end_day(self._floor)

    def deposit(self, label: str, amount: str) -> None:
        """Move cash in, or out if negative, without an event on the stream."""
        move_cash(self._account(label), Decimal(amount))

    def hold_cancels(self, label: str, on: bool) -> None:
        """Let cancels wait in `pending_cancel` until switched off."""
        hold_cancels(self._floor, self._account(label), on=on)

    def hold_replaces(self, label: str, on: bool) -> None:
        """Let replaces wait in `pending_replace` until switched off."""
        hold_replaces(self._floor, self._account(label), on=on)

    def give_status(self, label: str, order_id: str, status: str) -> None:
        """Give an open order a rare status: stopped, suspended, calculated …; `new` ends it."""
        account = self._account(label)
        order = find_order(account, order_id)
        if status == "new" and order.status in RARE_STATUSES:
            resume(self._floor, account, order)
            return
        at = give_status(self._floor, account, order, status)
        announce(self._floor, account, order, status, at)

    def books(self, label: str) -> Document:
        """Return the exchange's own truth about an account."""
        account = self._account(label)
        return {
            "label": label,
            "account": self.account(label),
            "positions": self.positions(label),
            "orders": [self._rest_order(o, nested=False) for o in account.orders.values()],
            "executions": [_execution(e) for e in account.executions.values()],
            "cash": plain(account.cash),
            "seq": account.seq,
        }

    # ── inside ──────────────────────────────────────────────────────────────────────────────

    def _account(self, label: str) -> Account:
        return self._floor.accounts[label]

    def _position(self, account: Account, position: Position) -> Document:
        symbol = position.asset.symbol
        price = self._floor.prices.last[symbol]
        available = available_qty(account, position.asset, price)
        return position_document(
            position,
            price=price,
            lastday=self._floor.prices.lastday[symbol],
            available=available if position.qty > 0 else -available,
        )

    def _rest_order(self, order: Order, *, nested: bool) -> Document:
        return rest_order(order, with_legs=nested, micros=self.quirks.rest_micros)


def _execution(execution: Execution) -> Document:
    return {
        "id": execution.id,
        "order_id": execution.order.id,
        "symbol": execution.asset.symbol,
        "side": execution.order.side,
        "qty": plain(execution.qty),
        "price": plain(execution.price),
        "at": rfc3339(execution.at),
        "position_delta": plain(execution.position_delta),
        "cash_delta": plain(execution.cash_delta),
        "is_busted": execution.is_busted,
    }
