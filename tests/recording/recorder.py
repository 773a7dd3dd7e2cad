"""Records frames and responses of one account, without secrets and identities.

Uses nothing of the daemon: it writes what the broker sent. With `trades=True` it also places
a few small orders, so that the recording has every ordinary event; that is refused for an address
that is neither a paper account's nor this machine's.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from tests.recording.sanitizer import Sanitizer, line

SAFE_HOSTS = frozenset({"paper-api.alpaca.markets", "127.0.0.1", "localhost", "::1"})
CALL_S = 20.0
"""Limit of one request, of the handshake and of the acknowledgements."""

READS = (
    "/v2/account",
    "/v2/positions",
    "/v2/orders?status=all&limit=500&nested=true&direction=desc",
    "/v2/account/activities/FILL?page_size=100&direction=desc",
    "/v2/account/portfolio/history?period=1D&timeframe=15Min",
    "/v2/clock",
)


class Recorder:
    """One recording. `step` is called after each order: it lets a simulator trade, or waits."""

    def __init__(
        self, url: str, key_id: str, secret_key: str, *, step: Callable[[], object] | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._keys = {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret_key}
        self._step = step or (lambda: None)
        self._sanitizer = Sanitizer(key_id, secret_key)
        self._entries: list[dict[str, Any]] = []

    async def record(self, seconds: float, *, trades: bool = False) -> list[str]:
        """Record for a time; returns the lines. Raises `ValueError` if a secret would remain."""
        host = urlsplit(self._url).hostname
        if trades and host not in SAFE_HOSTS:
            raise ValueError(
                f"{host} is not a paper account: orders are refused; leave out --trade"
            )
        async with (
            aiohttp.ClientSession(
                headers=self._keys, timeout=aiohttp.ClientTimeout(total=CALL_S)
            ) as http,
            self._stream() as stream,
        ):
            await self._read(http)
            reader = asyncio.create_task(self._frames(stream))
            try:
                if trades:
                    await self._trade(http)
                await asyncio.sleep(seconds)
            finally:
                reader.cancel()
            await self._read(http)
        return [self._sanitizer.check(line(self._sanitizer.sanitize(e))) for e in self._entries]

    @asynccontextmanager
    async def _stream(self) -> AsyncIterator[ClientConnection]:
        address = self._url.replace("http", "ws", 1) + "/stream"
        async with connect(address, open_timeout=CALL_S, close_timeout=1) as stream:
            key_id, secret_key = self._keys.values()
            await stream.send(json.dumps({"action": "auth", "key": key_id, "secret": secret_key}))
            self._add_frame(await asyncio.wait_for(stream.recv(), CALL_S))
            listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
            await stream.send(json.dumps(listen))
            self._add_frame(await asyncio.wait_for(stream.recv(), CALL_S))
            yield stream

    async def _frames(self, stream: ClientConnection) -> None:
        async for frame in stream:
            self._add_frame(frame)

    def _add_frame(self, frame: str | bytes) -> None:
        self._entries.append({"kind": "frame", "body": json.loads(frame)})

    async def _read(self, http: aiohttp.ClientSession) -> None:
        for path in READS:
            await self._request(http, "GET", path)

    async def _request(
        self, http: aiohttp.ClientSession, method: str, path: str, body: object = None
    ) -> Any:
        async with http.request(method, self._url + path, json=body) as response:
            text = await response.text()
        value = json.loads(text) if text else None
        entry = {"kind": "rest", "method": method, "path": path, "status": response.status}
        self._entries.append({**entry, "body": value})
        return value

    async def _trade(self, http: aiohttp.ClientSession) -> None:
        """Market, limit with replace and cancel, bracket with cancel, and a rejected order."""
        market = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market"}
        limit = {**market, "type": "limit", "limit_price": "10"}
        bracket = {
            **limit,
            "order_class": "bracket",
            "take_profit": {"limit_price": "20"},
            "stop_loss": {"stop_price": "5"},
        }
        for order in (market, limit, bracket, {**market, "qty": "100000000"}):
            placed = await self._request(
                http, "POST", "/v2/orders", {**order, "time_in_force": "day"}
            )
            self._step()
            if order is limit:
                path = f"/v2/orders/{placed['id']}"
                placed = await self._request(http, "PATCH", path, {"limit_price": "11"})
                self._step()
            if order in (limit, bracket):
                await self._request(http, "DELETE", f"/v2/orders/{placed['id']}")
                self._step()


def write(path: Path, lines: list[str]) -> None:
    """Write a recording."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
