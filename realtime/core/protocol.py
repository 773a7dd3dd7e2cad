"""The trading stream's conversation, without a socket.

`advance(stage, message)` says what a message means at a stage: the next stage, what to send, what
happened. The shell in `alpaca.stream` moves the bytes and watches the clock.

Theory. The server says nothing first. We authorize, it answers once; we ask to listen, it answers
with the whole set of streams. Events may come from then on, and are tolerated before. The socket
has no sequence, no replay and no word that we are up to date: that is what snapshots are for.

Source: Alpaca "Websocket streaming"; behaviour of alpaca-py 0.44 and apca for what is not written.
"""

from typing import Literal

from msgspec import Struct

from realtime.core.model import TradeUpdate

STREAM = "trade_updates"

Stage = Literal["authorizing", "subscribing", "listening", "closed"]
Request = Literal["authorize", "listen"]


class Authorization(Struct, frozen=True):
    """Answer to our authorization, or to a `listen` the server did not like."""

    status: str = ""
    action: str = ""
    message: str = ""


class Listening(Struct, frozen=True):
    """The whole set of streams we are subscribed to."""

    streams: tuple[str, ...] = ()
    error: str = ""


class BrokerFault(Struct, frozen=True):
    """`{"action": "error"}`: the server is about to close."""

    message: str = ""


class Unreadable(Struct, frozen=True):
    """A frame that may have been an event, and cannot be read: something was missed."""

    reason: str
    raw: bytes


class Ignored(Struct, frozen=True):
    """A frame that is none of our business."""

    reason: str


Message = Authorization | Listening | BrokerFault | Unreadable | Ignored | TradeUpdate


class Step(Struct, frozen=True):
    """What a message led to."""

    stage: Stage
    send: Request | None = None
    refused: str | None = None
    """Why the credentials were refused: final for this key."""
    failed: str | None = None
    """Why the session is over although the credentials are good: try again later."""


def begin() -> Step:
    """The socket is open: authorize."""
    return Step("authorizing", send="authorize")


def advance(stage: Stage, message: Message) -> Step:
    """What `message` means at `stage`. Anything unexpected leaves the stage as it is."""
    match message:
        case Authorization(status="authorized"):
            return Step("subscribing", send="listen") if stage == "authorizing" else Step(stage)
        case Authorization():
            return Step("closed", refused=message.message or message.status or "unauthorized")
        case Listening(error=error) if error:
            return Step("closed", failed=error)
        case Listening(streams=streams) if STREAM in streams:
            return Step("listening" if stage == "subscribing" else stage)
        case Listening() if stage in ("subscribing", "listening"):
            return Step("closed", failed=f"the broker does not send {STREAM}")
        case BrokerFault():
            return Step("closed", failed=message.message or "the broker reported an error")
        case _:
            return Step(stage)
