"""Drives ccxt's alpaca against a simulator: balance, crypto orders, trades, streams.

ccxt knows crypto only. Usage: ccxt_client.py URL SYMBOL_OF_AN_OPTION. Prints one JSON object.
"""

import asyncio
import json
import sys

import ccxt.pro

url = sys.argv[1]
SYMBOL = "ETH/USD"


def client():
    exchange = ccxt.pro.alpaca({"apiKey": "demo-alpha", "secret": "demo-secret-alpha"})
    exchange.urls["api"] = {
        "broker": url,
        "trader": url,
        "market": url,
        "ws": {
            "crypto": url.replace("http", "ws") + "/v1beta3/crypto/us",
            "trading": url.replace("http", "ws") + "/stream",
        },
    }
    return exchange


async def filled(exchange, order):
    while (await exchange.fetch_order(order["id"]))["status"] != "closed":
        await asyncio.sleep(0.05)
    return order


async def main():
    exchange, watcher = client(), client()
    await exchange.load_markets()
    watching = asyncio.create_task(watcher.watch_orders())
    trading = asyncio.create_task(watcher.watch_trades(SYMBOL))
    await asyncio.sleep(1)
    bought = await exchange.create_order(SYMBOL, "market", "buy", 0.5)
    orders = {"market": await filled(exchange, bought)}
    orders["limit"] = await exchange.create_order(SYMBOL, "limit", "buy", 0.1, 100)
    await asyncio.sleep(0.5)
    await exchange.cancel_order(orders["limit"]["id"])
    orders["stop_limit"] = await exchange.create_order(
        SYMBOL, "limit", "sell", 0.1, 900, {"triggerPrice": 1000}
    )
    seen = await watching
    trade = (await trading)[-1]
    account = await exchange.trader_private_get_v2_account()
    positions = await exchange.trader_private_get_v2_positions()
    statuses = {}
    for name, order in orders.items():
        statuses[name] = (await exchange.fetch_order(order["id"]))["status"]
    candles = await exchange.fetch_ohlcv(SYMBOL, "1d", exchange.parse8601("2026-09-01T00:00:00Z"))
    book = await exchange.fetch_order_book(SYMBOL)
    await exchange.close()
    await watcher.close()
    print(
        json.dumps(
            {
                "account": account["account_number"],
                "statuses": statuses,
                "positions": {p["symbol"]: p["qty"] for p in positions},
                "events": sorted({order["symbol"] for order in seen}),
                "trades": [trade["symbol"]],
                "bars": len(candles),
                "has_book": book["bids"][0][0] < book["asks"][0][0],
            }
        )
    )


asyncio.run(asyncio.wait_for(main(), 25))
