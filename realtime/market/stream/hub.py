"""One stream of the broker and all clients of it.

The hub joins the clients' subscriptions, knows what the broker has of them, and passes on what
arrives. It owns no connection: `upstream.py` sends what `next_change` returns, and reports what it
receives. Everything here runs on one event loop and never waits, except a client's own request.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from msgspec import Struct

from realtime.broker.market_codec import Control, Element
from realtime.market.stream.channels import (
    ALL,
    CHANNEL_OF_TYPE,
    Pairs,
    Rejected,
    StreamPath,
    rejected,
)
from realtime.market.stream.client import StreamClient
from realtime.market.stream.formats import encode_message
from realtime.market.stream.last_values import LastValues
from realtime.market.stream.missed import MissedLog
from realtime.market.stream.order_books import OrderBooks
from realtime.market.stream.relay import Relay
from realtime.market.stream.replay import Replay
from realtime.market.stream.sequence_ring import SequenceRing
from realtime.market.stream.subscription_plan import Change, SubscriptionPlan
from realtime.market.stream.union import SubscriptionUnion
from realtime.market.stream.verdicts import Verdicts
from realtime.telemetry.log import get_logger

log = get_logger()

MERGE_S = 0.005
"""Frames that arrive within this time after one was sent are merged: sends cost, not elements.
Below 200 frames a second each frame is passed on immediately."""

MAX_NAMES = 50_000
"""Subscriptions of all clients together: five channels of every stock. A security limit."""

COUNTED_CHANNELS = frozenset({"trades", "quotes"})
"""What counts towards the names of a free plan; the broker's texts differ (MARKET 1)."""

HubState = Literal["idle", "connecting", "connected", "waiting", "occupied", "refused"]
"""`idle`: no client, no connection. `waiting`: lost, the next attempt follows. `occupied`: another
program holds the broker's only connection of this stream. `refused`: the key may not use it."""


class HubStatus(Struct, frozen=True, kw_only=True):
    """The connection of a hub. Times are epoch seconds."""

    state: HubState = "idle"
    since: float
    error: str | None = None
    remedy: str | None = None
    next_attempt_at: float | None = None


