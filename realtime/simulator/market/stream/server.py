"""Websocket server of the market-data streams: authentication, slots, subscriptions, data.

Refusals are sent inside the socket, never as HTTP 4xx: a Go client stops permanently on those.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from aiohttp import web

from realtime.simulator.control.request_counters import RequestCounters
from realtime.simulator.credentials import Credentials
from realtime.simulator.faults.base import FaultSpec
from realtime.simulator.faults.registry import Fault, FaultRegistry
from realtime.simulator.faults.sockets import Cut, KeyRevoked, Maintenance
from realtime.simulator.market.elements import Element, Fields
from realtime.simulator.market.history import zone_of
from realtime.simulator.market.rest.context import Sources
from realtime.simulator.market.rest.crypto import order_book
from realtime.simulator.market.rest.queries import SIP_DELAY_NS
from realtime.simulator.market.rest.server import NEWS, MarketDataServer
from realtime.simulator.market.settings import MAX_OPTION_QUOTES, MAX_STREAM_SYMBOLS
from realtime.simulator.market.stream.channels import ALL, PATHS, Path, Rejected
from realtime.simulator.market.stream.fake_feed import FakeFeed
from realtime.simulator.market.stream.session import DataSession
from realtime.simulator.market.timeframes import local_day
from realtime.simulator.rest.responses import html_error
from realtime.simulator.rest.server import KEY_HEADER, SECRET_HEADER
from realtime.simulator.websocket import OpenSessions

AUTH_TIMEOUT_S = 10.0
# Elements that wait for the 15 minutes of `delayed_sip`; older ones are dropped.
MAX_DELAYED = 500_000
_MSGPACK = "application/msgpack"


class DataStreamServer:
    """All connections to the market-data streams."""

    def __init__(
        self,
        sources: Sources,
        credentials: Credentials,
        faults: FaultRegistry,
        counters: RequestCounters,
        now: Callable[[], float],
    ) -> None:
        self._sources = sources
        self._settings = sources.settings
        self._credentials = credentials
        self._faults_on = faults
        self._counters = counters
        self._now = now
        self.sessions: OpenSessions[DataSession] = OpenSessions()
        # (label, path) → until when a lost connection still holds the slot
        self._held_until: dict[tuple[str, str], float] = {}
        self._delayed: deque[tuple[int, list[Element]]] = deque(maxlen=MAX_DELAYED)
        self._fake_feed = FakeFeed(sources.clock)
        faults.listeners.append(self._apply_fault)
        sources.tape.listeners.append(self._publish)
        sources.news.listeners.append(self._publish)

    def add_to(self, app: web.Application, rest: MarketDataServer) -> None:
        """Add the stream paths; `/v1beta1/news` is REST unless the client asks for a websocket."""
        for path in PATHS:
            if path.kind == "news":
                app.router.add_get(path.path, partial(self._serve_news, path, rest))
            else:
                app.router.add_get(path.path, partial(self.serve, path))

    async def serve(self, path: Path, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        label = self._credentials.owner(request.headers.get(KEY_HEADER))
        self._counters.count(label, "data_handshakes")
        if self._faults_on.active(Maintenance, label):
            return html_error(503)
        self._sources.tape.start()
        header = request.headers.get("Content-Type", "")
        msgpack = header == _MSGPACK or (path.kind == "options" and header != "application/json")
        session = DataSession(request, path, self, msgpack=msgpack, deflate=self._settings.deflate)
        greeting = asyncio.get_running_loop().call_later(
            self._settings.greeting_delay_s, self._greet, session, request
        )
        try:
            return await self.sessions.run(session)
        finally:
            greeting.cancel()
            if session.label is not None and not session.is_clean:
                until = self._now() + self._settings.slot_release_s
                self._held_until[session.label, path.path] = until

    def step(self) -> None:
        """Send what is due: delayed SIP data and the test feed."""
        now = self._sources.clock()
        while self._delayed and self._delayed[0][0] <= now:
            self._send("delayed_sip", self._delayed.popleft()[1])
        if any(session.path.feed == "test" for session in self.sessions):
            self._send("test", self._fake_feed.step())

    def handle_message(self, session: DataSession, message: Fields) -> None:
        """Handle a client's message."""
        match message.get("action"):
            case "auth":
                self._authenticate(session, message.get("key"), message.get("secret"))
            case "subscribe" | "unsubscribe":
                self._subscribe(session, message)
            case _:
                session.send_error(400, "invalid syntax")

    def take_cut(self) -> bool:
        """Return whether the next frame is to be cut in the middle; once."""
        cut, self._settings.cut_in_frame = self._settings.cut_in_frame, False
        return cut

    async def _serve_news(
        self, path: Path, rest: MarketDataServer, request: web.Request
    ) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.serve(path, request)
        return await rest.serve(NEWS, request)

    def _greet(self, session: DataSession, request: web.Request) -> None:
        session.send_control({"T": "success", "msg": "connected"})
        if session.label is None:  # the JavaScript SDK 4 authenticates before the greeting
            session.set_deadline("auth timeout", AUTH_TIMEOUT_S)
        key, secret = request.headers.get(KEY_HEADER), request.headers.get(SECRET_HEADER)
        if key and secret and self._settings.header_auth and session.label is None:
            self._authenticate(session, key, secret)

    def _authenticate(self, session: DataSession, key: object, secret: object) -> None:
        if session.label is not None:
            session.send_error(403, "already authenticated")
            return
        if session.path.kind == "options" and not session.is_msgpack:
            session.send_error(412, "option messages are only available in MsgPack", closes=True)
            return
        label = self._credentials.check(_text(key), _text(secret))
        if label is None or self._faults_on.active(KeyRevoked, label):
            self._counters.count(label, "data_auth_failed")
            session.send_error(402, "auth failed", closes=True)
        elif session.path.needs_plus and self._settings.plan_of(label) == "basic":
            session.send_error(409, "insufficient subscription", closes=True)
        elif self._is_slot_taken(label, session):
            # The socket stays open: the Go SDK authenticates again on it.
            self._counters.count(label, "data_sessions_refused")
            session.send_error(406, "connection limit exceeded")
            session.set_deadline("auth timeout", AUTH_TIMEOUT_S)
        else:
            session.label = label
            session.set_deadline(None, 0)
            self._counters.count(label, "data_authorized")
            session.send_control({"T": "success", "msg": "authenticated"})

    def _is_slot_taken(self, label: str, session: DataSession) -> bool:
        if self._settings.second_connection == "accept":
            return False
        slot = (label, session.path.path)
        held = self._now() < self._held_until.get(slot, 0.0)
        return held or any((s.label, s.path.path) == slot for s in self.sessions if s != session)

    def _subscribe(self, session: DataSession, message: Fields) -> None:
        if session.label is None:
            session.send_error(401, "not authenticated")
            return
        if code := self._settings.subscribe_error:
            self._settings.subscribe_error = None
            session.send_error(code, _ERROR_TEXTS[code])
            return
        plan = self._settings.plan_of(session.label)
        limit, max_quotes = MAX_STREAM_SYMBOLS[plan], MAX_OPTION_QUOTES[plan]
        try:
            new = session.subscriptions.change(message, limit=limit, max_quotes=max_quotes)
        except Rejected as error:
            session.send_error(error.code, error.text)
            return
        self._counters.count(session.label, "data_subscribes")
        session.send_control(session.subscriptions.ack())
        if "orderbooks" in new:
            session.send_elements([self._book(s, reset=True) for s in self._book_symbols(session)])

    def _book_symbols(self, session: DataSession) -> list[str]:
        names = session.subscriptions.names("orderbooks")
        listing = self._sources.exchange.listing.by_symbol
        coins = [symbol for symbol, asset in listing.items() if asset.is_crypto]
        return coins if ALL in names else [name for name in names if name in coins]

    def _book(self, symbol: str, *, reset: bool = False) -> Element:
        price = float(self._sources.exchange.price_process.last[symbol])
        fields = {"T": "o", "S": symbol, "t": self._sources.clock(), **order_book(price)}
        return Element({**fields, "r": True} if reset else fields)

    def _publish(self, feed: str, elements: list[Element]) -> None:
        """Send elements of a feed to the connections that subscribed to them."""
        if not self.sessions:
            return
        if feed == "sip":
            self._delay(elements)
        self._send(feed, self._with_derived(feed, elements))

    def _delay(self, elements: list[Element]) -> None:
        if any(session.path.feed == "delayed_sip" for session in self.sessions):
            self._delayed.append((self._sources.clock() + SIP_DELAY_NS, elements))

    def _with_derived(self, feed: str, elements: list[Element]) -> list[Element]:
        """Add the order book of a quote, and the day bar of a minute bar."""
        derived = list(elements)
        for element in elements:
            symbol = element.symbols[0] if element.symbols else ""
            if element.type == "q" and feed == "us" and self._wants("orderbooks", symbol):
                derived.append(self._book(symbol))
            elif element.type == "b" and self._wants("dailyBars", symbol):
                derived += self._daily(feed, symbol)
        return derived

    def _daily(self, feed: str, symbol: str) -> list[Element]:
        asset = self._sources.exchange.listing.by_symbol.get(symbol)
        if asset is None:
            return []
        today = local_day(self._sources.clock(), zone_of(asset))
        bar = self._sources.history.day_bar(asset, feed, today)
        if bar is None:
            return []
        return [Element({"T": "d", "S": symbol, **bar.fields(whole=not asset.is_crypto)})]

    def _wants(self, channel: str, symbol: str) -> bool:
        for session in self.sessions:
            names = session.subscriptions.names(channel)
            if symbol in names or ALL in names:
                return True
        return False

    def _send(self, feed: str, elements: list[Element]) -> None:
        if self._settings.deaf:
            return
        for session in self.sessions:
            if session.label is None or session.path.feed != feed:
                continue
            matching = [e for e in elements if self._passes(session, e)]
            if matching:
                session.send_elements(matching)

    def _passes(self, session: DataSession, element: Element) -> bool:
        """Return whether a connection receives an element, with the settings that drop some."""
        settings = self._settings
        if not session.subscriptions.matches(element):
            return False
        if any(symbol in settings.silent_symbols for symbol in element.symbols):
            return False
        if settings.ignored_above is not None:
            served = session.subscriptions.all_names()[: settings.ignored_above]
            if ALL not in served and not any(symbol in served for symbol in element.symbols):
                return False
        if element.type == "t" and settings.drop_every is not None:
            session.trades_seen += 1
            return session.trades_seen % settings.drop_every != 0
        return True

    def _apply_fault(self, fault: Fault[FaultSpec]) -> None:
        for session in list(self.sessions):
            if fault.spec.account not in (None, session.label):
                continue
            match fault.spec:
                case Cut(clean=True, code=code):
                    session.close(code)
                case Cut() | Maintenance():
                    session.abort()


_ERROR_TEXTS = {
    405: "symbol limit exceeded",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
