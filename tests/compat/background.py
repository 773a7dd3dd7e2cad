"""A server on a thread and an event loop of its own: clients that block their caller use it."""

import asyncio
from abc import ABC, abstractmethod
from concurrent.futures import Future
from threading import Thread
from types import TracebackType
from typing import Self

LIMIT_S = 30.0


class Background(ABC):
    """Use as a context manager, which begins when the server is ready and ends with it."""

    def __init__(self, name: str) -> None:
        self._ready: Future[None] = Future()
        self._thread = Thread(target=self._serve, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._leave: asyncio.Event

    @abstractmethod
    async def live(self) -> None:
        """Start, call `serve_until_left`, and stop."""

    async def serve_until_left(self) -> None:
        """Let the caller continue, and wait until it leaves the context."""
        self._ready.set_result(None)
        await self._leave.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.result(LIMIT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join(LIMIT_S)

    def _serve(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _live(self) -> None:
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        await self.live()
