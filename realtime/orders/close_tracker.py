"""How much of a position may still be sold to close it, while earlier closes are not settled.

The broker's list of positions may lag a fill by seconds, and a closing order in flight is in no
list at all. Two closes that both trusted the list would sell the position twice and turn it short.
So every order of ours that may reduce a position is counted from before it leaves until its effect
must be in the list:

    baseline ── what the list showed before the first of them
       − quantity of each that may still fill
       − filled quantity of each that has ended
    = what is left

A further close gets at most what is left, in whatever order fills, responses and lists arrive. A
list that does not fit in between means that something else trades or that the list lags; then how
much is held is not known, and the close is refused until it is (`position_unsettled`).

Once nothing has changed for `LAG_S`, the list is true again and becomes the next baseline.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from msgspec import Struct

from realtime.core.decimals import number, plain
from realtime.core.model import Order, Position
from realtime.core.state import LAG_S
from realtime.orders.errors import Declined
from realtime.orders.idempotency import OrderRecord
from realtime.orders.order_parts import ONE, OrderPart
from realtime.orders.order_request import Side

LOST_AFTER_S = 120.0
"""An order that the broker does not know so long after it was sent never arrived."""

MAX_UNANSWERED = 1000
"""Orders of one symbol without a response that are counted; requests time out after 10 s."""


CLEANUP_INTERVAL = 50
"""A pass over a position's orders for every so many new ones: a batch has 2000."""


class Reduction(Struct, eq=False, kw_only=True):
    """One order of ours that reduces a position, if it has the opposite side."""

    record: OrderRecord
    side: Side
    qty: Decimal | None
    """None: an amount in dollars, of which the quantity is not known."""
    is_close: bool
    """Whether it was placed to close: then it counts as long as it is open. Any other order counts
    while it is in flight, and `LAG_S` longer; what rests at the broker is held by the broker."""
    ratio: Decimal = ONE
    """How much of the position is traded for one of the order, of which it is a leg."""
    filled: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)
    """How much of `filled` the baseline contains."""
    has_ended: bool = False
    changed_at: float = 0.0
    """When it was sent, filled or ended last, as far as is known; epoch seconds."""

    @property
    def pending(self) -> Decimal:
        """The most by which it may still change the baseline."""
        if self.has_ended:
            return self.filled - self.settled
        return (self.qty or Decimal(0)) - self.settled

    def is_quiet(self, at: float) -> bool:
        """Whether a list that was read at this time contains all its effects so far."""
        changed_at = max(self.changed_at, self.record.sent_at, self.record.answered_at)
        return self.record.state == "placed" and changed_at + LAG_S <= at

    def end(self) -> None:
        """Record that it is not open any more; it may have been filled in full."""
        self.has_ended, self.filled = True, self.qty or self.filled

    def update(self, order: Order, now: float) -> None:
        """Record the order as the broker reports it."""
        filled = number(order.filled_qty) * self.ratio
        if filled > self.filled or (order.is_closed and not self.has_ended):
            self.changed_at = now
        self.filled = max(self.filled, filled)
        self.has_ended = self.has_ended or order.is_closed


class _Group(Struct, eq=False):
    """The reductions of one position."""

    baseline: Decimal | None = None
    """Absolute quantity before the reductions; None until the first close."""
    side: Side | None = None
    """The side that reduces the position of the baseline."""
    read_at: float = 0.0
    """When the list was requested that showed the effects of all reductions so far. An older one,
    which arrives late, does not count."""
    reductions: dict[str, Reduction] = {}
    """client order id → reduction"""


