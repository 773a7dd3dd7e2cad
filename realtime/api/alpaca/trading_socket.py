"""`/stream`: Alpaca's trading stream for unmodified clients, from this daemon's memory.

Alpaca's conversation (PROTOCOL 1.2–1.4): no greeting; both forms of `auth`; `listen` with the whole
set of streams. A refusal is a frame, never an HTTP error. Beside `trade_updates` there is
`account_updates`, which Alpaca removed in 2020: the account's figures with each change.

A client that asks for it (`?realtime=1`, or `"resume": n` in `listen`) gets messages that Alpaca
does not send: what it missed since number n, or `{"stream":"gap"}`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
from aiohttp import WSCloseCode, web
from aiohttp.typedefs import Handler, Middleware
from msgspec import UNSET, Struct, UnsetType

from realtime.api.alpaca.account_selection import AccountSelector, Caller, ClientCredentials
from realtime.api.alpaca.errors import AlpacaError
from realtime.api.alpaca.trade_events import Frame
from realtime.api.alpaca.trade_hub import TradeHub
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.marks import MarkDocument, make_mark
from realtime.api.security.origins import AllowedNames, check_request_names
from realtime.api.stream_clients import StreamClients
from realtime.api.stream_connection import StreamConnection
from realtime.market.stream.alpaca_session import Outcome
from realtime.market.stream.channels import TEXTS
from realtime.market.stream.formats import frame
from realtime.store.records import Record

PATHS = frozenset({"/stream", "/stream/"})
"""Older SDKs always add the slash."""

AUTH_TIMEOUT_S = 10.0
UNAUTHORIZED_CLOSE_S = 5.0
"""How long a refused client may stay: some send `listen` before they read."""

MAX_UNSENT_BYTES = 4 * 2**20
"""A client that has not read so much is closed: nothing may be left out."""

MAX_SEQ = 2**63 - 1
"""No event has a larger number, and MessagePack has none above 2**64 (its specification)."""

MAX_CLIENTS = 2_000

UNAUTHORIZED, TOO_MANY, SLOW = 401, 406, 407

TRADE_UPDATES, ACCOUNT_UPDATES = "trade_updates", "account_updates"
STREAMS = (TRADE_UPDATES, ACCOUNT_UPDATES)

DEPRECATED = (
    "this authentication format is being deprecated. Please use the format: "
    '{"action": "auth", "key": "x", "secret": "x"}'
)
_MSGPACK = "application/msgpack"


class AccountUpdate(Struct, frozen=True, kw_only=True):
    """The member `data` of `account_updates`: names as Alpaca's own had them, and the mark."""

    id: str
    account_number: str
    status: str | None
    currency: str | None
    cash: str | None
    equity: str | None
    last_equity: str | None
    buying_power: str | None
    created_at: str | UnsetType | None = UNSET
    equity_mark: MarkDocument | UnsetType | None = UNSET


class TradingConnection(StreamConnection):
    """A websocket whose refusals are in the trading stream's form."""

    def __init__(self, request: web.Request, *, is_text: bool, is_msgpack: bool) -> None:
        super().__init__(request, "flat")
        self._is_text = is_text
        self._is_msgpack = is_msgpack

    def send(self, body: bytes) -> None:
        """Send one JSON object."""
        if self._is_msgpack:
            packed = msgspec.msgpack.encode(msgspec.json.decode(body))
            self.write(frame(packed, is_text=False))
        else:
            self.write(frame(body, is_text=self._is_text))

    def refuse(self, code: int) -> None:
        """Send Alpaca's error, then close."""
        self.send(ENCODER.encode({"action": "error", "data": {"error_message": TEXTS[code]}}))
        self._finish(WSCloseCode.POLICY_VIOLATION)


