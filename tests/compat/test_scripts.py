"""Small programs as users write them, against `realtime sim`, and against `realtime run` before it.

Nothing is stepped here: the simulator follows the clock, as it does for every user.
"""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import count
from typing import Any, NamedTuple

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)
from alpaca.trading.stream import TradingStream

from realtime.simulator.account_presets import preset_label

pytestmark = pytest.mark.compat

LIMIT_S = 30.0
DAY = TimeInForce.DAY
LISTENS = re.compile(r"realtime_trading_stream_listens_total ([0-9.]+)")
LABELS = (preset_label(number) for number in count(0, 4))


class Place(NamedTuple):
    """Where the programs are pointed, and the simulator behind it."""

    url: str
    simulator_url: str

    def count_listens(self, label: str) -> int:
        """How often a client has begun to listen."""
        if self.url == self.simulator_url:
            books = ask(self.simulator_url, "books")
            (row,) = (row for row in books if row["label"] == label)
            return int(row["counts"].get("listening", 0))
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=LIMIT_S) as answer:
            found = LISTENS.search(answer.read().decode())
        assert found is not None, "the metric is there from the start"
        return int(float(found[1]))


@pytest.fixture(scope="module", params=["simulator", "daemon"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("scripts")
    command = [sys.executable, "-m", "realtime"]
    sim = ["sim", "--accounts", "60", "--port", "0", "--activity", "0", "--duration", "240"]
    with ExitStack() as stack:
        first = start(stack, [*command, *sim, "--write-config", str(folder)])
        url = first.split()[2].rstrip(",")  # simulator on http://127.0.0.1:38123, 60 accounts, …
        if request.param == "simulator":
            yield Place(url, url)
            return
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = ["--config", str(folder / "accounts.toml"), "--port", str(port)]
        logs = ["--log-file", str(folder / "log"), "--audit-log", str(folder / "orders.jsonl")]
        start(stack, [*command, "run", *config, *logs], reads=False)
        wait_for(lambda: is_ready(f"http://127.0.0.1:{port}/readyz"))
        yield Place(f"http://127.0.0.1:{port}", url)


def start(stack: ExitStack, command: list[str], *, reads: bool = True) -> str:
    """Start a program that ends with the stack; return its first line."""
    process = stack.enter_context(
        subprocess.Popen(command, stdout=subprocess.PIPE if reads else None, text=True)
    )
    stack.callback(process.terminate)
    return process.stdout.readline() if process.stdout else ""


def is_ready(url: str) -> bool:
    """Whether every account of the daemon is synced."""
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
            return bool(answer.status == 200)
    except OSError:  # not yet listening, or 503
        return False


class Keys(NamedTuple):
    """What a user gets."""

    place: Place
    key: str
    secret: str

    def trade(self) -> Any:
        """A client."""
        return TradingClient(self.key, self.secret, paper=True, url_override=self.place.url)

    @asynccontextmanager
    async def hear(self) -> AsyncIterator[asyncio.Queue[Any]]:
        """Run a stream beside the program; give its updates."""
        updates: asyncio.Queue[Any] = asyncio.Queue()
        address = self.place.url.replace("http", "ws") + "/stream"
        stream: Any = TradingStream(self.key, self.secret, paper=True, url_override=address)

        async def on_update(update: Any) -> None:
            updates.put_nowait(update)

        stream.subscribe_trade_updates(on_update)
        label = self.key.removeprefix("demo-")
        before = self.place.count_listens(label)
        running = asyncio.create_task(stream._run_forever())
        await asyncio.to_thread(wait_for, lambda: self.place.count_listens(label) > before)
        yield updates
        running.cancel()
        await stream.close()


@pytest.fixture
def keys(place: Place) -> Keys:
    label = next(LABELS)
    return Keys(place, f"demo-{label}", f"demo-secret-{label}")


def ask(url: str, path: str, body: object = None) -> Any:
    """Talk to the simulator behind the scenes."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/_sim/{path}", data, timeout=LIMIT_S) as answer:
        return json.load(answer)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Poll, as scripts do."""
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def filled(client: Any, order: Any) -> Any:
    """Poll an order until it is filled."""
    wait_for(lambda: client.get_order_by_id(order.id).status is OrderStatus.FILLED)
    return client.get_order_by_id(order.id)


def market(symbol: str, side: OrderSide = OrderSide.BUY, **size: float) -> MarketOrderRequest:
    """A market order for the day, or until canceled for a coin."""
    tif = TimeInForce.GTC if "/" in symbol else DAY
    return MarketOrderRequest(symbol=symbol, side=side, time_in_force=tif, **size)


async def test_buy_and_wait_for_the_fill_on_the_stream(keys: Keys) -> None:
    async with keys.hear() as updates, asyncio.timeout(LIMIT_S):
        order = await asyncio.to_thread(keys.trade().submit_order, market("AAPL", qty=5))
        received = [await updates.get()]
        while received[-1].event != "fill":
            received.append(await updates.get())
    assert {each.order.id for each in received} == {order.id}
    assert [str(received[0].event), str(received[1].event)] == ["pending_new", "new"]
    assert received[-1].position_qty == 5


def test_buy_poll_trail_and_get_stopped(keys: Keys) -> None:
    client = keys.trade()
    bought = filled(client, client.submit_order(market("TSLA", qty=2)))
    trail = client.submit_order(
        TrailingStopOrderRequest(
            symbol="TSLA",
            qty=2,
            side=OrderSide.SELL,
            time_in_force=TimeInForce.GTC,
            trail_percent=2,
        )
    )
    drop = round(float(bought.filled_avg_price) * 0.97, 2)
    ask(keys.place.simulator_url, "set_price", {"symbol": "TSLA", "price": str(drop)})
    filled(client, trail)
    assert client.get_all_positions() == []
    assert float(client.get_account().equity) < 1_000_000


def test_bracket_moves_its_stop_and_takes_profit(keys: Keys) -> None:
    client = keys.trade()
    ask(keys.place.simulator_url, "set_price", {"symbol": "META", "price": "600"})
    entry = client.submit_order(
        LimitOrderRequest(
            symbol="META",
            qty=3,
            side=OrderSide.BUY,
            time_in_force=DAY,
            limit_price=601,
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=630),
            stop_loss=StopLossRequest(stop_price=580),
        )
    )
    filled(client, entry)
    stop = next(each for each in entry.legs if each.stop_price)
    client.replace_order_by_id(stop.id, ReplaceOrderRequest(stop_price=590))
    ask(keys.place.simulator_url, "set_price", {"symbol": "META", "price": "631"})
    wait_for(lambda: client.get_all_positions() == [])
    done = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED, nested=True))
    assert [each.status for each in done] == [OrderStatus.FILLED]
    assert {each.status.value for each in done[0].legs} >= {"filled", "canceled"}
    assert float(client.get_account().cash) > 1_000_000


