"""Drives alpaca-trade-api 3.2 against a simulator: account, orders, positions, streams.

Usage: legacy_python.py URL SYMBOL_OF_AN_OPTION. Prints one JSON object.
"""

import asyncio
import json
import os
import sys
import threading
import time

url, option = sys.argv[1:3]
os.environ["APCA_API_DATA_URL"] = url

from alpaca_trade_api import REST, Stream  # noqa: E402
from alpaca_trade_api.common import URL  # noqa: E402

KEYS = ("demo-alpha", "demo-secret-alpha")
DEADLINE = time.monotonic() + 25


def wait_for(is_true):
    while not is_true():
        if time.monotonic() > DEADLINE:
            raise SystemExit("timed out")
        time.sleep(0.02)


rest = REST(*KEYS, base_url=URL(url), api_version="v2")
events, trades = [], []


async def on_update(update):
    events.append(update.event)


async def on_trade(trade):
    trades.append(trade.symbol)


stream = Stream(
    *KEYS, base_url=URL(url), data_stream_url=URL(url.replace("http", "ws")), data_feed="iex"
)
stream.subscribe_trade_updates(on_update)
stream.subscribe_trades(on_trade, "AAPL", "KO")


def run_stream():
    asyncio.set_event_loop(asyncio.new_event_loop())
    stream.run()


threading.Thread(target=run_stream, daemon=True).start()
time.sleep(1)


def status(order):
    return rest.get_order(order.id).status


def filled(**body):
    order = rest.submit_order(**body)
    wait_for(lambda: status(order) == "filled")
    return order


price = rest.get_latest_trade("AAPL").price
exits = {
    "take_profit": {"limit_price": round(price * 1.2, 2)},
    "stop_loss": {"stop_price": round(price * 0.8, 2)},
}
orders = {"market": filled(symbol="AAPL", qty=5, side="buy")}
orders["notional"] = filled(symbol="NVDA", notional=50, side="buy")
orders["crypto"] = filled(symbol="ETH/USD", qty=0.5, side="buy", time_in_force="gtc")
orders["option"] = filled(symbol=option, qty=1, side="buy")
low, high = round(price * 0.5, 2), round(price * 1.5, 2)
orders["limit"] = rest.submit_order("KO", 1, "buy", "limit", "gtc", limit_price=1)
orders["stop"] = rest.submit_order("AAPL", 1, "sell", "stop", "gtc", stop_price=low)
orders["stop_limit"] = rest.submit_order(
    "AAPL", 1, "sell", "stop_limit", "gtc", stop_price=low, limit_price=low
)
orders["trailing_stop"] = rest.submit_order(
    "AAPL", 1, "sell", "trailing_stop", "gtc", trail_percent=20
)
orders["oco"] = rest.submit_order("AAPL", 1, "sell", "limit", "gtc", order_class="oco", **exits)
orders["bracket"] = rest.submit_order(
    "MSFT", 1, "buy", "limit", "gtc", limit_price=10, order_class="bracket",
    take_profit={"limit_price": 20}, stop_loss={"stop_price": 5},
)  # fmt: skip
orders["oto"] = rest.submit_order(
    "BAC", 1, "buy", "limit", "gtc", limit_price=10, order_class="oto",
    take_profit={"limit_price": 20},
)  # fmt: skip
replaced = rest.replace_order(orders["limit"].id, limit_price=2)
wait_for(lambda: status(replaced) == "new")
rest.cancel_order(replaced.id)
statuses = {name: status(order) for name, order in orders.items()}
wait_for(lambda: trades and events.count("fill") >= 4 and "canceled" in events)
bars = rest.get_bars("AAPL", "1Day", "2026-09-01", "2026-09-30")
print(
    json.dumps(
        {
            "account": rest.get_account().account_number,
            "statuses": statuses,
            "positions": {p.symbol: p.qty for p in rest.list_positions()},
            "events": sorted(set(events)),
            "trades": sorted(set(trades)),
            "bars": len(bars),
        }
    ),
    flush=True,
)
os._exit(0)  # its threads do not end by themselves
