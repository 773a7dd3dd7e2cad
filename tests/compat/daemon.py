"""A daemon with market data on a thread of its own, in front of a simulator."""

import asyncio
import tempfile
from concurrent.futures import Future
from pathlib import Path
from random import Random
from threading import Thread
from types import TracebackType
from typing import Self

from realtime.config.settings import (
    AccountSettings,
    MarketSettings,
    OrdersSettings,
    ServerSettings,
    Settings,
)
from realtime.runtime.daemon import run_daemon
from realtime.runtime.environment import real_environment
from realtime.secret import Credentials, Secret
from tests.compat.broker import LIMIT_S, Broker

KEYS = Credentials(Secret("demo-alpha"), Secret("demo-secret-alpha"))


class MarketDaemon:
    """Use as a context manager; `url` is the base URL of REST, `stream_url` that of streams."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._ready: Future[int] = Future()
        self._thread = Thread(target=self._serve, name="daemon", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._leave: asyncio.Event
        self.url = ""

    @property
    def stream_url(self) -> str:
        """Base URL of the streams."""
        return self.url.replace("http", "ws")

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._ready.result(LIMIT_S)}"
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
            asyncio.run(self._run())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _run(self) -> None:
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        url = self._broker.url
        account = AccountSettings(label="alpha", trading_url=url, credentials=KEYS)
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                path=Path(folder) / "accounts.toml",
                accounts=(account,),
                server=ServerSettings(port=0),
                orders=OrdersSettings(audit_log=Path(folder) / "orders.jsonl"),
                market=MarketSettings(
                    account="alpha",
                    credentials=KEYS,
                    data_url=url,
                    stream_url=url.replace("http", "ws"),
                ),
            )
            async with run_daemon(settings, real_environment(Random(1))) as daemon:
                self._ready.set_result(daemon.port)
                await self._leave.wait()
