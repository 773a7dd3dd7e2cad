"""A daemon's events as the sentences of `realtime tail`."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import Struct, field

from realtime.cli.client import DaemonClient
from realtime.cli.event_follower import EventFollower, EventsLost
from realtime.cli.sse_parser import ServerSentEvent
from realtime.cli.text_format import clean, counted, money

FILLS = frozenset({"fill", "partial_fill"})
WORD = 8
LABEL = 8
"""Letters that a word and a label have at least; longer ones push."""

WIDTH = 82
LAG = 10
"""Letters of a line, and those of them that are kept for the lag."""

MAX_LAG_S = 60.0
"""A longer way from the broker is not told: it is news of the past, or a clock that is off."""


class Sentence(Struct, frozen=True):
    """One line: whose, in one word what, and the rest."""

    label: str
    word: str
    text: str
    lag_ms: float | None = None
    tone: str = "calm"
    """`good`, `warn`, `bad`, `calm`."""


class Order(Struct, frozen=True):
    """What is used of an order."""

    symbol: str | None = None
    side: str | None = None
    qty: str | None = None
    filled_qty: str | None = None
    notional: str | None = None
    status: str = ""
    limit_price: str | None = None
    stop_price: str | None = None
    trail_price: str | None = None
    trail_percent: str | None = None


class Update(Struct, frozen=True):
    """What is used of a trade update."""

    account_id: str
    event: str
    order: Order
    timestamp: datetime | None = None
    price: str | None = None
    qty: str | None = None


class Link(Struct, frozen=True):
    """What is used of a link."""

    state: str
    last_error_message: str | None = None
    remedy: str | None = None
    reconnect_attempts: int = 0
    next_attempt_at: datetime | None = None
    stale_reason: str | None = None


class LinkNews(Struct, frozen=True):
    """Event `link`."""

    account_id: str
    link: Link


class Money(Struct, frozen=True):
    """What is used of an account."""

    cash: str | None = None


class AccountNews(Struct, frozen=True):
    """Event `account`."""

    account_id: str
    provisional: list[str]
    stale: bool
    account: Money | None = None


class PositionsNews(Struct, frozen=True):
    """Event `positions`, counted only."""

    account_id: str
    positions: list[msgspec.Raw] | None = None


class OrdersNews(Struct, frozen=True):
    """Event `orders`, counted only."""

    account_id: str
    complete: bool
    orders: list[msgspec.Raw] | None
    removed: list[str]


class GapNews(Struct, frozen=True):
    """Event `gap`."""

    account_id: str
    repaired: bool
    recovered: int
    since: str | None = field(name="from", default=None)


class Gone(Struct, frozen=True):
    """Event `gone`."""

    account_id: str


class UnknownNews(Struct, frozen=True):
    """Event `unknown`."""

    account_id: str
    client_order_id: str
    order_id: str | None = None


class Resync(Struct, frozen=True):
    """Event `resync`."""

    reason: str


class Known(Struct):
    """What is remembered of an account between its events."""

    state: str = ""
    positions: int | None = None
    is_provisional: bool = False


class EventFormatter:
    """Turns events into sentences. Nothing of a snapshot is told: it is no news."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._is_news = False

    def tell(self, event: ServerSentEvent, now: float) -> Iterator[Sentence]:
        """What an event says, heard at `now` (epoch seconds)."""
        match event.name:
            case "ready":
                self._is_news = True
            case "resync":
                self._is_news = False
                reason = msgspec.json.decode(event.data, type=Resync).reason
                yield Sentence("–", "resync", f"{clean(reason)}: some may be left out", tone="warn")
            case "order" if self._is_news:
                yield _order(msgspec.json.decode(event.data, type=Update), now)
            case "link":
                yield from self._link(msgspec.json.decode(event.data, type=LinkNews), now)
            case "account":
                yield from self._account(msgspec.json.decode(event.data, type=AccountNews))
            case "positions":
                news = msgspec.json.decode(event.data, type=PositionsNews)
                known = self._of(news.account_id)
                known.positions = None if news.positions is None else len(news.positions)
            case "orders" if self._is_news:
                yield from _orders(msgspec.json.decode(event.data, type=OrdersNews))
            case "unknown" if self._is_news:
                yield _unknown(msgspec.json.decode(event.data, type=UnknownNews))
            case "gap":
                yield from _gap(msgspec.json.decode(event.data, type=GapNews))
            case "gone":
                label = msgspec.json.decode(event.data, type=Gone).account_id
                self._known.pop(label, None)
                yield Sentence(label, "gone", "taken out of the configuration", tone="warn")

    def _of(self, label: str) -> Known:
        return self._known.setdefault(label, Known())

    def _link(self, news: LinkNews, now: float) -> Iterator[Sentence]:
        known, link = self._of(news.account_id), news.link
        before, known.state = known.state, link.state
        if not self._is_news or (before == link.state and link.state != "waiting"):
            return
        reason = clean(link.last_error_message or link.stale_reason or "no word on why")
        match link.state:
            case "waiting":
                yield Sentence(news.account_id, "lost", f"{reason}{_retry(link, now)}", tone="warn")
            case "refused":
                remedy = f"; {clean(link.remedy)}" if link.remedy else ""
                yield Sentence(news.account_id, "refused", f"{reason}{remedy}", tone="bad")
            case "deaf":
                text = "the broker knows more than its socket told; reconnecting"
                yield Sentence(news.account_id, "deaf", text, tone="warn")
            case "synced":
                yield Sentence(news.account_id, "synced", "in step with the broker", tone="good")

    def _account(self, news: AccountNews) -> Iterator[Sentence]:
        known = self._of(news.account_id)
        was, known.is_provisional = known.is_provisional, bool(news.provisional)
        if not self._is_news or not was or known.is_provisional or news.stale:
            return
        cash = money(news.account.cash) if news.account else "unknown"
        positions = "positions" if known.positions is None else counted(known.positions, "position")
        yield Sentence(news.account_id, "in step", f"{positions}, cash {cash}")


