"""What a client gets beside the stream: last values, order books, what it missed.

Reads of what a hub keeps; nothing here sends, and the caller flushes before.
"""

from collections import Counter
from collections.abc import Mapping

from realtime.broker.market_codec import Element
from realtime.market.stream.channels import ALL, CHANNEL_OF_TYPE, Pairs
from realtime.market.stream.client import StreamClient
from realtime.market.stream.last_values import LastValues
from realtime.market.stream.order_books import OrderBooks
from realtime.market.stream.sequence_ring import SequenceRing
from realtime.market.stream.subscription_plan import SubscriptionPlan

SNAPSHOT_CHANNELS = {"trades": "t", "quotes": "q", "bars": "b", "dailyBars": "d", "statuses": "s"}


class Replay:
    """Reads of one hub, which changes what is given here."""

    def __init__(
        self,
        plan: SubscriptionPlan,
        ring: SequenceRing,
        last_values: LastValues,
        order_books: OrderBooks,
        acked_at: Mapping[tuple[str, str], tuple[float, int]],
        counts: Counter[str],
    ) -> None:
        self._plan = plan
        self._ring = ring
        self._last_values = last_values
        self._order_books = order_books
        self._acked_at = acked_at
        self._counts = counts

    def make_snapshot(self, pairs: Pairs) -> list[Element]:
        """Return the newest known element of each subscription."""
        found = []
        for channel, name in sorted(pairs):
            kind = SNAPSHOT_CHANNELS.get(channel)
            names = self._last_values.symbols() if name == ALL else [name]
            if kind is not None and (channel, name) in self._plan.acked:
                values = [self._last_values.get(kind, symbol) for symbol in names]
                found += [value.element for value in values if value is not None]
        return self.as_of_now(found)

    def get_books(self, pairs: Pairs) -> list[Element]:
        """Return the whole order books of subscriptions that others have already: the broker sends
        them at the first one only."""
        names = {name for channel, name in pairs if channel == "orderbooks"}
        symbols = self._order_books.symbols() if ALL in names else names
        found = [self._order_books.get(symbol) for symbol in sorted(symbols)]
        return self.as_of_now([book for book in found if book is not None])

    def as_of_now(self, elements: list[Element]) -> list[Element]:
        """Return copies with the number of the newest element: what is sent beside the stream must
        not set back where a client resumes."""
        copies = [Element(e.kind, e.symbols, e.raw) for e in elements]
        for element in copies:
            element.seq = self._ring.seq
        return copies

    def get_missed(self, client: StreamClient, seq: int) -> list[Element] | None:
        """Return what a client missed since an element and before it subscribed; None if that is
        not known completely: then there is a gap."""
        seqs = [self._acked_at.get(pair, (0.0, self._ring.seq + 1))[1] for pair in client.pairs]
        is_complete = all(acked_seq <= seq for acked_seq in seqs)
        missed = self._ring.get_after(seq, self._ring.seq) if is_complete else None
        self._counts["gaps" if missed is None else "resumed"] += 1
        if missed is None:
            return None
        return [element for element in missed if self._was_missed(client, element)]

    def _was_missed(self, client: StreamClient, element: Element) -> bool:
        """Whether an element matches subscriptions, all of which began after it."""
        channel = CHANNEL_OF_TYPE.get(element.kind, "")
        began = [
            client.since[channel, symbol]
            for symbol in (*element.symbols, ALL)
            if (channel, symbol) in client.pairs
        ]
        return bool(began) and element.seq <= min(began)
