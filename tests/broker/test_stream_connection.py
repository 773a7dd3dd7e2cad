"""Whatever arrives, in whatever pieces: the same as if websockets had parsed it."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.uri import parse_uri

from realtime.broker.stream_connection import CLOSE_FRAME_RECEIVED, StreamConnection

MAX_BYTES = 70_000


class Transport(asyncio.Transport):
    """Keeps what is written; a reader that is paused is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.paused = 0

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        self.sent += bytes(data)

    def write_eof(self) -> None:
        self.sent += b"<eof>"

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.sent += b"<closed>"

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.paused += 1

    def resume_reading(self) -> None:
        pass


class Parsed(ClientConnection):
    """What websockets does, with the same end."""

    def process_event(self, event: Event) -> None:
        super().process_event(event)
        if isinstance(event, Frame) and event.opcode is Opcode.CLOSE:
            self.recv_messages.put(Frame(Opcode.BINARY, CLOSE_FRAME_RECEIVED))


def connect(kind: type[ClientConnection], max_queue: int | None = None) -> ClientConnection:
    """An open connection of the kind, without a socket."""
    protocol = ClientProtocol(
        parse_uri("ws://broker.invalid"), state=State.OPEN, max_size=MAX_BYTES
    )
    connection = kind(protocol, max_queue=max_queue)
    connection.response = Response(101, "Switching Protocols", Headers())
    connection.connection_made(Transport())
    return connection


def frame(first: int, payload: bytes, *, form: int = 0, mask: bytes = b"") -> bytes:
    """A frame whose length is written in the shortest form or a longer one."""
    size, bit = len(payload), 0x80 if mask else 0
    if size < 126 and form == 0:
        head = bytes([first, bit | size])
    elif size < 65536 and form < 2:
        head = bytes([first, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + size.to_bytes(8, "big")
    return head + mask + payload


PAYLOADS = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([125, 126, 127, 128, 200, 65535, 65536, MAX_BYTES, MAX_BYTES + 1]).map(bytes),
)
WHOLE = st.builds(
    frame, st.sampled_from([0x81, 0x82]), PAYLOADS, form=st.sampled_from([0, 0, 0, 1, 2])
)
CONTROL = st.builds(frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=20))
FRAGMENTS = st.builds(
    lambda parts, pings: b"".join(
        frame((0x80 if at == len(parts) - 1 else 0) | (0x02 if at == 0 else 0x00), part) + ping
        for at, (part, ping) in enumerate(zip(parts, pings, strict=True))
    ),
    st.lists(st.binary(max_size=9), min_size=2, max_size=2),
    st.lists(
        st.sampled_from([b"", frame(0x89, b"?"), frame(0x82, b"odd")]), min_size=2, max_size=2
    ),
)
ODD = st.one_of(
    st.builds(frame, st.integers(0, 255), st.binary(max_size=9)),
    st.builds(frame, st.just(0x82), st.binary(max_size=200), mask=st.just(b"mask")),
    st.just(frame(0x88, (1000).to_bytes(2, "big") + b"bye")),
    st.binary(max_size=4),
)
STREAMS = st.lists(st.one_of(WHOLE, WHOLE, WHOLE, CONTROL, FRAGMENTS, ODD), max_size=8)


def summary(connection: ClientConnection) -> object:
    """Everything that can be seen of a connection."""
    assert isinstance(connection.transport, Transport)
    queue = connection.recv_messages.frames.queue
    return (
        [(item.opcode, bytes(item.data), item.fin) for item in queue],
        len(connection.transport.sent),  # masked at random, so not the bytes
        connection.protocol.state,
        connection.protocol.close_rcvd,
        type(connection.protocol.parser_exc),
    )


@given(STREAMS, st.lists(st.integers(1, 300), max_size=30), st.booleans())
def test_it_receives_what_websockets_would(
    stream: list[bytes], sizes: list[int], has_end: bool
) -> None:
    data = b"".join(stream)
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    pieces.append(data[at:])

    async def run() -> None:
        ours, theirs = connect(StreamConnection), connect(Parsed)
        for piece in filter(None, pieces):
            for connection in (ours, theirs):
                connection.data_received(piece)
        if has_end:
            for connection in (ours, theirs):
                connection.eof_received()
        assert summary(ours) == summary(theirs)

    asyncio.run(run())


async def test_ordinary_frames_are_not_parsed_by_websockets() -> None:
    """If a version of websockets is different inside, all still works, and this test fails."""
    connection = connect(StreamConnection)
    connection.data_received(frame(0x89, b"?"))
    assert isinstance(connection, StreamConnection)
    assert connection._is_direct
    connection.data_received(frame(0x82, b"one") + frame(0x81, b"two") + frame(0x82, b"three"))
    assert await connection.receive_messages(2) == [b"one", b"two"]
    assert await connection.receive_messages(2) == [b"three"]
    connection.data_received(frame(0x02, b"fo") + frame(0x89, b"?"))
    assert not connection._is_direct
    connection.data_received(frame(0x80, b"ur") + frame(0x82, b"five"))
    assert connection._is_direct
    assert await connection.receive_messages(9) == [b"four", b"five"]


async def test_a_full_queue_makes_the_broker_wait() -> None:
    connection = connect(StreamConnection, max_queue=4)
    connection.data_received(frame(0x89, b"?"))
    connection.data_received(frame(0x82, b"x") * 5)
    assert isinstance(connection.transport, Transport)
    assert connection.transport.paused == 1
    assert isinstance(connection, StreamConnection)
    assert await connection.receive_messages(9) == [b"x"] * 5
    assert not connection.recv_messages.paused


@pytest.mark.parametrize("is_split", [False, True])
async def test_a_masked_frame_is_an_error_at_once(is_split: bool) -> None:
    """Also while its payload has not arrived: a server must not mask (RFC 6455, 5.1)."""
    connection = connect(StreamConnection)
    connection.data_received(frame(0x89, b"?"))
    masked = frame(0x82, b"abc", mask=b"mask")
    connection.data_received(masked[:2] if is_split else masked)
    assert connection.protocol.state is State.CLOSING
