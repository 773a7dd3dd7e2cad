"""A daemon's events as the lines of `realtime tail`."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from realtime.api.documents.events import (
    AccountEvent,
    AccountRemovedEvent,
    GapEvent,
    LinkEvent,
    OrdersEvent,
    OrderStatusUnknownEvent,
    PositionsEvent,
)
from realtime.api.documents.status import LinkRow
from realtime.cli.formatting import (
    MAX_LABEL,
    clean,
    format_money,
    format_quantity,
    short_label,
)
from realtime.cli.sse_parser import ServerSentEvent
from realtime.core.model import Order, TradeUpdate

FILL_EVENTS = frozenset({"fill", "partial_fill"})
REFUSALS = frozenset({"rejected", "order_cancel_rejected", "order_replace_rejected"})

WORD_WIDTH = 8
MIN_LABEL_WIDTH = 8

LINE_WIDTH = 82
LAG_WIDTH = 10
"""Characters of a line, and those of them that are kept for the lag."""

MAX_LAG_S = 60.0
"""A longer lag is not shown: it is an old event, or a clock that is off."""


class Line(Struct, frozen=True):
    """One line: the account, what happened in one word, and the rest."""

    label: str
    word: str
    text: str
    lag_ms: float | None = None
    is_problem: bool = False
    is_detail: bool = False
    """Shown only with `--all`."""


class OrderEvent(TradeUpdate, frozen=True, kw_only=True):
    """Event `order`: a trade update with its account."""

    account_id: str


class ResyncEvent(Struct, frozen=True):
    """Event `resync`."""

    reason: str


class AccountMemory(Struct):
    """What is remembered of an account between its events."""

    state: str = ""
    problem: str = ""
    """The reason of the outage that was shown last; empty while there is none."""
    positions: int | None = None
    is_provisional: bool = False


class EventFormatter:
    """Formats events as lines. A snapshot gives none: it is no news."""

    def __init__(self) -> None:
        self.label_width = MIN_LABEL_WIDTH
        """Enough for the longest label so far, at most `MAX_LABEL`."""
        self._accounts: dict[str, AccountMemory] = {}
        self._is_after_snapshot = False

    def format_event(self, event: ServerSentEvent, now: float) -> Iterator[Line]:
        """Yield the lines of an event that was received at `now` (epoch seconds)."""
        data = event.data
        match event.name:
            case "ready":
                self._is_after_snapshot = True
            case "resync":
                self._is_after_snapshot = False
                reason = msgspec.json.decode(data, type=ResyncEvent).reason
                text = f"{clean(reason)}: events may be missing"
                yield Line("–", "resync", text, is_problem=True)
            case "order" if self._is_after_snapshot:
                yield _order_line(msgspec.json.decode(data, type=OrderEvent), now)
            case "link":
                yield from self._link_lines(msgspec.json.decode(data, type=LinkEvent), now)
            case "account":
                yield from self._account_lines(msgspec.json.decode(data, type=AccountEvent))
            case "positions":
                positions = msgspec.json.decode(data, type=PositionsEvent)
                account = self._account(positions.account_id)
                rows = positions.positions
                account.positions = None if rows is None else len(rows)
            case "orders" if self._is_after_snapshot:
                yield from _correction_lines(msgspec.json.decode(data, type=OrdersEvent))
            case "unknown" if self._is_after_snapshot:
                yield _unknown_line(msgspec.json.decode(data, type=OrderStatusUnknownEvent))
            case "gap":
                yield from _gap_lines(msgspec.json.decode(data, type=GapEvent))
            case "gone":
                label = msgspec.json.decode(data, type=AccountRemovedEvent).account_id
                self._accounts.pop(label, None)
                yield Line(label, "removed", "no longer in the configuration")

    def _account(self, label: str) -> AccountMemory:
        self.label_width = min(MAX_LABEL, max(self.label_width, len(label)))
        return self._accounts.setdefault(label, AccountMemory())

    def _link_lines(self, event: LinkEvent, now: float) -> Iterator[Line]:
        account, link = self._account(event.account_id), event.link
        before, account.state = account.state, link.state
        reason = clean(link.last_error_message or link.stale_reason or "reason unknown")
        is_repeated = account.problem == reason
        if link.state in ("waiting", "refused"):
            account.problem = reason
        elif link.state == "synced":
            account.problem = ""
        if not self._is_after_snapshot or (before == link.state and link.state != "waiting"):
            return
        label = event.account_id
        match link.state:
            case "waiting":
                # Each attempt is an event; an outage is shown once for each reason.
                yield Line(
                    label, "lost", f"{reason}{_retry(link, now)}",
                    is_problem=True, is_detail=is_repeated,
                )  # fmt: skip
            case "refused":
                remedy = f"; {clean(link.remedy)}" if link.remedy else ""
                yield Line(label, "refused", f"{reason}{remedy}", is_problem=True)
            case "deaf":
                text = "REST knows events that the stream did not deliver; reconnecting"
                yield Line(label, "deaf", text, is_problem=True)
            case "synced":
                yield Line(label, "synced", "equal to the broker")

    def _account_lines(self, event: AccountEvent) -> Iterator[Line]:
        account = self._account(event.account_id)
        was, account.is_provisional = account.is_provisional, bool(event.provisional)
        if not self._is_after_snapshot or not was or account.is_provisional or event.stale:
            return
        cash = format_money(event.account.cash) if event.account else "unknown"
        count = account.positions
        positions = "positions" if count is None else format_quantity(count, "position")
        yield Line(event.account_id, "balance", f"{positions}, cash {cash}", is_detail=True)


def _order_line(event: OrderEvent, now: float) -> Line:
    order, is_fill = event.order, event.event in FILL_EVENTS
    words = [clean(order.symbol or "legs"), clean(order.side or "")]
    if is_fill:
        words += [clean(event.qty or "?"), "@", clean(event.price or "?")]
    else:
        words.append(clean(order.qty or order.notional or ""))
        words += [f"{name} {price}" for name, price in _prices(order).items()]
    is_refusal = event.event in REFUSALS or order.status == "rejected"
    return Line(
        event.account_id,
        "fill" if is_fill else _spaced(event.event),
        " ".join(filter(None, words)) + _outcome(event),
        lag_ms=_lag_ms(event, now),
        is_problem=is_refusal,
        is_detail=not is_fill and not is_refusal,
    )


def _outcome(event: OrderEvent) -> str:
    order = event.order
    if order.status == event.event:
        return ""  # the word in front is the same
    if order.status == "partially_filled" and order.qty and order.filled_qty:
        return f" → {clean(order.filled_qty)} of {clean(order.qty)} filled"
    return f" → {_spaced(order.status)}"


def _spaced(word: str) -> str:
    return clean(word).replace("_", " ")


def _prices(order: Order) -> Mapping[str, str]:
    trail = order.trail_price or (order.trail_percent and f"{order.trail_percent} %")
    prices = {"limit": order.limit_price, "stop": order.stop_price, "trail": trail}
    return {name: clean(price) for name, price in prices.items() if price}


def _lag_ms(event: OrderEvent, now: float) -> float | None:
    at = _parse_time(event.timestamp)
    if at is None:
        return None
    lag_s = now - at.timestamp()
    return lag_s * 1000 if 0 <= lag_s < MAX_LAG_S else None


def _parse_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _retry(link: LinkRow, now: float) -> str:
    at = _parse_time(link.next_attempt_at)
    if at is None:
        return ""
    wait_s = max(0.0, at.timestamp() - now)
    return f", retry in {wait_s:.1f} s (attempt {max(1, link.reconnect_attempts)})"


def _correction_lines(event: OrdersEvent) -> Iterator[Line]:
    changed = len(event.orders or ()) + len(event.removed)
    if changed and not event.complete:
        text = f"{format_quantity(changed, 'order')} corrected by a read"
        yield Line(event.account_id, "read", text, is_detail=True)


def _gap_lines(event: GapEvent) -> Iterator[Line]:
    if not event.repaired:
        return  # the link event has the reason
    if event.recovered:
        text = f"{format_quantity(event.recovered, 'missed fill')} recovered"
        yield Line(event.account_id, "gap", text)
    elif event.since is not None:
        yield Line(event.account_id, "gap", "no fill missed", is_detail=True)


def _unknown_line(event: OrderStatusUnknownEvent) -> Line:
    name = clean(event.client_order_id)
    if event.order_id is not None:
        return Line(event.account_id, "placed", f"the broker has order {name}")
    text = f"the broker did not respond to order {name}: status unknown, being read"
    return Line(event.account_id, "unknown", text, is_problem=True)


def format_line(line: Line, now: float, *, label_width: int, width: int = LINE_WIDTH) -> str:
    """Format a line with the local time of day, `width` characters or more."""
    at = datetime.fromtimestamp(now, UTC).astimezone()
    head = f"{at:%H:%M:%S}.{at.microsecond // 1000:03} {short_label(line.label):<{label_width}}"
    text = f"{head} {line.word:<{WORD_WIDTH}} {line.text}"
    if line.lag_ms is None:
        return text
    lag = f"{line.lag_ms:.1f}" if line.lag_ms < 10 else f"{line.lag_ms:.0f}"
    room = min(width, LINE_WIDTH - MIN_LABEL_WIDTH + label_width) - LAG_WIDTH
    return f"{text:<{room}}{lag:>{LAG_WIDTH - 3}} ms"
