"""No sequence of closes crosses zero, whatever lags, arrives late, is lost or fills in parts."""

import random
from collections import Counter
from decimal import Decimal

import pytest
from msgspec import Struct, structs

from realtime.core.model import Order, OrderId, Position, Symbol
from realtime.core.state import LAG_S
from realtime.orders.close_tracker import LOST_AFTER_S, CloseTracker
from realtime.orders.errors import Declined
from realtime.orders.idempotency import OrderRecord
from realtime.orders.order_parts import OrderPart
from realtime.orders.order_request import Side

HELD = 100
ACTIONS = 120
SEEDS = 1500


def make_part(position: Position, qty: Decimal) -> OrderPart:
    """A close of a quantity of a position."""
    side: Side = "sell" if Decimal(position.qty) > 0 else "buy"
    return OrderPart(symbol=position.symbol, side=side, qty=qty, is_close=True)


class Close(Struct):
    """One close at the broker of the model."""

    record: OrderRecord
    qty: int
    stage: str = "waiting"
    """waiting → sent → working → ended, or lost, or refused"""
    filled: int = 0

    def as_order(self) -> Order:
        status = "canceled" if self.filled < self.qty else "filled"
        return Order(
            id=OrderId(self.record.client_order_id),
            client_order_id=self.record.client_order_id,
            status=status if self.stage == "ended" else "new",
            filled_qty=str(self.filled),
        )


class Model:
    """A broker whose lists lag by up to `LAG_S`, and clients that close without waiting."""

    def __init__(self, seed: int, sign: int) -> None:
        self.rng = random.Random(seed)
        self.sign = sign
        self.now = 1000.0
        self.tracker = CloseTracker(lambda: self.now)
        self.history = [(0.0, HELD)]
        self.closes: list[Close] = []
        self.reads: list[tuple[float, int, Decimal | None]] = []
        self.counts: Counter[str] = Counter()

    @property
    def held(self) -> int:
        return self.history[-1][1]

    def run(self) -> None:
        for _ in range(ACTIONS):
            self.rng.choice(
                [self.wait, self.request, self.request, self.decide, self.decide, self.depart,
                 self.depart, self.arrive, self.fill, self.fill, self.respond, self.cancel]
            )()  # fmt: skip
            worst = sum(c.qty - c.filled for c in self.closes if c.stage in ("sent", "working"))
            assert self.held >= 0
            assert self.held - worst >= 0, "orders that have left may sell more than is held"

    def wait(self) -> None:
        self.now += self.rng.choice([0.01, 0.3, 2.0, 8.0, 13.0])

    def request(self) -> None:
        """A client asks for a close: the list is requested now, and shows some recent moment."""
        shown_at = self.now - self.rng.choice([0.0, 0.0, self.rng.uniform(0, LAG_S * 0.99)])
        listed = next(qty for at, qty in reversed(self.history) if at <= shown_at)
        qty = self.rng.choice([None, Decimal(self.rng.randint(1, HELD))])
        self.reads.append((self.now, listed, qty))

    def decide(self) -> None:
        """The list arrives, at any later time: how much may the close sell?"""
        if not self.reads:
            return
        read_at, listed, qty = self.reads.pop(self.rng.randrange(len(self.reads)))
        self.report()
        record = OrderRecord(
            account="a", client_order_id=f"c-{len(self.closes)}", fingerprint="", state="pending"
        )
        position = Position(symbol=Symbol("S"), qty=str(self.sign * listed))
        if not listed:
            return
        try:
            left = self.tracker.get_left(
                record, position, read_at=read_at, stream_qty=None, wants_all=qty is None
            )
        except Declined as error:
            self.counts[error.code] += 1
            return
        size = min(qty or left, left)
        assert 0 < size <= listed
        self.tracker.reserve(record, make_part(position, size), left=left)
        self.closes.append(Close(record, int(size)))
        self.counts["closes"] += 1

    def report(self) -> None:
        """Some of what became of earlier closes is known by now."""
        for reduction in self.tracker.get_unsettled("a", "S"):
            close = next(c for c in self.closes if c.record is reduction.record)
            if close.record.state == "placed" and self.rng.random() < 0.7:
                reduction.update(close.as_order(), self.now)
            if close.stage == "lost" and close.record.sent_at + LOST_AFTER_S < self.now:
                self.tracker.remove(close.record, "S")

    def pick(self, stage: str) -> Close | None:
        closes = [close for close in self.closes if close.stage == stage]
        return self.rng.choice(closes) if closes else None

    def depart(self) -> None:
        if close := self.pick("waiting"):
            self.tracker.check(close.record, "S")
            if self.rng.random() < 0.1:
                close.stage, close.record.state = "refused", "refused"
            else:
                close.record.state, close.record.sent_at = "unknown", self.now
                close.stage = "lost" if self.rng.random() < 0.1 else "sent"

    def arrive(self) -> None:
        if close := self.pick("sent"):
            close.stage = "working"

    def fill(self) -> None:
        if close := self.pick("working"):
            qty = self.rng.randint(1, close.qty - close.filled)
            close.filled += qty
            self.history.append((self.now, self.held - qty))
            if close.filled == close.qty:
                close.stage = "ended"

    def cancel(self) -> None:
        if (close := self.pick("working")) and self.rng.random() < 0.3:
            close.stage = "ended"

    def respond(self) -> None:
        """The response arrives, or a lookup finds the order."""
        for close in self.closes:
            if close.stage in ("working", "ended") and close.record.state == "unknown":
                close.record.state, close.record.answered_at = "placed", self.now
                return


