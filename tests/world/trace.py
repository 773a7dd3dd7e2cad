"""Everything that happened in a world, in order, and its hash: equal for equal seeds."""

import asyncio
from collections import deque
from hashlib import sha256

KEPT = 60
"""Last lines kept for a person."""


class Trace:
    """Grows a line at a time; only the hash and the last lines are kept."""

    def __init__(self, *, keep: int | None = KEPT) -> None:
        self._hash = sha256()
        self.lines: deque[str] = deque(maxlen=keep)
        self.count = 0

    def add(self, what: str) -> None:
        """Write down what happens now."""
        line = f"{asyncio.get_running_loop().time():11.6f} {what}"
        self._hash.update(line.encode())
        self.lines.append(line)
        self.count += 1

    @property
    def digest(self) -> str:
        """The hash of all lines so far."""
        return self._hash.hexdigest()[:32]
