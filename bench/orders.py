"""Orders on many accounts: in one batch, one after another, and by alpaca-py in a pool of threads.

The broker answers every order after a fixed time, as one that is far away does, and counts them. So
what is measured is how many can be under way at once, and what each costs this side.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web
from msgspec import Struct

from bench import frames
from bench.children import free_port, module
from bench.machine import pin
from realtime.accounts import Accounts
from realtime.config.settings import AccountSettings, OrdersSettings, Settings
from realtime.orders.results import Placed
from realtime.secret import Credentials, Secret
from realtime.telemetry.log import configure

RESPONSE_TIME_S = 0.05
"""The broker's answer takes so long, beside what it has to compute."""

THREADS = (32, 100)
BUY = {
    "symbol": "AAPL",
    "qty": "10",
    "side": "buy",
    "type": "limit",
    "limit_price": "188.4",
    "time_in_force": "day",
}


class Took(Struct):
    """So many orders took so long."""

    how: str
    orders: int
    seconds: float


def measure(accounts: int) -> list[Took]:
    """All of it, against one broker."""
    results = [_took(f"batch, {_accounts(size)}", "batch", size) for size in (1, 6, accounts)]
    results.append(_took("one after another, the same gateway", "alone", accounts))
    results.append(_took("alpaca-py, one after another", "pool", accounts, threads=1))
    for threads in THREADS:
        how = f"alpaca-py, a client each, {threads} threads"
        results.append(_took(how, "pool", accounts, threads=threads))
    return results


def lines(results: list[Took]) -> list[str]:
    """A table of it; the last column beside one order on one account."""
    alone = results[0].seconds
    return [
        f"* the broker answers an order after {RESPONSE_TIME_S * 1000:.0f} ms;"
        " the second round is measured, so all connections are open",
        "",
        "| | orders | all answered after | orders/s | times one order |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {each.how} | {each.orders:,} | {each.seconds * 1000:,.0f} ms"
            f" | {each.orders / each.seconds:,.0f} | {each.seconds / alone:,.1f} |"
            for each in results
        ),
    ]


def _accounts(number: int) -> str:
    return "one account" if number == 1 else f"{number:,} accounts"


def _took(how: str, word: str, accounts: int, *, threads: int = 1) -> Took:
    with _broker() as port:
        options = ("--port", str(port), "--accounts", str(accounts), "--threads", str(threads))
        with module("orders", word, *options) as child:
            said = json.loads(child.read_line())
        return Took(how, accounts, said["seconds"])


@contextmanager
def _broker() -> Iterator[int]:
    port = free_port()
    with module("orders", "broker", "--port", str(port)) as child:
        child.read_line()
        yield port


async def _serve(port: int) -> None:
    numbers = count()

    async def order(request: web.Request) -> web.Response:
        asked = await request.json()
        await asyncio.sleep(RESPONSE_TIME_S)
        row = frames.order_json(next(numbers))
        row["client_order_id"] = asked.get("client_order_id") or row["client_order_id"]
        return web.json_response(row)

    app = web.Application()
    app.router.add_post("/v2/orders", order)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=2048).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


def _settings(port: int, accounts: int, folder: Path) -> Settings:
    return Settings(
        path=folder / "accounts.toml",
        orders=OrdersSettings(audit_log=folder / "orders.jsonl"),
        accounts=tuple(
            AccountSettings(
                label=f"a{number}",
                trading_url=f"http://127.0.0.1:{port}",
                credentials=Credentials(Secret(f"k{number}"), Secret("s")),
            )
            for number in range(accounts)
        ),
    )


Round = Callable[[Accounts], Awaitable[None]]


async def _batch(accounts: Accounts) -> None:
    orders = [{**BUY, "account_id": label} for label in accounts.labels]
    outcomes = await accounts.place_orders(orders)
    assert all(isinstance(each, Placed) for each in outcomes), outcomes


async def _alone(accounts: Accounts) -> None:
    for label in accounts.labels:
        await accounts.place_order(**{**BUY, "account_id": label})


async def _ours(round_of: Round, port: int, number: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        async with Accounts(_settings(port, number, Path(folder))) as accounts:
            await _batch(accounts)
            began = time.perf_counter()
            await round_of(accounts)
            return time.perf_counter() - began


def _pool(port: int, number: int, threads: int) -> float:
    from alpaca.trading.client import TradingClient  # noqa: PLC0415 - an extra, and slow
    from alpaca.trading.requests import LimitOrderRequest  # noqa: PLC0415 - as above

    url = f"http://127.0.0.1:{port}"
    clients: list[Any] = [TradingClient(f"k{n}", "s", url_override=url) for n in range(number)]

    def place(client: Any) -> None:
        client.submit_order(LimitOrderRequest(**BUY))

    with ThreadPoolExecutor(threads) as pool:
        if threads > 1:
            list(pool.map(place, clients))
        else:
            place(clients[0])
        began = time.perf_counter()
        list(pool.map(place, clients))
        return time.perf_counter() - began


def main() -> None:
    """Run as a process of its own, by one word."""
    options = argparse.ArgumentParser(prog="python -m bench.orders")
    options.add_argument("word", choices=["broker", "batch", "alone", "pool"])
    options.add_argument("--port", type=int)
    options.add_argument("--accounts", type=int, default=1)
    options.add_argument("--threads", type=int, default=1)
    given = options.parse_args()
    configure("error", "text", sys.stderr)
    if given.word == "broker":
        pin(1)
        uvloop.run(_serve(given.port))
        return
    pin(0)
    if given.word == "pool":
        seconds = _pool(given.port, given.accounts, given.threads)
    else:
        round_of = _batch if given.word == "batch" else _alone
        seconds = uvloop.run(_ours(round_of, given.port, given.accounts))
    print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