class CloseTracker:
    """All positions. `clock` gives epoch seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._groups: dict[tuple[str, str], _Group] = {}
        """account and position symbol → group"""

    def add(self, record: OrderRecord, part: OrderPart, *, is_close: bool) -> None:
        """Count a part of an order, before it leaves or when the journal shows it."""
        group = self._groups.setdefault((record.account, part.symbol), _Group())
        if record.client_order_id not in group.reductions:
            if len(group.reductions) % CLEANUP_INTERVAL == CLEANUP_INTERVAL - 1:
                self._remove_settled(group)
            group.reductions[record.client_order_id] = Reduction(
                record=record,
                side=part.side,
                qty=part.qty,
                is_close=is_close,
                ratio=part.ratio,
                changed_at=record.sent_at or self._clock(),
            )

    def get_unsettled(self, account: str, symbol: str) -> list[Reduction]:
        """Return the closes of a position whose end is not known."""
        group = self._groups.get((account, symbol))
        if group is None:
            return []
        return [r for r in self._existing(group) if r.is_close and not r.has_ended]

    def is_closing(self, account: str, symbol: str, client_order_id: str | None) -> bool:
        """Whether an order was placed to close this position."""
        group = self._groups.get((account, symbol))
        reduction = None if group is None else group.reductions.get(client_order_id or "")
        return reduction is not None and reduction.is_close

    def get_left(
        self,
        record: OrderRecord,
        position: Position,
        *,
        read_at: float,
        stream_qty: str | None,
        wants_all: bool,
    ) -> Decimal:
        """Return how much of a position a close may sell, more than 0. Raises `Declined`.

        `wants_all`: refuse where only the least that is left is known. `position` is the broker's,
        from a list requested at `read_at`; `stream_qty` is the quantity by the stream, if there is
        one. An earlier attempt of the same close does not count: the
        broker accepts its `client_order_id` once.
        """
        held, side = _get_size(position.qty)
        if stream_qty is not None and number(stream_qty) != number(position.qty):
            raise _unsettled(
                f"the broker's list reports {position.qty} {position.symbol}, "
                f"its stream {stream_qty}"
            )
        group = self._groups.get((record.account, position.symbol))
        if group is not None and read_at < group.read_at:
            raise _unsettled(f"the broker's list of {position.symbol} arrived late")
        reductions = [
            r
            for r in (self._existing(group) if group else ())
            if r.side == side and r.record is not record
        ]
        if group is None or not reductions:
            return held
        if any(r.qty is None for r in reductions if not r.is_quiet(read_at)):
            raise _unsettled(f"an order by amount in {position.symbol} is in flight")
        # 1. Nothing has changed for a while: the list is true, and open closes take their rest.
        if all(r.is_quiet(read_at) for r in reductions):
            _rebase(group, read_at)
            left = held - sum((r.pending for r in reductions if not r.has_ended), Decimal())
        # 2. No baseline, because no close came before: subtract whatever the list may lack. It may
        #    also have it already, so this is the least that is left and not all.
        elif group.baseline is None or group.side != side:
            _remove_quiet(group, read_at)
            left = held - sum(
                (r.pending for r in reductions if not (r.has_ended and r.is_quiet(read_at))),
                Decimal(),
            )
            if wants_all and left < held:
                raise _unsettled(f"an order in {position.symbol} was sent a moment ago")
        # 3. The list must lie between the baseline and what is left of it in the end.
        else:
            left = group.baseline - sum((r.pending for r in reductions), Decimal())
            may_change = any(not r.has_ended for r in reductions)
            if held != left and not (
                may_change and max(left, Decimal(0)) <= held <= group.baseline
            ):
                raise _unsettled(
                    f"the broker's list reports {position.qty} {position.symbol}, "
                    f"and {plain(left)} are expected after the closing orders so far"
                )
        if left <= 0:
            raise _unsettled(f"all {plain(held)} {position.symbol} are being closed already")
        return left

    def check_absent(self, account: str, symbol: str) -> None:
        """Raise `Declined` if a position is in no list, but its closes may not all have ended."""
        group = self._groups.get((account, symbol))
        if group and any(r.is_close and not r.has_ended for r in self._existing(group)):
            raise _unsettled(f"{symbol} is being closed")

    def reserve(self, record: OrderRecord, part: OrderPart, *, left: Decimal) -> None:
        """Count a close, of whose position `get_left` has just returned what is left."""
        self.add(record, part, is_close=True)
        group, side = self._groups[record.account, part.symbol], part.side
        reduction = group.reductions[record.client_order_id]
        if part.qty is not None:
            reduction.qty = max(reduction.qty or part.qty, part.qty)
        if group.baseline is None or group.side != side:
            others = (r for r in self._existing(group) if r.side == side and r.record is not record)
            group.baseline = left + sum((r.pending for r in others), Decimal())
            group.side = side

    def check(self, record: OrderRecord, symbol: str) -> None:
        """Raise `Declined` if this close no longer fits, because another process has sent one."""
        group = self._groups.get((record.account, symbol))
        if group is None or group.baseline is None:
            return
        reductions = [r for r in self._existing(group) if r.side == group.side]
        if group.baseline < sum((r.pending for r in reductions), Decimal()):
            raise _unsettled(f"another process is closing {symbol}")

    def remove(self, record: OrderRecord, symbol: str) -> None:
        """Count an order no more: it never left."""
        if group := self._groups.get((record.account, symbol)):
            group.reductions.pop(record.client_order_id, None)

    def _existing(self, group: _Group) -> Iterator[Reduction]:
        """Remove what has not become an order, or counts no more; yield the others."""
        self._remove_settled(group)
        yield from list(group.reductions.values())

    def _remove_settled(self, group: _Group) -> None:
        now = self._clock()
        for client_order_id, reduction in list(group.reductions.items()):
            record = reduction.record
            if record.state == "refused":
                del group.reductions[client_order_id]
            elif not reduction.is_close and (
                (record.state == "placed" and record.answered_at + LAG_S <= now)
                or len(group.reductions) > MAX_UNANSWERED
            ):
                # It may have filled after the baseline: then so much less of that is left.
                if group.baseline is not None and reduction.side == group.side:
                    group.baseline -= reduction.pending
                del group.reductions[client_order_id]
        if not group.reductions:
            group.baseline = None


def _rebase(group: _Group, read_at: float) -> None:
    """Make this list the baseline: what has ended is in it, and so are the fills so far."""
    group.baseline, group.read_at = None, read_at
    for client_order_id, reduction in list(group.reductions.items()):
        if reduction.has_ended:
            del group.reductions[client_order_id]
        else:
            reduction.settled = reduction.filled


def _remove_quiet(group: _Group, read_at: float) -> None:
    """Remove what this list contains in any case."""
    for client_order_id, reduction in list(group.reductions.items()):
        if reduction.has_ended and reduction.is_quiet(read_at):
            del group.reductions[client_order_id]
            group.read_at = read_at


def _get_size(qty: str) -> tuple[Decimal, Side]:
    """Return the absolute quantity of a position, and the side that reduces it."""
    signed = number(qty)
    return abs(signed), "sell" if signed > 0 else "buy"


def _unsettled(message: str) -> Declined:
    return Declined(
        "position_unsettled",
        message,
        remedy="positions settle within ten seconds of the last fill: retry after Retry-After",
        retry_after_s=LAG_S,
    )
