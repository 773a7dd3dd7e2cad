"""The websocket of a trading stream: several messages of one read, without a coroutine for each.

websockets parses byte by byte through generators and hands out one message at a time, which costs
more than decoding it. Nearly every frame of the broker is a whole message (FIN, no extension, not
masked), so those are split here, and everything else is passed to websockets as it came: control
frames, fragments, whatever breaks the protocol.
"""

import logging
from types import GeneratorType
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

WIRE_LOGGER = logging.getLogger("realtime.wire")
"""For websockets, which writes every frame to its logger at level DEBUG, also the one with the
key: a program that uses the library must not find it in its log."""
WIRE_LOGGER.setLevel(logging.INFO)

CLOSE_FRAME_RECEIVED = b"close frame"
"""Takes the place of the close frame among the data frames. It is no JSON, so no event is like it;
a broker that sends it ends the session, too."""

_OPCODES = {0x81: Opcode.TEXT, 0x82: Opcode.BINARY}
"""First byte of a frame that is a whole message (RFC 6455 section 5.2) → its opcode."""


class StreamConnection(ClientConnection):
    """Splits whole messages itself, and ends with the broker's close frame.

    The base class ends `recv` with the TCP connection, up to its `close_timeout` later, although
    nothing follows a close frame (RFC 6455, 5.5.1): events of that time would be missing without a
    mark.
    """

    _is_direct = False
    """Whether websockets has been passed complete frames only, so the next byte begins one."""
    _max_bytes = 0
    """Limit of a message."""
    _partial = b""
    """The start of a frame whose rest has not arrived."""

    def data_received(self, data: bytes) -> None:
        """Put whole messages into the queue; pass all other bytes to websockets, in their order."""
        if not self._is_direct:
            super().data_received(data)
            self._max_bytes = getattr(self.protocol, "max_message_size", None) or 0
            self._is_direct = self._max_bytes > 0 and self._is_between_frames()
            return
        if self._partial:
            data, self._partial = self._partial + data, b""
        start, size = 0, len(data)
        while size - start >= 2:
            opcode, length, header = _OPCODES.get(data[start]), data[start + 1], 2
            if length in (126, 127):
                header = 4 if length == 126 else 10
                if size - start < header:
                    break
                length = int.from_bytes(data[start + 2 : start + header], "big")
            is_masked = header == 2 and length > 127
            if is_masked or length > self._max_bytes:
                self._give_up(data[start:])
                return
            end = start + header + length
            if end > size:
                break
            if opcode is not None:
                self.recv_messages.put(Frame(opcode, data[start + header : end]))
            else:
                super().data_received(data[start:end])
                if not self._is_between_frames():
                    self._give_up(data[end:])
                    return
            start = end
        self._partial = data[start:]

    def eof_received(self) -> None:
        """Pass on what is left of a frame, for the error that it deserves."""
        self._give_up(b"")
        super().eof_received()

    def process_event(self, event: Event) -> None:
        super().process_event(event)
        if isinstance(event, Frame) and event.opcode is Opcode.CLOSE:
            self.recv_messages.put(Frame(Opcode.BINARY, CLOSE_FRAME_RECEIVED))

    async def receive_messages(self, max_messages: int) -> list[bytes]:
        """Return the messages that have arrived, at least one. Cancelling loses none.

        Raises `ConnectionClosed` after the last.
        """
        queue = self.recv_messages.frames.queue
        messages = []
        if not (queue and queue[0].fin):
            messages.append(await self.recv(decode=False))
        while queue and queue[0].fin and len(messages) < max_messages:
            messages.append(bytes(queue.popleft().data))
        self.recv_messages.maybe_resume()
        return messages

    def _give_up(self, rest: bytes) -> None:
        """Pass bytes to websockets, and from now on all that arrive, until it is between frames."""
        self._is_direct = False
        rest, self._partial = self._partial + rest, b""
        if rest:
            self.data_received(rest)

    def _is_between_frames(self) -> bool:
        """Whether the connection is open and all frames that began are complete, as is the message
        of several frames. If websockets changes inside, False: then it parses everything."""
        protocol = self.protocol
        if protocol.state is not State.OPEN or protocol.extensions or protocol.reader.buffer:
            return False
        parser: Any = protocol.parser  # Any: the type of what it delegates to is unknown
        while isinstance(inner := parser.gi_yieldfrom, GeneratorType):
            parser = inner
        return parser.gi_code.co_name == "at_eof" and getattr(protocol, "current_size", 0) is None