@pytest.mark.parametrize("sign", [1, -1], ids=["long", "short"])
def test_no_sequence_of_closes_crosses_zero(sign: int) -> None:
    counts: Counter[str] = Counter()
    sold_out = 0
    for seed in range(SEEDS):
        model = Model(seed, sign)
        model.run()
        counts += model.counts
        sold_out += model.held == 0
    assert counts["closes"] > 2 * SEEDS
    assert set(counts) == {"closes", "position_unsettled"}
    assert counts["position_unsettled"] > SEEDS
    assert sold_out > SEEDS / 10


def test_a_leg_counts_by_its_ratio() -> None:
    """Two contracts of the leg for one of the order: the order's filled quantity is half."""
    tracker = CloseTracker(lambda: 5.0)
    position = Position(symbol=Symbol("AMD"), qty="10")
    leg, close = (
        OrderRecord(account="a", client_order_id=name, fingerprint="", state="placed")
        for name in ("leg", "close")
    )
    leg.sent_at = leg.answered_at = 5.0
    part = structs.replace(make_part(position, Decimal(6)), ratio=Decimal(2))
    tracker.reserve(leg, part, left=Decimal(10))
    (reduction,) = tracker.get_unsettled("a", "AMD")
    canceled = Order(id=OrderId("1"), qty="3", filled_qty="2", status="canceled")
    reduction.update(canceled, 5.0)
    listed = structs.replace(position, qty="6")
    left = tracker.get_left(close, listed, read_at=5.0, stream_qty=None, wants_all=False)
    assert left == 6


def test_a_second_click_finds_nothing_left() -> None:
    """Twice at once: the second is refused, with the time to retry."""
    tracker = CloseTracker(lambda: 5.0)
    position = Position(symbol=Symbol("AMD"), qty="100")
    first, second = (
        OrderRecord(account="a", client_order_id=name, fingerprint="", state="pending")
        for name in ("1", "2")
    )
    left = tracker.get_left(first, position, read_at=5.0, stream_qty="100", wants_all=True)
    tracker.reserve(first, make_part(position, left), left=left)
    with pytest.raises(Declined, match="being closed already") as error:
        tracker.get_left(second, position, read_at=5.0, stream_qty="100", wants_all=True)
    assert (error.value.code, error.value.retry_after_s) == ("position_unsettled", LAG_S)


def test_partial_closes_count_together() -> None:
    tracker = CloseTracker(lambda: 5.0)
    position = Position(symbol=Symbol("AMD"), qty="100")
    lefts = []
    for name, qty in (("1", 40), ("2", 40), ("3", 20)):
        record = OrderRecord(account="a", client_order_id=name, fingerprint="", state="pending")
        left = tracker.get_left(record, position, read_at=5.0, stream_qty=None, wants_all=False)
        tracker.reserve(record, make_part(position, Decimal(qty)), left=left)
        lefts.append(left)
    assert lefts == [100, 60, 20]


def test_a_list_and_a_stream_that_disagree_are_not_trusted() -> None:
    tracker = CloseTracker(lambda: 5.0)
    position = Position(symbol=Symbol("AMD"), qty="100")
    record = OrderRecord(account="a", client_order_id="1", fingerprint="", state="pending")
    with pytest.raises(Declined, match="its stream 0"):
        tracker.get_left(record, position, read_at=5.0, stream_qty="0", wants_all=True)


def test_a_close_by_another_process_counts_at_the_last_moment() -> None:
    """Both have read the same list; the journal shows the other's close before ours leaves."""
    tracker = CloseTracker(lambda: 5.0)
    position = Position(symbol=Symbol("AMD"), qty="100")
    ours, theirs = (
        OrderRecord(account="a", client_order_id=name, fingerprint="", state="pending")
        for name in ("ours", "theirs")
    )
    left = tracker.get_left(ours, position, read_at=5.0, stream_qty=None, wants_all=True)
    tracker.reserve(ours, make_part(position, left), left=left)
    tracker.check(ours, "AMD")
    tracker.add(theirs, make_part(position, Decimal(100)), is_close=True)
    with pytest.raises(Declined, match="another process"):
        tracker.check(ours, "AMD")
