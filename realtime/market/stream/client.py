"""One client of a stream: what it has subscribed, and what waits for it.

While the client keeps up, the frames of its group are written to its connection directly. If bytes
stay unsent, elements wait in a bounded queue, where quotes are conflated; `flush` sends them once
the client has read. A client whose queue is full is refused with 407, and no other one notices.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

from realtime.broker.market_codec import Element
from realtime.market.stream.channels import Pairs
from realtime.market.stream.client_queue import ClientQueue
from realtime.market.stream.formats import Codec, encode_elements

MAX_UNSENT_BYTES = 64 * 1024
"""Unsent bytes in the transport before elements wait in the queue."""

CHUNK_BYTES = 64 * 1024
"""One frame of waiting elements."""

SLOW_CLIENT = 407


class ClientPort(Protocol):
    """A client's connection."""

    def write(self, frames: bytes) -> None:
        """Write complete frames; never waits."""

    def unsent_bytes(self) -> int:
        """What the client has not read yet, as far as this process knows."""

    def wake(self) -> None:
        """Something waits: call `flush` of the clients once the client has read."""

    def refuse(self, code: int) -> None:
        """Send an error and close."""

    def close(self) -> None:
        """Close without an error: the daemon stops."""


class Batch:
    """Elements for one group of clients; encoded at most once."""

    def __init__(self, elements: list[Element], codec: Codec, *, has_seq: bool) -> None:
        self.elements = elements
        self._codec = codec
        self._has_seq = has_seq

    @cached_property
    def frames(self) -> bytes:
        """The frames of the batch."""
        return encode_elements(self.elements, self._codec, has_seq=self._has_seq)


class StreamClient:
    """One client's place on one stream."""

    def __init__(
        self,
        port: ClientPort,
        codec: Codec,
        *,
        is_resumable: bool = False,
        is_internal: bool = False,
    ) -> None:
        self.port = port
        self.codec: Codec = codec
        self.is_resumable = is_resumable
        """Whether it asked for numbers, gap and link messages."""
        self.is_internal = is_internal
        """Whether it is the daemon's own, for which names are reserved."""
        self.pairs: Pairs = frozenset()
        self.since: dict[tuple[str, str], int] = {}
        """Subscription → the number of the newest element when it began."""
        self.queue = ClientQueue()
        self.is_refused = False

    def send(self, elements: Sequence[Element]) -> None:
        """Send elements to this client alone."""
        if elements:
            batch = Batch(list(elements), self.codec, has_seq=self.is_resumable)
            self.deliver(batch)

    def deliver(self, batch: Batch) -> None:
        """Write a batch, or let its elements wait."""
        if self.is_refused:
            return
        if not self.queue and self.port.unsent_bytes() < MAX_UNSENT_BYTES:
            self.port.write(batch.frames)
            return
        self.queue.add(batch.elements)
        if self.queue.is_full:
            self.is_refused = True
            self.queue.clear()
            self.port.refuse(SLOW_CLIENT)
        else:
            self.port.wake()

    def flush(self) -> bool:
        """Write what waits while there is room; return whether nothing is left."""
        while self.queue and self.port.unsent_bytes() < MAX_UNSENT_BYTES:
            elements = self.queue.pop(CHUNK_BYTES)
            self.port.write(encode_elements(elements, self.codec, has_seq=self.is_resumable))
        return not self.queue
