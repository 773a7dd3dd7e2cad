"""A trading stream against real sockets: messages, errors, and limits of every wait."""

import asyncio
import http
import json
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response

from realtime.broker import trading_stream as stream_module
from realtime.broker.socket_connect import CLOSE_TIMEOUT_S, OPEN_TIMEOUT_S
from realtime.broker.trading_stream import (
    AUTHORIZE_TIMEOUT_S,
    FRAMES_PER_TURN,
    MAX_EARLY_MESSAGES,
    TradingStream,
)
from realtime.core.model import TradeUpdate
from realtime.core.protocol import Ignored, Unreadable
from realtime.errors import ConnectionLimitReached, KeyRejected, LinkError, RealtimeError
from tests.broker.brokers import (
    KEYS,
    enter,
    greet,
    listening_stream,
    open_stream,
    raw_broker,
    shake_hands,
    stream_broker,
    tells,
)
from tests.broker.samples import AUTHORIZED, FAULT, FILL, LISTENING, UNAUTHORIZED, frame, update
from tests.virtual import run

PORT = 8091
"""A port of a virtual loop's own world."""


async def test_events() -> None:
    """Authorized and listening, events arrive in order, in binary frames and in text."""
    heard = []

    async def script(socket: ServerConnection) -> None:
        heard.append(await socket.recv())
        await socket.send(AUTHORIZED)
        heard.append(await socket.recv())
        await socket.send(LISTENING)
        await socket.send(FILL)
        await socket.send(frame(update(event="new")).decode())
        await socket.send(b"?")
        await socket.send(frame(None))
        await socket.wait_closed()

    async with stream_broker(script) as url, listening_stream(url) as stream:
        first, second = await stream.receive(), await stream.receive()
        assert isinstance(first, TradeUpdate)
        assert isinstance(second, TradeUpdate)
        assert (first.event, second.event) == ("fill", "new")
        assert isinstance(await stream.receive(), Unreadable)
        assert isinstance(await stream.receive(), Ignored)
    assert [json.loads(decode_text)["action"] for decode_text in heard] == ["auth", "listen"]
    assert all(isinstance(decode_text, str) for decode_text in heard)


async def test_events_before_the_ack() -> None:
    """Events before the listen ack are kept and returned first, in order."""
    early = [frame(update(event=name)) for name in ("new", "partial_fill")]

    async def script(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(early[0])
        await socket.send(AUTHORIZED)
        await socket.recv()
        await socket.send(early[1])
        await socket.send(LISTENING)
        await socket.send(FILL)
        await socket.wait_closed()

    async with stream_broker(script) as url, listening_stream(url) as stream:
        told = [await stream.receive() for _ in range(3)]
    assert [m.event for m in told if isinstance(m, TradeUpdate)] == ["new", "partial_fill", "fill"]


async def test_too_many_before_the_ack() -> None:
    """What is kept is bounded."""

    async def script(socket: ServerConnection) -> None:
        await socket.recv()
        for _ in range(MAX_EARLY_MESSAGES + 1):
            await socket.send(b"{}")
        await socket.wait_closed()

    async with stream_broker(script) as url, open_stream(url) as stream:
        with pytest.raises(LinkError, match=f"more than {MAX_EARLY_MESSAGES}"):
            await stream.authorize(KEYS)


def answers(*frames: bytes) -> Callable[[ServerConnection], Awaitable[None]]:
    """Answer each message with a frame, then stay silent."""

    async def script(socket: ServerConnection) -> None:
        for sent in frames:
            await socket.recv()
            await socket.send(sent)
        await socket.wait_closed()

    return script


LIMIT = b'{"action":"error","data":{"error_message":"connection limit exceeded"}}'
REFUSED_LISTEN = frame({"status": "unauthorized", "action": "listen"}, "authorization")


@pytest.mark.parametrize(
    ("script", "expected", "word"),
    [
        (answers(UNAUTHORIZED), KeyRejected, "access key verification failed"),
        (answers(AUTHORIZED, REFUSED_LISTEN), KeyRejected, "unauthorized"),
        (answers(FAULT), LinkError, "internal server error"),
        (answers(AUTHORIZED, FAULT), LinkError, "internal server error"),
        (answers(AUTHORIZED, frame({"streams": []}, "listening")), LinkError, "trade_updates"),
        (answers(AUTHORIZED, frame({"error": "taken"}, "listening")), LinkError, "taken"),
        (answers(LIMIT), ConnectionLimitReached, "connection limit exceeded"),
    ],
)
async def test_each_failed_authorization_has_its_error(
    script: Callable[[ServerConnection], Awaitable[None]],
    expected: type[RealtimeError],
    word: str,
) -> None:
    """Only a rejected key is `KeyRejected`."""
    async with stream_broker(script) as url, open_stream(url) as stream:
        with pytest.raises(expected, match=word) as caught:
            await enter(stream)
    assert type(caught.value) is expected
    assert bool(caught.value.remedy) == (expected is not LinkError)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "about"),
    [((), "authorization"), ((AUTHORIZED,), "listen"), ((b"{}", b"{}"), "authorization")],
)
def test_no_answer(told: tuple[bytes, ...], about: str) -> None:
    """A broker that accepts and never answers fails after ten seconds."""

    async def main() -> float:
        async with stream_broker(answers(*told), port=PORT) as url, open_stream(url) as stream:
            start = asyncio.get_running_loop().time()
            with pytest.raises(LinkError, match=f"no answer to {about} within 10 s"):
                await enter(stream)
            return asyncio.get_running_loop().time() - start

    assert run(main) == pytest.approx(AUTHORIZE_TIMEOUT_S, abs=0.1)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (429, ConnectionLimitReached),
        (406, ConnectionLimitReached),
        (401, LinkError),
        (403, LinkError),
        (302, LinkError),
        (404, LinkError),
        (502, LinkError),
        (503, LinkError),
    ],
)
async def test_each_failed_handshake_has_its_error(
    status: int, expected: type[RealtimeError]
) -> None:
    """A handshake carries no key, so no status rejects it; no redirect is followed."""
    requests = []

    def reject(_: ServerConnection, request: Request) -> Response:
        requests.append(request.path)
        headers = Headers({"Location": "/elsewhere", "Content-Length": "0"})
        headers["retry-after"] = "7"
        headers["Retry-After"] = "9"
        return Response(status, http.HTTPStatus(status).phrase, headers)

    async with stream_broker(tells(), gatekeeper=reject) as url:
        with pytest.raises(expected, match=str(status)) as caught:
            await TradingStream.connect(url, ssl_context=None)
    assert type(caught.value) is expected
    assert requests == ["/stream"]
    if isinstance(caught.value, ConnectionLimitReached):
        assert caught.value.retry_after_s == 7
        assert "another program" in caught.value.remedy
    else:
        assert isinstance(caught.value, LinkError)
        assert caught.value.status == status
        # No key was sent: whatever answered so is not the broker's account service.
        assert ("gateway" in caught.value.remedy) == (status < 500)