class TradingSession:
    """One client: its account, and the streams that it listens to."""

    def __init__(
        self,
        connection: TradingConnection,
        hub: TradeHub,
        authorize: Callable[[ClientCredentials], Caller],
        is_allowed: Callable[[ClientCredentials, str], bool],
        *,
        has_own_messages: bool,
    ) -> None:
        self.label: str | None = None
        self.streams: tuple[str, ...] = ()
        self._connection = connection
        self._hub = hub
        self._authorize = authorize
        self._is_allowed = is_allowed
        self._credentials = ClientCredentials()
        self._has_own_messages = has_own_messages
        self._skipped_figures = False
        """Whether the client has not read fast enough for the newest figures."""

    # -- from the client ---------------------------------------------------------------------------

    async def handle(self, data: bytes) -> Outcome:
        """Handle a message, as text or binary."""
        message = _decode(data)
        match message.get("action"):
            case "auth":
                return self._log_in(_read_pair(message, "key", "secret"), is_old=False)
            case "authenticate":
                pair = _read_pair(_members(message.get("data")), "key_id", "secret_key")
                return self._log_in(pair, is_old=True)
            case "listen":
                return self._listen(_members(message.get("data")))
        return "open"  # Alpaca ignores what it does not know

    def close(self) -> None:
        """The client has left."""
        if self.label is not None:
            self._hub.remove(self.label, self)

    def flush(self) -> bool:
        """Send the newest figures once the client has read the ones before; true if none wait."""
        if self._skipped_figures and self._connection.unsent_bytes():
            return False
        record = None if self.label is None else self._hub.get_record(self.label)
        if self._skipped_figures and record is not None:
            self._skipped_figures = False
            self.update_account(record)
        return True

    def _log_in(self, credentials: ClientCredentials, *, is_old: bool) -> Outcome:
        try:
            caller = self._authorize(credentials)
        except AlpacaError:
            text = "access key verification failed"
            self._send_authorization(action="authenticate", message=text, status="unauthorized")
            loop = asyncio.get_running_loop()
            loop.call_later(UNAUTHORIZED_CLOSE_S, self._close_unauthorized)
            return "open"
        if self.label is not None and self.label != caller.label:
            self._hub.remove(self.label, self)
            self.streams = ()
        self.label, self._credentials = caller.label, credentials
        if is_old:
            self._send_authorization(action="authenticate", message=DEPRECATED, status="authorized")
        else:
            self._send_authorization(status="authorized", action="authenticate")
        return "open"

    def _close_unauthorized(self) -> None:
        if self.label is None:
            self._connection.end()

    def _listen(self, data: Mapping[str, object]) -> Outcome:
        if self.label is None:
            self._send_authorization(status="unauthorized", action="listen")
            return "open"
        if not self.is_allowed():  # its keys were changed since
            self._connection.refuse(UNAUTHORIZED)
            return "open"
        wanted = data.get("streams")
        names = wanted if isinstance(wanted, list) else []
        self.streams = tuple(name for name in STREAMS if name in names)
        self._send({"stream": "listening", "data": {"streams": self.streams}})
        resume = data.get("resume")
        if self.streams:
            self._hub.add(self.label, self)
        else:
            self._hub.remove(self.label, self)
        if type(resume) is int:
            self._has_own_messages = True
            self._replay(min(max(resume, 0), MAX_SEQ))
        elif self._has_own_messages:
            self._send({"stream": "seq", "data": {"seq": self._hub.events(self.label).seq}})
        return "open"

    def _replay(self, seq: int) -> None:
        assert self.label is not None, "only after authorization"
        events = self._hub.events(self.label)
        frames = events.get_after(seq)
        if frames is None:
            self._send({"stream": "gap", "data": {"from": seq, "to": events.seq}})
        else:
            self.deliver(frames)

    # -- from the hub ------------------------------------------------------------------------------

    def deliver(self, frames: list[Frame]) -> None:
        """Write updates; close a client that does not read."""
        if TRADE_UPDATES not in self.streams:
            return
        for each in frames:
            self._connection.send(each.body)
        if self._connection.unsent_bytes() > MAX_UNSENT_BYTES:
            self._hub.slow_clients += 1
            self._connection.refuse(SLOW)

    def update_account(self, record: Record) -> None:
        """Write the account's figures. A client that does not read gets the newest ones when it
        has read: what was between does not matter."""
        if ACCOUNT_UPDATES not in self.streams:
            return
        if self._connection.unsent_bytes() > 0:
            self._skipped_figures = True
            self._connection.wake()
            return
        document = make_account_update(record)
        if document is not None:
            self._send({"stream": ACCOUNT_UPDATES, "data": document})

    def is_allowed(self) -> bool:
        """Whether what it was authorized by is still valid."""
        return self.label is not None and self._is_allowed(self._credentials, self.label)

    def end(self) -> None:
        """Close: the account was removed, the keys changed, or the daemon stops."""
        self._connection.close()

    def _send_authorization(self, **data: str) -> None:
        self._send({"stream": "authorization", "data": data})

    def _send(self, message: Mapping[str, Any]) -> None:
        self._connection.send(ENCODER.encode(message))


