"""One of Alpaca's clients, at this daemon and directly at the simulator."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from yarl import URL

from realtime.config.settings import Settings
from realtime.core.state import LAG_S
from realtime.simulator.app import Simulator
from tests.api.orders.client import daemon
from tests.fleet import Fleet
from tests.virtual import nanosecond_clock, run

STEPS = 20
"""Steps of the exchange after which even an order in many parts is filled."""


class Reply(Struct, frozen=True):
    """A response as received."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # documents of every shape
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def source(self) -> str:
        """Where the answer comes from: `memory` or `upstream`."""
        return self.headers.get("X-Realtime-Source", "")


def keys(label: str) -> dict[str, str]:
    """The headers of an account's own pair."""
    return {"APCA-API-KEY-ID": f"demo-{label}", "APCA-API-SECRET-KEY": f"demo-secret-{label}"}


class Client(Struct, frozen=True):
    """Sends the same requests to either."""

    fleet: Fleet
    label: str = "alpha"

    async def here(self, method: str, target: str, body: object = None, **more: Any) -> Reply:
        """Send a request to the daemon; `target` is not changed."""
        url = f"http://127.0.0.1:{self.fleet.daemon.port}"
        return await self._send(url, method, target, body, more)

    async def there(self, method: str, target: str, body: object = None, **more: Any) -> Reply:
        """Send a request to the simulator."""
        return await self._send(self.fleet.simulator.url, method, target, body, more)

    async def _send(
        self, base: str, method: str, target: str, body: object, more: dict[str, Any]
    ) -> Reply:
        headers = {**keys(self.label), **more.pop("headers", {})}
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.fleet.http.request(
            method,
            URL(base + target, encoded=True),
            headers={name: value for name, value in headers.items() if value is not None},
            allow_redirects=False,
            **({} if body is None else content),
            **more,
        ) as response:
            return Reply(response.status, response.headers.copy(), await response.read())

    def at_broker(self) -> list[dict[str, object]]:
        """Every order that the exchange has of the account."""
        query = {"status": "all", "limit": "500"}
        return self.fleet.simulator.exchange.orders(self.label, query)

    def requests(self) -> int:
        """Requests that the simulator has counted for the account."""
        return self.fleet.requests(self.label)

    async def settle(self) -> None:
        """Fill what can be filled, and let the daemon read what that changed."""
        for _ in range(STEPS):
            self.fleet.simulator.step(prices_move=False)
        await asyncio.sleep(LAG_S + 1)
        await self.fleet.until(self.fleet.settled)


def trade(
    scene: Callable[[Client], Coroutine[Any, Any, None]],
    folder: Path,
    *,
    change: Callable[[Settings], Settings] = lambda s: s,
    requests_per_minute: int = 1_000_000,
) -> None:
    """Play a scene with a daemon of three accounts, in virtual time. Prices rest."""

    async def main() -> None:
        simulator = Simulator(
            accounts=3,
            clock=nanosecond_clock,
            step_s=None,
            market="open",
            requests_per_minute=requests_per_minute,
        )
        await simulator.start(port=8091)
        async with simulator, daemon(simulator, folder, change=change) as gateway:
            await scene(Client(gateway.fleet))

    run(main, limit_s=100_000.0)
