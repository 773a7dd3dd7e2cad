"""The newest frames of an owner, numbered: what a front that was cut off resumes from."""

from collections import deque
from itertools import islice

MAX_BYTES = 32 * 1024 * 1024
"""At 5000 changes per second of 2 kB: three seconds."""


class FeedBuffer:
    """Frames in a row. `head` is the number of the newest; numbers rise by one."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self.head = 0
        self.size_bytes = 0
        self._max_bytes = max_bytes
        self._frames: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, frame: bytes) -> None:
        """Add the frame with the next number."""
        self.head += 1
        self._frames.append(frame)
        self.size_bytes += len(frame)
        while self.size_bytes > self._max_bytes:
            self.size_bytes -= len(self._frames.popleft())

    def skip(self) -> None:
        """Give the next number to a frame that is not kept: nothing before it can be resumed."""
        self.clear()
        self.head += 1

    def clear(self) -> None:
        """Remove all frames."""
        self._frames.clear()
        self.size_bytes = 0

    def has_all_after(self, n: int) -> bool:
        """Whether the number was assigned and every later frame is still here."""
        return self.head - len(self._frames) <= n <= self.head

    def get_after(self, n: int, max_bytes: int) -> tuple[bytes, int]:
        """Frames after a number, about `max_bytes` of them, and the number of the last."""
        assert self.has_all_after(n), "check `has_all_after` first"
        parts: list[bytes] = []
        size = 0
        for frame in islice(self._frames, len(self._frames) - (self.head - n), None):
            parts.append(frame)
            size += len(frame)
            if size >= max_bytes:
                break
        return b"".join(parts), n + len(parts)
