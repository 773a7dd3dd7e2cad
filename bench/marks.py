"""1000 accounts of 10 positions, 500 symbols, 5 000 trades a second: what marks cost.

In this process, without sockets: the arithmetic, the store, and the frames that a subscriber of all
accounts would get. Processor time is per second of market time; the trades are played as fast as
the loop takes them, a millisecond of them at a time, so that the clock of marks is the market's.
From a trade to the frame of each holder: market time until its mark, and processor time from there.
"""

import random
import time
from bisect import bisect_left
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
from realtime.runtime.marks import MIN_WAIT_S, TICK_S
from realtime.runtime.process import freeze_memory
from realtime.store.records import Profile
from realtime.store.store import Store

ACCOUNTS, POSITIONS, SYMBOLS, PER_S = 1000, 10, 500, 5_000
STEP_S = 0.001
START = 1_791_000_000.0
"""Epoch seconds."""


class Measured(Struct, frozen=True):
    """Processor seconds and marks per second of market time; milliseconds from trade to frame."""

    busy: float
    busy_with_frames: float
    marks_per_s: float
    longest_slice_ms: float
    p50_ms: float
    p99_ms: float


class _Market:
    """Accounts, and trades that move their positions."""

    def __init__(self) -> None:
        self.now = START
        self.spent = 0.0
        """Processor time of this step: what it delays is late."""
        self.store = Store(boot="bench")
        self.rng = random.Random(1)
        self.symbols = [f"S{n}" for n in range(SYMBOLS)]
        self.held: dict[AccountLabel, list[str]] = {}
        self.arrived: dict[str, list[float]] = {name: [] for name in self.symbols}
        for number in range(ACCOUNTS):
            self._add(AccountLabel(f"a{number}"))
        self.engine = MarkEngine(
            self.store,
            clock=lambda: self.now + self.spent,
            feed="sip",
            calendar=TradingCalendar([]),
        )
        self.trades = 0

    def _add(self, label: AccountLabel) -> None:
        self.store.add(Profile(label=label), now=self.now, link=Link(state="synced"))
        chosen = self.held[label] = self.rng.sample(self.symbols, POSITIONS)
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

    def batch(self, at: float) -> list[Element]:
        """The trades of the next millisecond."""
        elements = []
        for _ in range(int(PER_S * STEP_S)):
            self.trades += 1
            price = float(100 + Decimal(self.rng.randint(-300, 300)) / 100)
            symbol = self.rng.choice(self.symbols)
            self.arrived[symbol].append(at)
            fields = {
                "T": "t", "S": symbol, "i": self.trades, "p": price, "c": ["@"],
                "t": format_micros(int(at * 1e6)),
            }  # fmt: skip
            elements.append(make_element(fields))
        return elements

    def latencies(self, shown: dict[AccountLabel, list[tuple[float, float]]]) -> list[float]:
        """Milliseconds from each trade to the first mark of each holder after it. `shown`: when a
        mark was computed, and when its frame was ready."""
        found = []
        for label, marks in shown.items():
            computed = [at for at, _ in marks]
            for symbol in self.held[label]:
                for at in self.arrived[symbol]:
                    index = bisect_left(computed, at)
                    if index < len(marks):
                        found.append(1000 * (marks[index][1] - at))
        return sorted(found)


def measure(seconds: int) -> Measured:
    """Play so many seconds of market time."""
    market = _Market()
    buffer = EventBuffer()
    encoder = SseEncoder(market.store, buffer)
    market.store.subscribe(buffer.handle_change)
    market.now += 1
    while market.engine.tick() or market.engine.has_more:
        pass
    began_at = market.now
    steps = int(seconds / STEP_S)
    batches = [market.batch(began_at + (step + 1) * STEP_S) for step in range(steps)]
    freeze_memory()  # as the daemon does once its accounts are read
    busy = frames = longest = 0.0
    marks, wake_at = 0, 0.0
    shown: dict[AccountLabel, list[tuple[float, float]]] = {label: [] for label in market.held}
    for step, elements in enumerate(batches):
        market.now = began_at + (step + 1) * STEP_S
        began = time.process_time()
        market.engine.handle_elements(elements)
        busy += time.process_time() - began
        if market.now < wake_at:
            continue
        market.spent = 0.0
        while True:
            began = time.process_time()
            made = market.engine.tick()
            for mark in made:
                market.store.set_mark(mark, now=market.now)
            took = time.process_time() - began
            busy, longest = busy + took, max(longest, took)
            market.spent += took
            for mark in made:
                began = time.process_time()
                encoder.encode_state(mark.label, "mark")
                took = time.process_time() - began
                frames += took
                market.spent += took
                shown[mark.label].append((mark.at, market.now + market.spent))
            marks += len(made)
            if not market.engine.has_more:
                break
        market.now, market.spent = market.now + market.spent, 0.0
        due_at = market.engine.get_next_due()
        wait_s = TICK_S if due_at is None else min(TICK_S, max(MIN_WAIT_S, due_at - market.now))
        wake_at = market.now + wait_s - STEP_S / 10  # steps are whole, sums of floats are not
    latencies = market.latencies(shown)
    return Measured(
        busy / seconds,
        (busy + frames) / seconds,
        marks / seconds,
        1000 * longest,
        latencies[len(latencies) // 2],
        latencies[len(latencies) * 99 // 100],
    )


def lines(measured: Measured) -> list[str]:
    """The figures as Markdown."""
    return [
        f"* {ACCOUNTS} accounts × {POSITIONS} positions, {SYMBOLS} symbols, {PER_S} trades/s:"
        f" {measured.marks_per_s:.0f} marks/s",
        f"* {100 * measured.busy:.0f} % of a core, {100 * measured.busy_with_frames:.0f} % with a"
        " frame of each mark encoded",
        f"* from a trade to the frame of each holder: p50 {measured.p50_ms:.0f} ms,"
        f" p99 {measured.p99_ms:.0f} ms",
        f"* the longest slice of the event loop: {measured.longest_slice_ms:.1f} ms",
    ]