def _order(update: Update, now: float) -> Sentence:
    order = update.order
    what = [clean(order.symbol or "legs"), clean(order.side or "")]
    if update.event in FILLS:
        what += [clean(update.qty or "?"), "@", clean(update.price or "?")]
    else:
        what.append(clean(order.qty or order.notional or ""))
        what += [f"{name} {price}" for name, price in _prices(order).items()]
    text = " ".join(filter(None, what)) + _outcome(update)
    word = "fill" if update.event in FILLS else _spoken(update.event)
    tone = "good" if update.event in FILLS else "bad" if update.event == "rejected" else "calm"
    return Sentence(update.account_id, word, text, lag_ms=_lag_ms(update, now), tone=tone)


def _outcome(update: Update) -> str:
    order = update.order
    if order.status == update.event:
        return ""  # the word in front says it
    if order.status == "partially_filled" and order.qty and order.filled_qty:
        return f" → {clean(order.filled_qty)} of {clean(order.qty)} filled"
    return f" → {_spoken(order.status)}"


def _spoken(word: str) -> str:
    return clean(word).replace("_", " ")


def _prices(order: Order) -> Mapping[str, str]:
    trail = order.trail_price or (order.trail_percent and f"{order.trail_percent} %")
    given = {"limit": order.limit_price, "stop": order.stop_price, "trail": trail}
    return {name: clean(price) for name, price in given.items() if price}


def _lag_ms(update: Update, now: float) -> float | None:
    at = update.timestamp
    if at is None:
        return None
    lag_s = now - (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return lag_s * 1000 if 0 <= lag_s < MAX_LAG_S else None


def _retry(link: Link, now: float) -> str:
    if link.next_attempt_at is None:
        return ""
    wait_s = max(0.0, link.next_attempt_at.timestamp() - now)
    return f", retry in {wait_s:.1f} s (attempt {max(1, link.reconnect_attempts)})"


def _orders(news: OrdersNews) -> Iterator[Sentence]:
    changed = len(news.orders or ()) + len(news.removed)
    if changed and not news.complete:
        text = f"{counted(changed, 'order')} corrected by what the broker's books say"
        yield Sentence(news.account_id, "mended", text)


def _gap(news: GapNews) -> Iterator[Sentence]:
    if not news.repaired:
        return  # the link says why
    fills = counted(news.recovered, "missed fill")
    if news.recovered:
        yield Sentence(news.account_id, "back", f"{fills} recovered", tone="good")
    elif news.since is not None:
        yield Sentence(news.account_id, "back", "no fill missed", tone="good")


def _unknown(news: UnknownNews) -> Sentence:
    name = clean(news.client_order_id)
    if news.order_id is not None:
        return Sentence(news.account_id, "found", f"order {name} is there after all", tone="good")
    text = f"nobody knows whether the broker has order {name}; it goes on being asked"
    return Sentence(news.account_id, "unknown", text, tone="bad")


def line(sentence: Sentence, now: float, width: int = WIDTH) -> str:
    """A sentence as a line of that width or more, with the reader's own time of day."""
    at = datetime.fromtimestamp(now, UTC).astimezone()
    head = f"{at:%H:%M:%S}.{at.microsecond // 1000:03} {clean(sentence.label):<{LABEL}}"
    text = f"{head} {sentence.word:<{WORD}} {sentence.text}"
    if sentence.lag_ms is None:
        return text
    lag = f"{sentence.lag_ms:.1f}" if sentence.lag_ms < 10 else f"{sentence.lag_ms:.0f}"
    room = min(width, WIDTH) - LAG
    return f"{text:<{room}}{lag:>{LAG - 3}} ms"


def told(
    daemon: DaemonClient, account: str | None, *, clock: Callable[[], float] = time.time
) -> Iterator[tuple[float, Sentence]]:
    """Sentences as they come, each with when it was heard, epoch seconds."""
    follower = EventFollower(
        daemon,
        first="account,positions,link",
        types="order,account,positions,link",
        account=account,
        rng=random.Random(),
    )
    formatter, is_lost = EventFormatter(), False
    for event in follower.events():
        now = clock()
        if isinstance(event, EventsLost):
            if not is_lost:
                yield now, Sentence("–", "lost", f"{event.reason}; trying again", tone="bad")
            is_lost = True
        else:
            if is_lost and event.name == "ready":
                is_lost = False
                yield now, Sentence("–", "back", "the daemon is heard again", tone="good")
            for sentence in formatter.tell(event, now):
                yield now, sentence
