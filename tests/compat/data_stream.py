"""alpaca-py's data streams, unmodified, in a thread: elements one by one."""

from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import Any, Self

from tests.compat.background import LIMIT_S
from tests.compat.broker import Broker

STEPS = 100


class RunningStream:
    """A data stream that puts its elements into a queue; use as a context manager."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.elements: Queue[Any] = Queue()
        self._thread = Thread(target=stream.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.stop()
        self._thread.join(LIMIT_S)

    async def put(self, element: Any) -> None:
        """Add an element: the handler of subscriptions."""
        self.elements.put(element)

    def next(self, kind: str) -> Any:
        """The next element of a model."""
        while True:
            element = self.elements.get(timeout=LIMIT_S)
            if type(element).__name__ == kind:
                return element

    def step_until(self, broker: Broker, kind: str, symbol: str) -> Any:
        """Step the exchange until the stream has an element of a symbol; return it."""
        for _ in range(STEPS):
            broker.step()
            with suppress(Empty):
                while True:
                    element = self.elements.get(timeout=0.05)
                    if (type(element).__name__, element.symbol) == (kind, symbol):
                        return element
        raise AssertionError(f"no {kind} of {symbol}")

    def wait_ended(self) -> None:
        """Wait until the SDK has given up."""
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive(), "it still tries"