@pytest.mark.parametrize(
    "said",
    [b"", b"\x00\x01", b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 101 x\r\n\r\n"],
)
async def test_no_websocket_there(said: bytes) -> None:
    """Any other answer than a websocket is a link error."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with raw_broker(speak) as address:
        with pytest.raises(LinkError):
            await TradingStream.connect(f"ws://{address}/stream", ssl_context=None)


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/stream", "ws://no-such-host.invalid/stream"])
async def test_no_server(url: str) -> None:
    with pytest.raises(LinkError, match="cannot connect"):
        await TradingStream.connect(url, ssl_context=None)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ws://", "ws://" + "a" * 70 + ".x/", "x"])
async def test_no_address(url: str) -> None:
    """A wrong address is an error of ours."""
    with pytest.raises(LinkError):
        await TradingStream.connect(url, ssl_context=None)


def test_silent_handshake() -> None:
    """A host that accepts and never answers fails after ten seconds."""

    async def speak(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def main() -> float:
        async with raw_broker(speak, port=PORT) as address:
            with pytest.raises(LinkError, match="no websocket within 10 s"):
                await TradingStream.connect(f"ws://{address}/stream", ssl_context=None)
            return asyncio.get_running_loop().time()

    assert run(main) == pytest.approx(OPEN_TIMEOUT_S, abs=0.1)


def test_no_pong() -> None:
    """A dead connection is detected within half a minute."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        await reader.read()

    async def main() -> float:
        async with (
            raw_broker(speak, port=PORT) as address,
            open_stream(f"ws://{address}/stream") as stream,
        ):
            with pytest.raises(LinkError, match="1011"):
                await stream.receive()
            return asyncio.get_running_loop().time()

    assert run(main) < 40


async def ends_with(
    finish: Callable[[ServerConnection], Awaitable[None]],
) -> RealtimeError:
    """What `receive` raises after a fill, when the broker finishes so."""

    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.send(FILL)
        await finish(socket)

    async with stream_broker(script) as url, listening_stream(url) as stream:
        assert isinstance(await stream.receive(), TradeUpdate)
        with pytest.raises(RealtimeError) as caught:
            await stream.receive()
        return caught.value


async def test_cut() -> None:
    """A cut without a close frame is 1006."""

    async def cut(socket: ServerConnection) -> None:
        socket.transport.abort()

    error = await ends_with(cut)
    assert isinstance(error, LinkError)
    assert error.code == 1006
    assert str(error) == "connection closed (1006)"


def test_close_frame_ends_the_stream_before_the_connection_ends() -> None:
    """Frames before it are received; nothing that follows it would be an event."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        await reader.read(1000)
        writer.write(Frame(Opcode.BINARY, AUTHORIZED).serialize(mask=False))
        await reader.read(1000)
        close = Frame(Opcode.CLOSE, Close(1012, "restart").serialize())
        for part in (Frame(Opcode.BINARY, LISTENING), Frame(Opcode.BINARY, FILL), close):
            writer.write(part.serialize(mask=False))
        await reader.read()

    async def main() -> tuple[str, float]:
        async with raw_broker(speak, port=PORT) as address:
            stream = await TradingStream.connect(f"ws://{address}/stream", ssl_context=None)
            await enter(stream)
            assert isinstance(await stream.receive(), TradeUpdate)
            with pytest.raises(LinkError) as caught:
                await stream.receive()
            ended_at = asyncio.get_running_loop().time()
            await stream.close()
            return str(caught.value), ended_at

    error, ended_at = run(main)
    assert error == "connection closed (1012: restart)"
    assert ended_at < 0.1


async def test_close_code_and_reason_are_reported() -> None:
    error = await ends_with(lambda socket: socket.close(1012, "restart"))
    assert isinstance(error, LinkError)
    assert str(error) == "connection closed (1012: restart)"


@pytest.mark.parametrize(
    ("last", "expected"),
    [(UNAUTHORIZED, KeyRejected), (FAULT, LinkError), (REFUSED_LISTEN, KeyRejected)],
)
async def test_rejection_or_fault_while_listening(
    last: bytes, expected: type[RealtimeError]
) -> None:
    """A key that is revoked while we listen is rejected; an announced fault ends the link."""
    assert type(await ends_with(lambda socket: socket.send(last))) is expected


async def test_frame_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame beyond the security limit ends the link and is not read."""
    monkeypatch.setattr(stream_module, "MAX_FRAME_BYTES", 4096)
    error = await ends_with(lambda socket: socket.send(b" " * 5000))
    assert isinstance(error, LinkError)
    assert error.code == 1009


async def test_many_frames_do_not_block_other_tasks() -> None:
    """Other tasks run after a few frames, however many are waiting."""
    given, seen = 0, [0]

    async def watch() -> None:
        while True:
            seen.append(given)
            await asyncio.sleep(0)

    async with stream_broker(tells(*[FILL] * 300)) as url, listening_stream(url) as stream:
        watching = asyncio.create_task(watch())
        while given < 300:
            await stream.receive()
            given += 1
        watching.cancel()
    assert max(later - sooner for sooner, later in pairwise(seen)) <= FRAMES_PER_TURN


async def test_receive_may_be_cancelled() -> None:
    """Cancelling `receive` loses no frame."""
    go = asyncio.Event()

    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        await go.wait()
        await socket.send(FILL)
        await socket.wait_closed()

    async with stream_broker(script) as url, listening_stream(url) as stream:
        waiting = asyncio.create_task(stream.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go.set()
        assert isinstance(await stream.receive(), TradeUpdate)


async def test_close_is_idempotent() -> None:
    """Closing twice, or what is gone already, is fine; afterwards there is a link error."""
    gone = asyncio.Event()

    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.wait_closed()
        gone.set()

    async with stream_broker(script) as url, listening_stream(url) as stream:
        await stream.close()
        await gone.wait()
        await stream.close()
        with pytest.raises(LinkError):
            await stream.receive()


def test_close_is_bounded() -> None:
    """A broker that does not answer the closing handshake is aborted."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        await reader.read()

    async def main() -> float:
        async with raw_broker(speak, port=PORT) as address:
            stream = await TradingStream.connect(f"ws://{address}/stream", ssl_context=None)
            await stream.close()
            return asyncio.get_running_loop().time()

    assert run(main) <= CLOSE_TIMEOUT_S + 0.1


async def test_close_with_much_unread() -> None:
    """Closing discards unread frames."""

    async def script(socket: ServerConnection) -> None:
        await greet(socket)
        for _ in range(3000):
            await socket.send(FILL)
        await socket.wait_closed()

    async with stream_broker(script) as url, listening_stream(url) as stream:
        await stream.receive()
        async with asyncio.timeout(CLOSE_TIMEOUT_S / 2):
            await stream.close()


async def test_cancelled_close_cuts() -> None:
    """A cancelled close still closes the socket."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        await reader.read()
        gone.set()

    gone = asyncio.Event()
    async with raw_broker(speak) as address:
        stream = await TradingStream.connect(f"ws://{address}/stream", ssl_context=None)
        closing = asyncio.create_task(stream.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await gone.wait()
