"""Websocket server of the trading stream: handshakes, connection slots, faults of sockets."""

from aiohttp import web

from realtime.simulator.control.request_counters import RequestCounters
from realtime.simulator.credentials import Credentials
from realtime.simulator.faults.base import FaultSpec
from realtime.simulator.faults.registry import Fault, FaultRegistry
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
from realtime.simulator.rest.responses import error_response
from realtime.simulator.stream import codec
from realtime.simulator.stream.broadcaster import Broadcaster
from realtime.simulator.stream.session import UNAUTHORIZED_CLOSE_S, Session
from realtime.simulator.websocket import OpenSessions

# Streams that exist. `account_updates` did until 2020 and is left out of the ack.
STREAMS = frozenset({"trade_updates"})
# Error for a socket that named no account in its handshake, where 429 would be the response.
LIMIT_EXCEEDED = "connection limit exceeded"
LIMITED = frozenset({406, 429})
# Faults of sockets: applied to open ones when added, to others when they start listening.
SOCKET_FAULTS: tuple[type[FaultSpec], ...] = (Cut, ErrorFrame, KeyRevoked, Deaf, Maintenance)


class StreamServer:
    """Serves all sockets, authorized or not."""

    def __init__(
        self,
        broadcaster: Broadcaster,
        faults: FaultRegistry,
        credentials: Credentials,
        counters: RequestCounters,
        *,
        text: bool = False,
    ) -> None:
        self._broadcaster = broadcaster
        self._faults_on = faults
        self._credentials = credentials
        self._counters = counters
        self._text = text
        self.sessions: OpenSessions[Session] = OpenSessions()
        faults.listeners.append(self._apply_to_open)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve `GET /stream`."""
        label = self._credentials.owner(request.headers.get("APCA-API-KEY-ID"))
        self._counters.count(label, "handshakes")
        if label is None and request.headers.get("APCA-API-KEY-ID"):
            # An unknown key is 401 also when every slot is taken.
            self._counters.count(label, "handshakes_refused")
            return error_response(401)
        if status := self._refused_handshake(label):
            self._counters.count(label, "handshakes_refused")
            return error_response(status)
        wants = request.headers.get("Content-Type") == "application/msgpack"
        mode = self._msgpack_mode(label) if wants else "off"
        if mode == "refused":
            self._counters.count(label, "handshakes_refused")
            return error_response(415)
        session = Session(request, self, msgpack=mode == "on")
        try:
            return await self.sessions.run(session)
        finally:
            if session.label is not None:
                self._broadcaster.leave(session.label, session, is_clean=session.is_clean)

    def authenticate(self, session: Session, message: codec.Authenticate) -> None:
        """Respond to an authorization with one frame, or with none if that fault is on."""
        label = self._credentials.check(message.key, message.secret)
        if label is None or self._faults_on.active(KeyRevoked, label):
            self._counters.count(label, "unauthorized")
            session.send(codec.unauthorized())
            self._close_unauthorized(session, label)
        elif self._faults_on.trigger(AuthSilent, label):
            self._counters.count(label, "auth_unanswered")
        elif session.label == label:
            session.send(codec.authorized(is_old_form=message.is_old_form))
        elif reason := self._refused_session(session, label):
            self._counters.count(label, "sessions_refused")
            session.send(codec.error(reason))
            session.close(1011)
        else:
            self._admit(session, label, message)

    def listen(self, session: Session, message: codec.Listen) -> None:
        """Respond to `listen`: the set of streams replaces the previous one."""
        label = session.label
        if label is None:
            session.send(codec.unauthorized_listen())
            return
        streams = tuple(dict.fromkeys(s for s in message.streams if s in STREAMS))
        wanted = bool(streams)
        if silent := self._faults_on.trigger(ListenSilent, label):
            session.is_listening = wanted and silent.events
            return
        session.send(codec.listening(streams))
        starts = wanted and not session.is_listening
        session.is_listening = wanted
        if starts:
            self._start_events(session, label)

    def is_text(self, session: Session) -> bool:
        """Return whether frames to this client have the text opcode."""
        return self._text or (
            self._faults_on.is_active_for_any(TextFrames)
            and self._faults_on.active(TextFrames, session.label) is not None
        )

    def _close_unauthorized(self, session: Session, label: str | None) -> None:
        fault = self._faults_on.active(AfterUnauthorized, label)
        if fault is None:
            session.close_later(1000, UNAUTHORIZED_CLOSE_S)
        elif fault.spec.closes:
            session.close_later(1000, fault.spec.after_s)

    def _msgpack_mode(self, label: str | None) -> str:
        fault = self._faults_on.active(Msgpack, label)
        return "on" if fault is None else fault.spec.mode

    def _admit(self, session: Session, label: str, message: codec.Authenticate) -> None:
        self._counters.count(label, "authorized")
        self._broadcaster.join(label, session)
        session.cancel_close()
        session.label = label
        session.send(codec.authorized(is_old_form=message.is_old_form))

    def _start_events(self, session: Session, label: str) -> None:
        """Start sending events; apply faults that wait for a listening socket."""
        self._counters.count(label, "listening")
        self._broadcaster.replay(label, session)
        for kind in SOCKET_FAULTS:
            if fault := self._faults_on.active(kind, label):
                _apply_fault(session, fault)
                if not fault.spec.is_state:
                    self._faults_on.count_use(fault)

    def _refused_handshake(self, label: str | None) -> int | None:
        """Return the HTTP status to refuse with. The account is known only from a key header."""
        if self._faults_on.active(Maintenance, label):
            return 503
        if refuse := self._faults_on.trigger(RefuseHandshake, label):
            return refuse.status
        taken = (
            self._broadcaster.are_all_slots_taken()
            if label is None
            else self._broadcaster.is_slot_taken(label)
        )
        return 429 if taken else None

    def _refused_session(self, session: Session, label: str) -> str | None:
        """Return why a socket is refused at authorization, None if it is not."""
        if session.label is not None:
            return "already authenticated"
        if self._faults_on.active(Maintenance, label):
            return "internal server error"
        if refuse := self._faults_on.trigger(RefuseHandshake, label):
            limited = refuse.status in LIMITED
            return LIMIT_EXCEEDED if limited else f"connection refused ({refuse.status})"
        return LIMIT_EXCEEDED if self._broadcaster.is_slot_taken(label) else None

    def _apply_to_open(self, fault: Fault[FaultSpec]) -> None:
        """Apply a new fault to the open sockets."""
        if not isinstance(fault.spec, SOCKET_FAULTS):
            return
        for session in list(self.sessions):
            if fault.spec.account in (None, session.label) and not fault.is_used_up:
                _apply_fault(session, fault)
                if not fault.spec.is_state:
                    fault.count_use()


def _apply_fault(session: Session, fault: Fault[FaultSpec]) -> None:
    match fault.spec:
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
            session.set_deaf(deaf, fault)