def test_portfolio_is_built_rebalanced_and_closed(keys: Keys) -> None:
    client = keys.trade()
    target = {"AAPL": 20_000, "KO": 10_000, "SPY": 30_000}
    for symbol, dollars in target.items():
        filled(client, client.submit_order(market(symbol, notional=dollars)))
    client.submit_order(market("BTC/USD", qty=0.25))
    wait_for(lambda: len(client.get_all_positions()) == 4)
    held = {each.symbol: float(each.market_value) for each in client.get_all_positions()}
    assert all(
        held[symbol] == pytest.approx(dollars, rel=0.01) for symbol, dollars in target.items()
    )
    half = client.close_position("AAPL", ClosePositionRequest(percentage="50"))
    filled(client, half)
    answers = client.close_all_positions(cancel_orders=True)
    assert [each.status for each in answers] == [200] * 4
    wait_for(lambda: client.get_all_positions() == [])
    assert client.get_account().cash == client.get_account().equity


def test_ladder_of_limits_is_placed_listed_and_canceled(keys: Keys) -> None:
    client = keys.trade()
    for step in range(1, 13):
        asked = LimitOrderRequest(
            symbol="NVDA",
            qty=1,
            side=OrderSide.BUY,
            time_in_force=DAY,
            limit_price=50 + step,
            client_order_id=f"ladder-{step}",
        )
        client.submit_order(asked)
    pages: list[Any] = []
    query = GetOrdersRequest(status=QueryOrderStatus.OPEN, limit=5)
    while page := client.get_orders(query):
        pages.append([each.client_order_id for each in page])
        query.until = page[-1].submitted_at
    assert [len(page) for page in pages] == [5, 5, 2]
    assert client.get_order_by_client_id("ladder-7").limit_price == "57"
    assert {each.status for each in client.cancel_orders()} == {200}
    wait_for(lambda: client.get_orders() == [])


async def test_day_trader_reacts_to_events(keys: Keys) -> None:
    """Each fill of a buy is answered with a sale from the stream's own handler."""
    client = keys.trade()
    async with keys.hear() as updates, asyncio.timeout(LIMIT_S):
        for symbol in ("DIS", "BA", "JPM"):
            await asyncio.to_thread(client.submit_order, market(symbol, qty=1))
        sold: set[str] = set()
        while len(sold) < 3:
            update = await updates.get()
            if update.event != "fill":
                continue
            if update.order.side is OrderSide.BUY:
                sale = market(update.order.symbol, OrderSide.SELL, qty=update.qty)
                await asyncio.to_thread(client.submit_order, sale)
            else:
                sold.add(update.order.symbol)
    assert client.get_all_positions() == []
