"""A server of made-up accounts in a thread of its own, for a client that blocks."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from realtime.api.app import build_application
from realtime.api.documents.documents import Documents
from realtime.api.listener import serve
from realtime.web.files import PAGES
from tests.api.documents.made import NOW, fleet
from tests.api.reader import Clock

LIMIT_S = 30.0


class Served(threading.Thread):
    """The server; `stop` ends it."""

    def __init__(self) -> None:
        super().__init__(name="server")
        self.port = 0
        self.ready = threading.Event()
        self._stop_asked = asyncio.Event()
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = build_application(
            fleet(), Documents(), clock=Clock(), version="1.2.3", started_at=NOW - 60, pages=PAGES
        )
        async with serve(app, "127.0.0.1", 0) as self.port:
            self.ready.set()
            await self._stop_asked.wait()

    def stop(self) -> None:
        """End it, and wait until it has."""
        self._loop.call_soon_threadsafe(self._stop_asked.set)
        self.join(LIMIT_S)


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    """Where the server listens."""
    served = Served()
    served.start()
    assert served.ready.wait(LIMIT_S)
    yield served.port
    served.stop()
