"""State of the exchange: accounts, prices, hours and order books. No rules.

Rules are functions in other modules that take the state, an account and an order. They call
downwards only: matching → execution → groups → lifecycle → trade_events → state.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random

import msgspec

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.errors import Document
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.timestamps import new_york_date
from realtime.simulator.exchange.venue.market_hours import EXTENDED, REGULAR, Market
from realtime.simulator.exchange.venue.order_book import OrderBooks
from realtime.simulator.exchange.venue.prices import PriceProcess
from realtime.simulator.exchange.venue.symbols import build_listing


class TradeUpdate(msgspec.Struct, frozen=True):
    """One event: the account's label and the `data` of its frame, JSON-ready."""

    label: str
    data: Document


@dataclass(slots=True)
class Quirks:
    """Settings of uncertain facts about the broker; clients must cope with both values."""

    bracket_cancel_frame: bool = True
    parent_legs_in_frame: bool = True
    crypto_fee_in_position: bool = True
    pdt_fields: bool = False
    cancel_all_body: bool = True
    execution_id_on_pending_new: bool = False
    legacy_frames: bool = False
    rest_micros: bool = True
    # Symbols whose positions have no price and no value, as of an asset that became inactive;
    # equity is without them.
    unpriced: list[str] = field(default_factory=list)


class ExchangeState:
    """Accounts, prices, hours and the books of resting orders."""

    def __init__(self, *, seed: int, clock: Callable[[], int]) -> None:
        self.seed = seed
        self._clock = clock
        self._now = 0
        self.quirks = Quirks()
        self.market = Market()
        self.listing = build_listing(new_york_date(self.now()))
        self.prices = PriceProcess(self.listing, Random(f"{seed}:prices"))
        self.accounts: dict[str, Account] = {}
        self.books = OrderBooks()
        self.bells_until = self.now()  # opening and closing bells are processed up to here
        self.last_phase = ""  # of the session, when the bells were last processed
        # (expires at, order number, order), soonest first; finished orders stay until due
        self.expiries: list[tuple[int, int, Order]] = []
        self.on_update: Callable[[TradeUpdate], None] | None = None
        self._numbers = count(1)

    def now(self) -> int:
        """Return the clock's reading, never less than the one before."""
        self._now = max(self._now, self._clock())
        return self._now

    def next_number(self) -> int:
        """Return the next order number."""
        return next(self._numbers)

    def may_trade(self, order: Order, phase: str) -> bool:
        """Return whether this order can trade in this session."""
        if order.asset.is_crypto or phase == REGULAR:
            return True
        return phase == EXTENDED and order.extended_hours
