"""One dashboard of 5 positions and 10 orders, served in four ways; each a process of its own.

`realtime`: our readers' edge as it is. `no_shortcut`: the same on plain aiohttp. `aiohttp`: a route
of aiohttp that answers ready bytes. `fastapi`: FastAPI on uvicorn, the same document as a dict.
"""

import argparse
import asyncio
import json
import time

import uvloop
from aiohttp import web
from msgspec import convert

from bench import frames
from bench.machine import pin
from realtime.api.app import build_application
from realtime.api.documents.documents import Documents
from realtime.api.fastpath.runner import RESPONSE_CACHE
from realtime.api.listener import serve
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Order, Position
from realtime.core.state import AccountState
from realtime.store.records import Profile
from realtime.store.store import Store
from realtime.telemetry.log import configure

PATH = "/realtime/dashboard/alpha"
POSITIONS, ORDERS = 5, 10


def filled_store(accounts: int, positions: int, orders: int) -> Store:
    """A store of live accounts; the first is `alpha`."""
    store = Store(boot="bench")
    now = time.time()
    state = AccountState(
        account=convert(frames.ACCOUNT, Account),
        positions={
            each.symbol: each
            for each in (
                convert(frames.position_json(symbol), Position)
                for symbol in frames.SYMBOLS[:positions]
            )
        },
        orders={
            each.id: each
            for each in (
                convert(frames.order_json(n, status="filled" if n % 5 else "new"), Order)
                for n in range(orders)
            )
        },
    )
    for number in range(accounts):
        label = AccountLabel("alpha" if number == 0 else f"a{number}")
        store.add(Profile(label=label), now=now)
        store.update(label, now=now, state=state, link=Link(state="synced", stale_reason=None))
    return store


async def serve_ours(port: int, store: Store, *, is_plain: bool) -> None:
    """The readers' edge."""
    app = build_application(
        store, Documents(), clock=time.time, version="bench", started_at=time.time()
    )
    if is_plain:
        del app[RESPONSE_CACHE]
    async with serve(app, "127.0.0.1", port):
        print("ready", flush=True)
        await asyncio.Event().wait()


async def serve_aiohttp(port: int, body: bytes) -> None:
    """A route that answers ready bytes."""

    async def dashboard(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/realtime/dashboard/{account_id}", dashboard)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


def serve_fastapi(port: int, body: bytes) -> None:
    """The document as a dict, made JSON at every request, as one writes it there."""
    import fastapi  # noqa: PLC0415 - only this peer needs it
    import uvicorn  # noqa: PLC0415 - as above

    app = fastapi.FastAPI()
    document = json.loads(body)

    async def dashboard(account_id: str) -> dict[str, object]:
        return {**document, "account_id": account_id}

    app.get("/realtime/dashboard/{account_id}")(dashboard)
    print("ready", flush=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def rendered() -> bytes:
    """The bytes that all serve."""
    return next(iter(rendered_fleet(1, POSITIONS, ORDERS).values()))


def rendered_fleet(accounts: int, positions: int, orders: int) -> dict[str, bytes]:
    """path → the bytes of each account's dashboard."""
    documents = Documents()
    return {
        f"/realtime/dashboard/{record.profile.label}": documents.render_dashboard(record).body
        for record in filled_store(accounts, positions, orders)
    }


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser()
    options.add_argument("kind", choices=["realtime", "no_shortcut", "aiohttp", "fastapi"])
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--core", type=int, default=0)
    options.add_argument("--accounts", type=int, default=1)
    options.add_argument("--positions", type=int, default=POSITIONS)
    options.add_argument("--orders", type=int, default=ORDERS)
    given = options.parse_args()
    pin(given.core)
    configure("error", "json")
    if given.kind == "fastapi":
        serve_fastapi(given.port, rendered())
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if given.kind == "aiohttp":
            runner.run(serve_aiohttp(given.port, rendered()))
        else:
            store = filled_store(given.accounts, given.positions, given.orders)
            runner.run(serve_ours(given.port, store, is_plain=given.kind == "no_shortcut"))


if __name__ == "__main__":
    main()
