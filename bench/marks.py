"""1000 accounts of 10 positions, 500 symbols, 5 000 trades a second: what marks cost.

In this process, without sockets: the arithmetic, the store, and the frames that a subscriber of all
accounts would get. Processor time is per second of market time; the trades are played as fast as
the loop takes them, 50 ms of them at a time, so that the clock of marks is the market's.
"""

import random
import time
from decimal import Decimal

from msgspec import Struct

from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.sse_encoder import SseEncoder
from realtime.broker.market_codec import Element, make_element
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Position, Symbol
from realtime.core.state import AccountState
from realtime.core.timestamps import format_micros
from realtime.market.marks.engine import MarkEngine
from realtime.market.marks.sessions import TradingCalendar
from realtime.runtime.process import freeze_memory
from realtime.store.records import Profile
from realtime.store.store import Store

ACCOUNTS, POSITIONS, SYMBOLS, PER_S = 1000, 10, 500, 5_000
TICK_S = 0.05
START = 1_791_000_000.0
"""Epoch seconds."""


class Measured(Struct, frozen=True):
    """Processor seconds and marks per second of market time."""

    busy: float
    busy_with_frames: float
    marks_per_s: float
    longest_tick_ms: float


class _Market:
    """Accounts, and trades that move their positions."""

    def __init__(self) -> None:
        self.now = START
        self.store = Store(boot="bench")
        self.rng = random.Random(1)
        self.symbols = [f"S{n}" for n in range(SYMBOLS)]
        for number in range(ACCOUNTS):
            self._add(AccountLabel(f"a{number}"))
        self.engine = MarkEngine(
            self.store, clock=lambda: self.now, feed="sip", calendar=TradingCalendar([])
        )
        self.trades = 0

    def _add(self, label: AccountLabel) -> None:
        self.store.add(Profile(label=label), now=self.now, link=Link(state="synced"))
        chosen = self.rng.sample(self.symbols, POSITIONS)
        positions = {
            Symbol(name): Position(
                symbol=Symbol(name),
                qty="10",
                current_price="100",
                market_value="1000",
                cost_basis="900",
                asset_class="us_equity",
            )
            for name in chosen
        }
        account = Account(id=str(label), account_number="PA0EXAMPLE01", cash="5000", equity="15000")
        state = AccountState(account=account, positions=positions)
        self.store.record_confirmation(label, now=self.now)
        self.store.update(label, now=self.now, state=state, recovered=())

    def batch(self) -> list[Element]:
        """The trades of the next 50 ms."""
        elements = []
        for _ in range(int(PER_S * TICK_S)):
            self.trades += 1
            price = float(100 + Decimal(self.rng.randint(-300, 300)) / 100)
            elements.append(
                make_element(
                    {
                        "T": "t",
                        "S": self.rng.choice(self.symbols),
                        "i": self.trades,
                        "p": price,
                        "c": ["@"],
                        "t": format_micros(int(self.now * 1e6)),
                    }
                )
            )
        return elements


def measure(seconds: int) -> Measured:
    """Play so many seconds of market time."""
    market = _Market()
    buffer = EventBuffer()
    encoder = SseEncoder(market.store, buffer)
    market.store.subscribe(buffer.handle_change)
    market.now += 1
    _tick(market)
    batches = [market.batch() for _ in range(int(seconds / TICK_S))]
    freeze_memory()  # as the daemon does once its accounts are read
    busy = with_frames = longest = 0.0
    marks = 0
    for elements in batches:
        market.now += TICK_S
        began = time.process_time()
        market.engine.handle_elements(elements)
        made, slowest = _tick(market)
        took = time.process_time() - began
        for label in made:
            encoder.encode_state(label, "mark")
        with_frames += time.process_time() - began
        busy, longest, marks = busy + took, max(longest, slowest), marks + len(made)
    return Measured(
        busy / seconds,
        with_frames / seconds,
        marks / seconds,
        1000 * longest,
    )


def _tick(market: _Market) -> tuple[list[AccountLabel], float]:
    """Publish what is due; return whose marks are new, and the longest slice in seconds."""
    made: list[AccountLabel] = []
    longest = 0.0
    while True:
        began = time.process_time()
        for mark in market.engine.tick():
            market.store.set_mark(mark, now=market.now)
            made.append(mark.label)
        longest = max(longest, time.process_time() - began)
        if not market.engine.has_more:
            return made, longest


def lines(measured: Measured) -> list[str]:
    """The figures as Markdown."""
    return [
        f"* {ACCOUNTS} accounts × {POSITIONS} positions, {SYMBOLS} symbols, {PER_S} trades/s:"
        f" {measured.marks_per_s:.0f} marks/s",
        f"* {100 * measured.busy:.0f} % of a core, {100 * measured.busy_with_frames:.0f} % with a"
        " frame of each mark encoded",
        f"* the longest slice of the event loop: {measured.longest_tick_ms:.1f} ms",
    ]