class TradingStreamServer:
    """Serves `/stream`. `wall_clock` gives epoch seconds, for tokens."""

    def __init__(
        self,
        hub: TradeHub,
        selector: AccountSelector,
        names: AllowedNames,
        *,
        wall_clock: Callable[[], float],
    ) -> None:
        self.connections: StreamClients[TradingConnection] = StreamClients(MAX_CLIENTS, wall_clock)
        self._hub = hub
        self._selector = selector
        self._names = names

    def make_middleware(self) -> Middleware:
        """Return the middleware that handles the path, before any route."""

        @web.middleware
        async def stream_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            is_websocket = request.headers.get("Upgrade", "").lower() == "websocket"
            if request.path not in PATHS or request.method != "GET" or not is_websocket:
                return await handler(request)
            check_request_names(request, self._names)
            if "Origin" in request.headers:
                return web.Response(status=403, text="this socket is not for web pages")
            return await self._serve(request)

        return cast(Middleware, stream_middleware)

    def revoke(self) -> None:
        """End what a token has authorized, and is not valid any more: the rules changed."""
        self._hub.end_disallowed()
        for connection in self.connections:
            if connection.token_id is not None:
                connection.close()

    def close(self) -> None:
        """End every connection: the daemon stops."""
        self._hub.end_all()
        for connection in self.connections:
            connection.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        connection = TradingConnection(
            request, is_text=False, is_msgpack=request.headers.get("Content-Type") == _MSGPACK
        )
        session = TradingSession(
            connection,
            self._hub,
            lambda credentials: self._authorize(request, connection, credentials),
            self._selector.is_allowed,
            has_own_messages=request.query.get("realtime", "") in ("1", "true"),
        )
        deadline = asyncio.get_running_loop().time() + AUTH_TIMEOUT_S
        has_room = self.connections.admit(connection, request, None)
        if has_room:
            self.connections.add(connection)
        try:
            await connection.prepare()
            if not has_room:
                connection.refuse(TOO_MANY)
            return await connection.run(
                session,
                session.flush,
                deadline=lambda: deadline if session.label is None else None,
            )
        except ConnectionError:
            return web.Response()  # gone before the handshake was complete
        finally:
            self.connections.remove(connection)

    def _authorize(
        self, request: web.Request, connection: TradingConnection, credentials: ClientCredentials
    ) -> Caller:
        caller = self._selector.select(credentials, "account_access", request)
        if not self.connections.admit(connection, request, caller.principal):
            connection.refuse(TOO_MANY)
        return caller


def make_account_update(record: Record) -> AccountUpdate | None:
    """The figures of an account; None before its first read."""
    account = record.state.account
    if account is None:
        return None
    mark = make_mark(record)
    return AccountUpdate(
        id=account.id,
        account_number=account.account_number,
        status=account.status,
        currency=account.currency,
        cash=account.cash,
        equity=account.equity,
        last_equity=account.last_equity,
        buying_power=account.buying_power,
        created_at=account.created_at,
        equity_mark=UNSET if mark is None else mark,
    )


def _decode(data: bytes) -> Mapping[str, object]:
    """A client's message: JSON, or MessagePack; nothing if it is neither."""
    for decode in (msgspec.json.decode, msgspec.msgpack.decode):
        try:
            message = decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
            continue
        return _members(message)
    return {}


def _members(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _read_pair(values: Mapping[str, object], key: str, secret: str) -> ClientCredentials:
    """The credentials of either form of authorization; C# sends a token alone (MARKET 5.3)."""
    token = _text(values.get("oauth_token"))
    return ClientCredentials(
        key_id=_text(values.get(key)), secret_key=_text(values.get(secret)), token=token
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
