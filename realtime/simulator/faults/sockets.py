"""Faults of websockets: cut, refused, silent, deaf."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from realtime.simulator.faults.base import CloseCode, Seconds, SocketFault, Status

_NEVER_SENT = frozenset({1004, 1005, 1006, 1015})
_LAST_DEFINED, _FIRST_FREE = 1015, 3000


class Cut(SocketFault, frozen=True, kw_only=True, tag="cut"):
    """Cut every open socket now: TCP abort (the client sees 1006), or a close frame when `clean`.

    With `for_s` or `count`, sockets that begin to listen later are cut too.
    """

    is_one_shot: ClassVar[bool] = True
    clean: bool = False
    code: CloseCode = 1001

    def __post_init__(self) -> None:
        """Refuse codes that no close frame may carry (RFC 6455, 7.4)."""
        if self.code in _NEVER_SENT or _LAST_DEFINED < self.code < _FIRST_FREE:
            raise ValueError(f"no close frame can carry {self.code}; 1006 is a cut without `clean`")


class ErrorFrame(SocketFault, frozen=True, kw_only=True, tag="error_frame"):
    """Send {"action":"error",…} on every open socket now, then close it unless `close` is false."""

    is_one_shot: ClassVar[bool] = True
    message: str = "internal server error"
    close: bool = True


class SecondConnection(SocketFault, frozen=True, kw_only=True, tag="second_connection"):
    """Treatment of a second socket of an account: `refuse-429`, `both`, or `evict-oldest`.

    After an unclean disconnect the slot stays taken for `release_s` seconds.
    """

    is_state: ClassVar[bool] = True
    mode: Literal["refuse-429", "both", "evict-oldest"] = "refuse-429"
    release_s: Seconds = 3.0


class RefuseHandshake(SocketFault, frozen=True, kw_only=True, tag="refuse_handshake"):
    """Respond to the handshake with this HTTP `status` (429, 502, 503, 404 …) in place of 101."""

    status: Status = 429


class AfterUnauthorized(SocketFault, frozen=True, kw_only=True, tag="after_unauthorized"):
    """Treatment of an unauthorized socket: closed (1000) after `after_s` seconds, or kept."""

    is_state: ClassVar[bool] = True
    closes: bool = True
    after_s: Seconds = 5.0


class Msgpack(SocketFault, frozen=True, kw_only=True, tag="msgpack"):
    """Treatment of a client that requests MessagePack: JSON (`off`), or 415 (`refused`).

    The request is in the handshake, where only a key header names the account.
    """

    is_state: ClassVar[bool] = True
    mode: Literal["on", "off", "refused"] = "off"


class AuthSilent(SocketFault, frozen=True, kw_only=True, tag="auth_silent"):
    """Never respond to the authorization; the socket stays open and answers pings."""


class ListenSilent(SocketFault, frozen=True, kw_only=True, tag="listen_silent"):
    """Never acknowledge `listen`; with `events` true, events are still sent."""

    events: bool = False


class Deaf(SocketFault, frozen=True, kw_only=True, tag="deaf"):
    """Send no more events after `after_s` seconds and `after_events` events; respond to pings.

    `count` is a number of sockets: with count 1 the next socket receives events.
    """

    holds_sockets: ClassVar[bool] = True
    after_s: Seconds = 0.0
    after_events: Annotated[int, Meta(ge=0)] = 0


class TextFrames(SocketFault, frozen=True, kw_only=True, tag="text_frames"):
    """Send text frames, as real-money accounts reportedly get, instead of paper's binary ones."""

    is_state: ClassVar[bool] = True


class Maintenance(SocketFault, frozen=True, kw_only=True, tag="maintenance"):
    """Everything is down: sockets are cut (1006), handshakes and REST answer 503."""

    is_state: ClassVar[bool] = True


class KeyRevoked(SocketFault, frozen=True, kw_only=True, tag="key_revoked"):
    """The key is no longer valid: REST 401, socket `unauthorized`; if `cut`, close open sockets."""

    is_state: ClassVar[bool] = True
    cut: bool = True
    html: bool = False


FAULT_TYPES: tuple[type[SocketFault], ...] = (
    Cut, ErrorFrame, SecondConnection, RefuseHandshake, AuthSilent, ListenSilent, Deaf, TextFrames,
    Msgpack, Maintenance, KeyRevoked, AfterUnauthorized,
)  # fmt: skip
