"""The small protocol of `/market/stream`: flat JSON objects, symbols of all asset classes.

    → {"action":"subscribe","symbols":["AAPL","BTC/USD"],"streams":["quotes","trades"]}
    ← {"type":"subscribed","subscriptions":{"quotes":["AAPL","BTC/USD"],"trades":[…]}}
    ← {"type":"trade","symbol":"AAPL","timestamp":"…","price":188.4,"size":18,…,"seq":17}

The spelling of a symbol selects its stream. Responses carry the full set, as Alpaca's ack does.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from realtime.market.stream.alpaca_session import Outcome
from realtime.market.stream.channels import (
    ALL,
    Kind,
    Pairs,
    Rejected,
    by_channel,
    kind_of,
    parse_names,
    rejected,
)
from realtime.market.stream.client import ClientPort, StreamClient
from realtime.market.stream.formats import encode_message
from realtime.market.stream.hub import StreamHub

DEFAULT_STREAMS = ("trades", "quotes")


class FlatSession:
    """One client. `get_hub` returns the stream of an asset class."""

    def __init__(
        self,
        get_hub: Callable[[Kind], StreamHub],
        port: ClientPort,
        *,
        max_subscriptions: int,
        has_snapshot: bool = False,
    ) -> None:
        self.clients: dict[StreamHub, StreamClient] = {}
        self._get_hub = get_hub
        self._port = port
        self._max_subscriptions = max_subscriptions
        self._has_snapshot = has_snapshot

    async def subscribe(self, symbols: Iterable[str], streams: Iterable[str]) -> Outcome:
        """Subscribe as the address of the handshake requests."""
        message = {"action": "subscribe", "symbols": list(symbols), "streams": list(streams)}
        return await self._handle(message)

    async def handle(self, data: bytes) -> Outcome:
        """Handle a client's message."""
        try:
            message = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return self._fail(400, "expected a JSON object")
        return await self._handle(message)

    def flush(self) -> bool:
        """Send what waits while there is room; return whether nothing is left."""
        left = [client for client in self.clients.values() if not client.flush()]
        return not left

    def close(self) -> None:
        """Remove the client."""
        for hub, client in self.clients.items():
            hub.leave(client)
        self.clients.clear()

    async def _handle(self, message: Mapping[str, object]) -> Outcome:
        action = message.get("action")
        if action == "ping":
            self._send({"type": "pong"})
            return "open"
        if action not in ("subscribe", "unsubscribe"):
            return self._fail(400, "expected the action subscribe, unsubscribe or ping")
        try:
            changes = self._parse(message)
            for hub, pairs in changes.items():
                await self._change(hub, pairs, is_added=action == "subscribe")
        except Rejected as error:
            return self._fail(error.code, error.text)
        self._send({"type": "subscribed", "subscriptions": self._subscriptions()})
        if action == "subscribe" and message.get("snapshot", self._has_snapshot):
            for hub, pairs in changes.items():
                self.clients[hub].send(hub.replay.make_snapshot(pairs))
        return "open"

    def _parse(self, message: Mapping[str, object]) -> dict[StreamHub, Pairs]:
        """Return the subscriptions that a message names, by stream. Raises `Rejected`."""
        symbols = _words(message.get("symbols", []), "symbols")
        streams = _words(message.get("streams") or list(DEFAULT_STREAMS), "streams")
        by_kind: dict[Kind, list[str]] = {}
        for symbol in symbols:
            kind = kind_of(symbol)
            by_kind.setdefault(kind, []).append(symbol)
        if "news" in streams and symbols:
            by_kind["news"] = symbols
        changes = {}
        for kind, names in by_kind.items():
            hub = self._get_hub(kind)
            channels = [c for c in streams if (c == "news") == (kind == "news")]
            pairs = parse_names(hub.stream, dict.fromkeys(channels, names))
            if pairs:
                changes[hub] = pairs
        return changes

    async def _change(self, hub: StreamHub, pairs: Pairs, *, is_added: bool) -> None:
        client = self.clients.get(hub)
        if not is_added:
            if client is not None:
                hub.unsubscribe(client, pairs)
            return
        if client is None:
            client = self.clients[hub] = StreamClient(self._port, "flat", is_resumable=True)
            hub.join(client)
        others = sum(len(c.pairs) for h, c in self.clients.items() if h is not hub)
        if others + len(client.pairs | pairs) > self._max_subscriptions:
            raise rejected(405)
        await hub.wait_settled(2.0)
        if hub.status.state == "refused":
            raise rejected(409)
        added, joined = pairs - client.pairs, client
        await hub.subscribe(client, pairs, lambda: joined.send(hub.replay.get_books(added)))

    def _subscriptions(self) -> dict[str, list[str]]:
        return by_channel({pair for client in self.clients.values() for pair in client.pairs})

    def _fail(self, code: int, text: str) -> Outcome:
        self._send({"type": "error", "code": code, "message": text})
        return "open"

    def _send(self, message: Mapping[str, object]) -> None:
        for hub in self.clients:
            hub.flush()
        self._port.write(encode_message(message, "flat"))


def _words(value: object, name: str) -> list[str]:
    """Return a list of words, or those of a text with commas. Raises `Rejected`."""
    if isinstance(value, str):
        value = [word.strip() for word in value.split(",") if word.strip()]
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise Rejected(400, f"{name}: expected a list of words")
    return [word if word == ALL or name == "streams" else word.upper() for word in value]
