"""A daemon with market data on a thread of its own, in front of a simulator."""

import tempfile
from pathlib import Path
from random import Random

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
from tests.compat.background import Background
from tests.compat.broker import Broker

KEYS = Credentials(Secret("demo-alpha"), Secret("demo-secret-alpha"))


class MarketDaemon(Background):
    """Use as a context manager; `url` is the base URL of REST, `stream_url` that of streams."""

    def __init__(self, broker: Broker) -> None:
        super().__init__("daemon")
        self._broker = broker
        self.url = ""

    @property
    def stream_url(self) -> str:
        """Base URL of the streams."""
        return self.url.replace("http", "ws")

    async def live(self) -> None:
        """Run the daemon."""
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
                self.url = f"http://127.0.0.1:{daemon.port}"
                await self.serve_until_left()
