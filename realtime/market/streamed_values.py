"""The newest values of the streams as latest values: what a client streams costs no request.

A value counts for as long as one that was read (`freshness.py`), and only while its symbol is
subscribed, confirmed and the stream is connected. Its feed is that of the stream, never another.
"""

from collections.abc import Callable

import msgspec

from realtime.market.rest.freshness import LIFETIME_S
from realtime.market.rest.latest_values import LatestQuery, LatestValue
from realtime.market.stream.market_streams import MarketStreams

CHANNELS = {"quote": ("quotes", "q"), "trade": ("trades", "t")}
"""What is read → channel, and type of its messages."""

NIGHT_FEEDS = ("boats", "overnight")

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class StreamedValues:
    """Latest values of all streams. `clock` gives epoch seconds."""

    def __init__(self, streams: MarketStreams, clock: Callable[[], float]) -> None:
        self._streams = streams
        self._clock = clock

    def get(self, query: LatestQuery, symbol: str) -> LatestValue | None:
        """Return the newest value of a symbol; None if it is not streamed, or too old."""
        path = _find_path(query)
        hub = None if path is None else self._streams.hubs.get(path)
        if hub is None or query.field not in CHANNELS or query.currency not in (None, "USD"):
            return None
        channel, kind = CHANNELS[query.field]
        value = hub.last_values.get(kind, symbol)
        is_current = hub.status.state == "connected" and (channel, symbol) in hub.plan.acked
        if value is None or not is_current:
            return None
        if self._clock() - value.received_at >= LIFETIME_S["latest"]:
            return None
        members = _members.decode(value.element.json)
        raw = {name: text for name, text in members.items() if name not in ("T", "S")}
        return LatestValue(raw=msgspec.json.encode(raw), as_of=value.received_at, source="stream")


def _find_path(query: LatestQuery) -> str | None:
    if query.asset_class == "crypto":
        return "/v1beta3/crypto/us"
    if query.feed is None:
        return None
    version = "v2" if query.asset_class == "stocks" and query.feed not in NIGHT_FEEDS else "v1beta1"
    return f"/{version}/{query.feed}"
