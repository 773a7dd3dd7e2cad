"""The websocket edge: handshakes, who may have a socket, and what faults do to open ones."""

import asyncio

from aiohttp import web

from realtime.simulator.control.request_counters import Tally
from realtime.simulator.credentials import Credentials
from realtime.simulator.faults.base import Kind
from realtime.simulator.faults.registry import Fault, Switchboard
from realtime.simulator.faults.sockets import (
    AfterUnauthorized,
    AuthSilent,
    Cut,
    Deaf,
    ErrorFrame,
    KeyRevoked,
    ListenSilent,
    Maintenance,
    Msgpack,
    RefuseHandshake,
    TextFrames,
)
from realtime.simulator.rest.responses import refusal_page
from realtime.simulator.stream import codec
from realtime.simulator.stream.broadcaster import Hub
from realtime.simulator.stream.session import UNAUTHORIZED_CLOSE_S, Session

# Streams that exist. `account_updates` did until 2020 and is left out of the ack.
STREAMS = frozenset({"trade_updates"})
# What a socket hears that named no account in its handshake, where 429 would have been the answer.
LIMIT_EXCEEDED = "connection limit exceeded"
LIMITED = frozenset({406, 429})
# Kinds that act on sockets: on the open ones when switched on, on others when they begin to listen.
ACTS: tuple[type[Kind], ...] = (Cut, ErrorFrame, KeyRevoked, Deaf, Maintenance)


class StreamEdge:
    """All sockets, authorized or not."""

    def __init__(
        self,
        hub: Hub,
        board: Switchboard,
        credentials: Credentials,
        tally: Tally,
        *,
        text: bool = False,
    ) -> None:
        self._hub = hub
        self._board = board
        self._credentials = credentials
        self._tally = tally
        self._text = text
        # Every open session, oldest first (a dict for its order).
        self._sessions: dict[Session, None] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        board.on_switch.append(self._strike_open)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve `GET /stream`."""
        label = self._credentials.owner(request.headers.get("APCA-API-KEY-ID"))
        self._tally.count(label, "handshakes")
        if status := self._refused_handshake(label):
            self._tally.count(label, "handshakes_refused")
            return refusal_page(status)
        wants = request.headers.get("Content-Type") == "application/msgpack"
        mode = self._msgpack_mode(label) if wants else "off"
        if mode == "refused":
            self._tally.count(label, "handshakes_refused")
            return refusal_page(415)
        session = Session(request, self, msgpack=mode == "on")
        self._sessions[session] = None
        self._empty.clear()
        try:
            return await session.run()
        finally:
            del self._sessions[session]
            if not self._sessions:
                self._empty.set()
            if session.label is not None:
                self._hub.leave(session.label, session, is_clean=session.is_clean)

    def __len__(self) -> int:
        return len(self._sessions)

    async def wait_empty(self) -> None:
        """Wait until no socket is left."""
        await self._empty.wait()

    def close_all(self) -> None:
        """Close every socket with 1001, going away."""
        for session in self._sessions:
            session.close(1001)

    def abort_all(self) -> None:
        """Cut whoever has not gone by now."""
        for session in list(self._sessions):
            session.abort()

    def authenticate(self, session: Session, message: codec.Authenticate) -> None:
        """Answer an authorization with one frame, or with none if that fault is on."""
        label = self._credentials.check(message.key, message.secret)
        if label is None or self._board.active(KeyRevoked, label):
            self._tally.count(label, "unauthorized")
            session.send(codec.unauthorized())
            self._close_unauthorized(session, label)
        elif self._board.strike(AuthSilent, label):
            self._tally.count(label, "auth_unanswered")
        elif session.label == label:
            session.send(codec.authorized(is_old_form=message.is_old_form))
        elif why := self._refused_session(session, label):
            self._tally.count(label, "sessions_refused")
            session.send(codec.error(why))
            session.close(1011)
        else:
            self._admit(session, label, message)

    def listen(self, session: Session, message: codec.Listen) -> None:
        """Answer `listen`: the set given replaces the one before."""
        label = session.label
        if label is None:
            session.send(codec.unauthorized_listen())
            return
        streams = tuple(dict.fromkeys(s for s in message.streams if s in STREAMS))
        wanted = bool(streams)
        if silent := self._board.strike(ListenSilent, label):
            session.is_listening = wanted and silent.events
            return
        session.send(codec.listening(streams))
        begins = wanted and not session.is_listening
        session.is_listening = wanted
        if begins:
            self._begin(session, label)

    def is_text(self, session: Session) -> bool:
        """Whether frames to this client have the text opcode."""
        return self._text or (
            self._board.has(TextFrames)
            and self._board.active(TextFrames, session.label) is not None
        )

    def _close_unauthorized(self, session: Session, label: str | None) -> None:
        fault = self._board.active(AfterUnauthorized, label)
        if fault is None:
            session.close_soon(1000, UNAUTHORIZED_CLOSE_S)
        elif fault.what.closes:
            session.close_soon(1000, fault.what.after_s)

    def _msgpack_mode(self, label: str | None) -> str:
        fault = self._board.active(Msgpack, label)
        return "on" if fault is None else fault.what.mode

    def _admit(self, session: Session, label: str, message: codec.Authenticate) -> None:
        self._tally.count(label, "authorized")
        self._hub.join(label, session)
        session.stay()
        session.label = label
        session.send(codec.authorized(is_old_form=message.is_old_form))

    def _begin(self, session: Session, label: str) -> None:
        """Start telling events; faults that wait for a listening socket take it."""
        self._tally.count(label, "listening")
        self._hub.replay(label, session)
        for kind in ACTS:
            if fault := self._board.active(kind, label):
                _act(session, fault)
                if not fault.what.is_state:
                    self._board.spend(fault)

    def _refused_handshake(self, label: str | None) -> int | None:
        """The HTTP status to refuse with. The account is only known if the client names its key."""
        if self._board.active(Maintenance, label):
            return 503
        if refuse := self._board.strike(RefuseHandshake, label):
            return refuse.status
        taken = self._hub.is_full() if label is None else self._hub.is_taken(label)
        return 429 if taken else None

    def _refused_session(self, session: Session, label: str) -> str | None:
        """Why a socket that named no account in its handshake is refused at authorization."""
        if session.label is not None:
            return "already authenticated"
        if self._board.active(Maintenance, label):
            return "internal server error"
        if refuse := self._board.strike(RefuseHandshake, label):
            limited = refuse.status in LIMITED
            return LIMIT_EXCEEDED if limited else f"connection refused ({refuse.status})"
        return LIMIT_EXCEEDED if self._hub.is_taken(label) else None

    def _strike_open(self, fault: Fault[Kind]) -> None:
        """Let a fault that was just switched on act on the sockets that are open."""
        if not isinstance(fault.what, ACTS):
            return
        for session in list(self._sessions):
            if fault.what.account in (None, session.label) and not fault.is_spent:
                _act(session, fault)
                if not fault.what.is_state:
                    fault.spend()


def _act(session: Session, fault: Fault[Kind]) -> None:
    match fault.what:
        case Cut(clean=True, code=code):
            session.close(code)
        case Cut() | Maintenance():
            session.abort()
        case ErrorFrame(message=message, close=closes):
            session.send(codec.error(message))
            if closes:
                session.close(1011)
        case KeyRevoked(cut=True):
            session.close(1000)
        case Deaf() as deaf:
            session.deafen(deaf, fault)