class StreamHub:
    """Clients, subscriptions and data of one stream. `clock` gives epoch seconds."""

    def __init__(
        self,
        stream: StreamPath,
        *,
        clock: Callable[[], float],
        max_subscriptions: int,
        get_max_names: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.stream = stream
        self.clock = clock
        self.union = SubscriptionUnion()
        self.plan = SubscriptionPlan()
        self.relay = Relay()
        self.ring = SequenceRing(clock())
        self.last_values = LastValues()
        self.order_books = OrderBooks()
        self.missed = MissedLog()
        self.status = HubStatus(since=clock())
        self.changed = asyncio.Event()
        """Set when there may be something to send to the broker."""
        self.acked_at: dict[tuple[str, str], tuple[float, int]] = {}
        """Subscription → when the broker confirmed it, and the number of the newest element."""
        self.elements: Counter[str] = Counter()
        """Kind → elements received since the start."""
        self.counts: Counter[str] = Counter()
        """reconnects, differences, conflated, slow_clients, resumed, gaps"""
        self.replay = Replay(
            self.plan,
            self.ring,
            self.last_values,
            self.order_books,
            self.acked_at,
            self.counts,
        )
        self.last_element_at: float | None = None
        self._max_subscriptions = max_subscriptions
        self._get_max_names = get_max_names
        self._verdicts = Verdicts()
        self._settled = asyncio.Event()
        self._merge_timer: asyncio.TimerHandle | None = None
        self._flushed_at = 0.0

    # -- clients ---------------------------------------------------------------------------------

    @property
    def clients(self) -> int:
        """The number of clients with a place here."""
        return len(self.relay.clients)

    @property
    def is_needed(self) -> bool:
        """Whether a connection to the broker is needed."""
        return bool(self.relay.clients) or bool(self.union.wanted)

    def join(self, client: StreamClient) -> None:
        """Add a client without subscriptions."""
        self.relay.set_subscriptions(client, frozenset())
        self.changed.set()

    def leave(self, client: StreamClient) -> None:
        """Remove a client; its subscriptions linger."""
        self.relay.remove(client)
        self.union.remove(client.pairs, self.clock())
        client.pairs = frozenset()
        self.counts["conflated"] += client.queue.conflated
        self.counts["slow_clients"] += client.is_refused
        client.queue.conflated, client.is_refused = 0, False
        self.changed.set()

    async def wait_settled(self, timeout_s: float) -> None:
        """Wait until an attempt to connect has ended, one way or another, or for `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()

    async def subscribe(
        self, client: StreamClient, added: Pairs, on_accepted: Callable[[], None] = lambda: None
    ) -> None:
        """Add subscriptions, once the broker has confirmed them. Raises `Rejected`, and then the
        client's subscriptions are as before.

        `on_accepted` is called in the same moment in which they take effect: what it sends comes
        before the first element. Without a connection they are accepted, and subscribed when there
        is one.
        """
        new = added - client.pairs
        self._check_limits(client, new)
        self.union.add(new)
        is_accepted = False

        def accept() -> None:
            nonlocal is_accepted
            if is_accepted:  # the timeout and the ack at the same moment
                return
            is_accepted = True
            self._add_subscriptions(client, new)
            on_accepted()

        try:
            await self._request(new, accept)
        except BaseException:
            if not is_accepted:
                self.union.remove(new, self.clock(), lingers=False)
                self.changed.set()
            raise

    def _check_limits(self, client: StreamClient, new: Pairs) -> None:
        """Raise `Rejected` (405) beyond the limit of one client, of all, or of what the plan leaves
        to clients beside the names that the daemon itself needs."""
        is_over = len(client.pairs) + len(new) > self._max_subscriptions
        if is_over or len(self.union) + len(new) > MAX_NAMES:
            raise rejected(405)
        max_names = self._get_max_names()
        if max_names is None or client.is_internal or not new:
            return
        others = (c.pairs for c in self.relay.clients if not c.is_internal)
        names = {name for pairs in (new, *others) for c, name in pairs if c in COUNTED_CHANNELS}
        if len(names) > max_names:
            raise Rejected(405, f"symbol limit exceeded: {max_names} names are for clients")

    def _add_subscriptions(self, client: StreamClient, new: Pairs) -> None:
        self.flush()
        client.since.update(dict.fromkeys(new, self.ring.seq))
        self.relay.set_subscriptions(client, client.pairs | new)

    def unsubscribe(self, client: StreamClient, removed: Pairs) -> None:
        """Remove subscriptions; the broker's linger."""
        gone = removed & client.pairs
        self.flush()
        for pair in gone:
            client.since.pop(pair, None)
        self.union.remove(gone, self.clock())
        self.relay.set_subscriptions(client, client.pairs - gone)
        self.changed.set()

    async def _request(self, new: Pairs, accept: Callable[[], None]) -> None:
        """Ask the broker for subscriptions; call `accept` as soon as it has confirmed them."""
        request = self.plan.request(new) if self.status.state == "connected" else None
        self.changed.set()
        if request is None:
            accept()
        else:
            await self._verdicts.wait_for(request, accept)

    # -- data ------------------------------------------------------------------------------------

    def publish(self, elements: list[Element]) -> None:
        """Pass elements on to the clients, at once or merged with those of the next 5 ms."""
        if not elements:
            return
        now = self.clock()
        self.last_element_at = now
        self.elements.update([element.kind for element in elements])
        self.ring.add(elements, now)
        self.last_values.update(elements, now)
        if self.stream.kind == "crypto":
            self.order_books.update(elements)
        self.relay.route(elements)
        loop = asyncio.get_running_loop()
        due_at = self._flushed_at + MERGE_S
        if loop.time() >= due_at:
            self.flush()
        elif self._merge_timer is None and self.relay.has_pending:
            self._merge_timer = loop.call_at(due_at, self.flush)

    def send_to_resumable(self, elements: list[Element]) -> None:
        """Send late elements to the clients that asked for gaps: others may take the last message
        for the newest price."""
        self.flush()
        elements = self.replay.as_of_now(elements)
        for client in list(self.relay.clients):
            if client.is_resumable:
                client.send([e for e in elements if _matches(client.pairs, e)])

    def flush(self) -> None:
        """Send what was merged."""
        if self._merge_timer is not None:
            self._merge_timer.cancel()
            self._merge_timer = None
        if self.relay.has_pending:
            self._flushed_at = asyncio.get_running_loop().time()
            self.relay.flush()

    # -- the broker's side -----------------------------------------------------------------------

    def next_change(self) -> Change | None:
        """Return the message in flight, after finding the next one."""
        now = self.clock()
        self.union.expire(now)
        change = self.plan.next_change(self.union.wanted, now)
        self._verdicts.resolve()
        return change

    def next_wake_at(self) -> float | None:
        """Return when `next_change` must be called although nothing happened (epoch seconds)."""
        times = [t for t in (self.union.next_expiry(), self.plan.next_retry()) if t is not None]
        return min(times, default=None)

    def handle_control(self, message: Control) -> None:
        """Apply an ack or an error of the broker."""
        now = self.clock()
        if message.kind == "subscription":
            acked = self.plan.handle_ack(message.channels, self.stream.channels, now)
            self.counts["differences"] += acked.differences
            for pair in acked.added:
                self.acked_at[pair] = (now, self.ring.seq)
            for pair in acked.removed:
                self.acked_at.pop(pair, None)
            if acked.differences:
                log.warning("market.ack_differs", path=self.stream.path, names=acked.differences)
        elif message.kind == "error" and message.code is not None:
            has_room = message.code == 405 and bool(self.union.end_lingering())
            failed = self.plan.handle_error(message.code, now, has_room=has_room)
            log.info(
                "market.subscription_refused",
                path=self.stream.path,
                code=message.code,
                by_client=failed is not None,
            )
        self._verdicts.resolve()
        self.changed.set()

    def set_status(self, status: HubStatus) -> None:
        """Apply a change of the connection; clients that asked for it are notified."""
        was_live, is_live = self.status.state == "connected", status.state == "connected"
        self.status = status
        if status.state in ("connected", "waiting", "occupied", "refused"):
            self._settled.set()
        else:
            self._settled.clear()
        if was_live and not is_live:
            self.plan.disconnect()
            self.acked_at.clear()
            self.order_books.clear()
            self._verdicts.resolve()
        if was_live != is_live:
            self.flush()
            self._notify({"live": is_live})
        if status.state == "refused":
            for client in list(self.relay.clients):
                client.port.refuse(409)

    def _notify(self, facts: dict[str, object]) -> None:
        for client in list(self.relay.clients):
            if client.is_resumable:
                kind = {"type": "link"} if client.codec == "flat" else {"T": "link"}
                feed = {"path": self.stream.path}
                client.port.write(encode_message({**kind, **facts, **feed}, client.codec))


def _matches(pairs: Pairs, element: Element) -> bool:
    channel = CHANNEL_OF_TYPE.get(element.kind, "")
    return any((channel, symbol) in pairs for symbol in (*element.symbols, ALL))
