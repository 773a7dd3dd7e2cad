"""Alpaca's own protocol, as a client of the relay sees it: messages in, messages out.

An unmodified program changes only the address. What a refusal needs (MARKET 3.4): the JavaScript
SDK waits for the close, alpaca-py acts on the message, Go stays on the socket after 406 only. So
the message is sent and the socket closed.

Clients that ask for it (`?gaps=1`, or a `resume`) get more: the number of the newest element with
each frame, `{"T":"gap"}` and `{"T":"link"}`. Others never see a type that Alpaca does not send: the
JavaScript SDK 3 raises on one.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from realtime.market.stream.channels import TEXTS, Pairs, Rejected, format_ack, parse_names
from realtime.market.stream.client import ClientPort, StreamClient
from realtime.market.stream.formats import Codec, encode_message
from realtime.market.stream.hub import StreamHub

SETTLE_TIMEOUT_S = 5.0
"""How long a client waits for its authorization while the broker's word on the feed is awaited. The
JavaScript SDK and Go wait for ten seconds."""

OWN_KEYS = frozenset({"action", "T", "snapshot", "resume"})
"""Members of a message that are not channels."""

Authorize = Callable[[str, str], int | None]
"""Checks key and secret; returns the code of the refusal, or None."""

Outcome = Literal["open", "close"]


class AlpacaSession:
    """One client on one stream. `port` is its connection."""

    def __init__(
        self,
        hub: StreamHub,
        port: ClientPort,
        codec: Codec,
        *,
        authorize: Authorize,
        has_snapshot: bool = False,
        is_resumable: bool = False,
    ) -> None:
        self.client = StreamClient(port, codec, is_resumable=is_resumable)
        self.is_authorized = False
        self._hub = hub
        self._port = port
        self._codec: Codec = codec
        self._authorize = authorize
        self._has_snapshot = has_snapshot
        self._resume_from: int | None = None

    def greet(self) -> None:
        """Send the first message."""
        self._send({"T": "success", "msg": "connected"})

    async def authorize(self, key: str, secret: str) -> Outcome:
        """Handle credentials, from a message or from the handshake."""
        if self.is_authorized:
            return self._fail(403)
        is_options = self._hub.stream.kind == "options"
        if is_options and self._codec != "msgpack":
            return self._fail(412, closes=True)
        if (code := self._authorize(key, secret)) is not None:
            return self._fail(code, closes=True)
        self._hub.join(self.client)
        self.is_authorized = True
        await self._hub.wait_settled(SETTLE_TIMEOUT_S)
        if self._hub.status.state == "refused":
            self.close()
            return self._fail(409, closes=True)
        self._send({"T": "success", "msg": "authenticated"})
        return "open"

    async def handle(self, data: bytes) -> Outcome:
        """Handle a client's message, as text or binary: C# sends text in binary frames."""
        message = self._decode(data)
        if message is None:
            return self._fail(400)
        match message.get("action"):
            case "auth":
                return await self.authorize(_text(message.get("key")), _text(message.get("secret")))
            case "subscribe" | "unsubscribe" | "resume" as action:
                if not self.is_authorized:
                    return self._fail(401)
                try:
                    await self._handle_action(action, message)
                except Rejected as error:
                    return self._fail(error.code, error.text)
                return "open"
        return self._fail(400)

    def close(self) -> None:
        """Remove the client; its subscriptions linger."""
        if self.is_authorized:
            self.is_authorized = False
            self._hub.leave(self.client)

    async def _handle_action(self, action: str, message: Mapping[str, object]) -> None:
        names = {name: value for name, value in message.items() if name not in OWN_KEYS}
        resume = message.get("seq") if action == "resume" else message.get("resume")
        if resume is not None and (type(resume) is not int or resume < 0):
            raise Rejected(400, TEXTS[400])
        if action == "resume":
            names.pop("seq", None)
            if names or resume is None:
                raise Rejected(400, TEXTS[400])
            self._resume(resume)
            return
        pairs = parse_names(self._hub.stream, names)
        if action == "unsubscribe":
            self._hub.unsubscribe(self.client, pairs)
            self._acknowledge()
            return
        new = pairs - self.client.pairs

        def accept() -> None:
            self._acknowledge()
            self.client.send(self._hub.replay.get_books(new))
            self._catch_up(pairs, message, resume)

        await self._hub.subscribe(self.client, pairs, accept)

    def _catch_up(self, pairs: Pairs, message: Mapping[str, object], resume: int | None) -> None:
        """Send what the client asked for after its ack: what it missed, or the last values."""
        resume = self._resume_from if resume is None else resume
        self._resume_from = None
        if resume is not None:
            self._make_resumable()
            self._replay(resume)
        elif message.get("snapshot", self._has_snapshot):
            self.client.send(self._hub.replay.make_snapshot(pairs))

    def _resume(self, seq: int) -> None:
        """Resume now, or after the first subscription."""
        self._make_resumable()
        if self.client.pairs:
            self._replay(seq)
        else:
            self._resume_from = seq

    def _make_resumable(self) -> None:
        if not self.client.is_resumable:
            self._hub.flush()
            pairs = self.client.pairs
            self._hub.relay.remove(self.client)
            self.client.is_resumable = True
            self._hub.relay.set_subscriptions(self.client, pairs)

    def _replay(self, seq: int) -> None:
        self._hub.flush()
        missed = self._hub.replay.get_missed(self.client, seq)
        if missed is None:
            self._send({"T": "gap", "from": seq, "to": self._hub.ring.seq})
        else:
            self.client.send(missed)

    def _acknowledge(self) -> None:
        self._send(format_ack(self._hub.stream, self.client.pairs))

    def _decode(self, data: bytes) -> dict[str, object] | None:
        decode = msgspec.msgpack.decode if self._codec == "msgpack" else msgspec.json.decode
        try:
            message = decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
            return None
        is_object = isinstance(message, dict) and all(isinstance(name, str) for name in message)
        return message if is_object else None

    def _fail(self, code: int, text: str | None = None, *, closes: bool = False) -> Outcome:
        self._send({"T": "error", "code": code, "msg": text or TEXTS[code]})
        return "close" if closes else "open"

    def _send(self, message: Mapping[str, object]) -> None:
        self._hub.flush()
        self._port.write(encode_message(message, self._codec))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
