"""What waits for one client that does not keep up: pure, bounded, quotes conflated.

Of each symbol only the newest quote waits, at its own place in the order; everything else waits as
it came. Nothing is dropped silently: over the bound the owner refuses the client (407).
"""

from collections.abc import Iterable

from realtime.broker.market_codec import Element

MAX_BYTES = 4 * 2**20
"""Elements that may wait for one client. With the kernel's and the transport's buffers it stays
below 8 MiB."""

OVERHEAD_BYTES = 100
"""What an element takes in memory beside its bytes, counted as part of the bound."""


class ClientQueue:
    """Elements in the order in which they are sent."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self.conflated = 0
        """Quotes that a newer one replaced."""
        self._max_bytes = max_bytes
        self._elements: dict[object, Element] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._elements)

    @property
    def bytes(self) -> int:
        """What waits, with its overhead."""
        return self._bytes

    @property
    def is_full(self) -> bool:
        """Whether the client must be refused."""
        return self._bytes > self._max_bytes

    def add(self, elements: Iterable[Element]) -> None:
        """Append elements; a quote takes the place of the older one of its symbol."""
        for element in elements:
            key: object = element.symbol if element.kind == "q" else element
            older = self._elements.pop(key, None)
            if older is not None:
                self.conflated += 1
                self._bytes -= _size(older)
            self._elements[key] = element
            self._bytes += _size(element)

    def pop(self, max_bytes: int) -> list[Element]:
        """Remove and return the first elements, up to a size, at least one."""
        batch: list[Element] = []
        size = 0
        for element in self._elements.values():
            if batch and size + len(element.raw) > max_bytes:
                break
            batch.append(element)
            size += len(element.raw)
        for element in batch:
            del self._elements[element.symbol if element.kind == "q" else element]
            self._bytes -= _size(element)
        return batch

    def clear(self) -> None:
        """Remove everything."""
        self._elements.clear()
        self._bytes = 0


def _size(element: Element) -> int:
    return len(element.raw) + OVERHEAD_BYTES
