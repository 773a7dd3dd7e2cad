"""A daemon, a simulator and a client that trades over HTTP, in virtual time."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct, structs

from realtime.config.settings import OrdersSettings, Settings
from realtime.runtime.daemon import run_daemon
from realtime.simulator.app import Simulator
from tests.fleet import Fleet, settings_for
from tests.orders.trading import broker
from tests.virtual import run, world

MARKET = {"type": "market", "time_in_force": "day"}


class Reply(Struct, frozen=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    json: Any  # documents of every shape


class Trader(Struct, frozen=True):
    """Sends requests to the daemon."""

    fleet: Fleet

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Any request; header names are written with underscores."""
        url = f"http://127.0.0.1:{self.fleet.daemon.port}{path}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.fleet.http.request(method, url, json=body, headers=sent) as answer:
            text = await answer.text()
            document = await answer.json(content_type=None) if text else None
            return Reply(answer.status, answer.headers, document)

    async def order(self, account_id: str | None = "alpha", **more: object) -> Reply:
        """A market order for one share of AAPL, or what is said; capital words are headers."""
        headers = {name: str(more.pop(name)) for name in list(more) if name[0].isupper()}
        body = {"symbol": "AAPL", "qty": "1", "side": "buy", **MARKET, **more}
        named = {} if account_id is None else {"account_id": account_id}
        return await self.ask("POST", "/orders", {**body, **named}, **headers)

    def at_broker(self, label: str) -> list[dict[str, object]]:
        """Every order that the exchange has of an account."""
        return self.fleet.simulator.exchange.orders(label, {"status": "all", "limit": "500"})


Change = Callable[[Settings], Settings]


@asynccontextmanager
async def daemon(
    simulator: Simulator, folder: Path, *, seed: int = 1, change: Change = lambda s: s
) -> AsyncIterator[Trader]:
    """A daemon of the simulator's accounts, all live; its audit log is in the folder."""
    settings = settings_for(simulator, list(simulator.exchange.labels), {})
    settings = structs.replace(settings, orders=OrdersSettings(audit_log=folder / "orders.jsonl"))
    async with (
        run_daemon(change(settings), world(seed)) as running_daemon,
        aiohttp.ClientSession(connector=world(seed).make_connector()) as http,
    ):
        fleet = Fleet(simulator, running_daemon, http)
        await fleet.until(fleet.all_synced)
        yield Trader(fleet)


def play(
    scene: Callable[[Trader], Coroutine[Any, Any, None]],
    folder: Path,
    *,
    accounts: int = 3,
    change: Change = lambda s: s,
) -> None:
    """Play a scene from its beginning to its end."""

    async def main() -> None:
        async with (
            broker(accounts=accounts) as simulator,
            daemon(simulator, folder, change=change) as trader,
        ):
            await scene(trader)

    run(main)
