"""Drives Alpaca's own MCP server 2.4 against a simulator: account, orders, positions, data.

Usage: mcp_server.py URL SYMBOL_OF_AN_OPTION. Prints one JSON object. The server has no setting for
its address: it is set as a launcher does.
"""

import asyncio
import json
import os
import sys
import time

url, option = sys.argv[1:3]
os.environ.update(
    ALPACA_API_KEY="demo-alpha", ALPACA_SECRET_KEY="demo-secret-alpha", DATA_API_URL=url
)

from alpaca_mcp_server import server  # noqa: E402
from fastmcp import Client  # noqa: E402

server.TRADING_API_BASE_URLS.update(paper=url, live=url)
DEADLINE = time.monotonic() + 40


def decode(result):
    """The document of a call, without the server's envelope."""
    data = result.structured_content["data"]
    return data.get("result", data)


async def main():
    async with Client(server.build_server()) as client:

        async def call(name, /, **arguments):
            return decode(await client.call_tool(name, arguments))

        async def status(order):
            return (await call("get_order_by_id", order_id=order["id"]))["status"]

        async def filled(name, **arguments):
            order = await call(name, **arguments)
            while await status(order) != "filled":
                if time.monotonic() > DEADLINE:
                    raise SystemExit("timed out")
                await asyncio.sleep(0.05)
            return order

        account = await call("get_account_info")
        orders = {
            "market": await filled(
                "place_stock_order", symbol="AAPL", side="buy", qty="5", type="market"
            ),
            "notional": await filled(
                "place_stock_order", symbol="NVDA", side="buy", notional="50", type="market"
            ),
            "crypto": await filled(
                "place_crypto_order", symbol="ETH/USD", side="buy", qty="0.5", type="market"
            ),
            "option": await filled(
                "place_option_order", symbol=option, side="buy", qty="1", type="market"
            ),
            "limit": await call(
                "place_stock_order", symbol="KO", side="buy", qty="1", type="limit",
                limit_price="1", client_order_id="from-mcp",
            ),
        }  # fmt: skip
        replaced = await call(
            "replace_order_by_id", order_id=orders["limit"]["id"], limit_price="2"
        )
        working = await call("get_orders", status="open")
        by_id = await call("get_order_by_client_id", client_order_id="from-mcp")
        await call("cancel_order_by_id", order_id=replaced["id"])
        statuses = {name: await status(order) for name, order in orders.items()}
        positions = await call("get_all_positions")
        position = await call("get_open_position", symbol_or_asset_id="ETH/USD")
        clock = await call("get_clock")
        bars = await call(
            "get_stock_bars", symbols="AAPL", timeframe="1Day", start="2026-09-01", end="2026-09-30"
        )
        activities = await call("get_account_activities", activity_types="FILL")
        history = await call("get_portfolio_history")
        closed = await call("close_position", symbol_or_asset_id=option)
        print(
            json.dumps(
                {
                    "account": account["account_number"],
                    "statuses": statuses,
                    "positions": {p["symbol"]: p["qty"] for p in positions},
                    "position": position["symbol"],
                    "working": [o["id"] for o in working] == [replaced["id"]],
                    "by_id": by_id["id"] == orders["limit"]["id"],
                    "clock": clock["is_open"],
                    "bars": len(bars["bars"]["AAPL"]),
                    "activities": {activity["symbol"] for activity in activities} >= {"AAPL"},
                    "history": sorted(history)[:2],
                    "closed": closed["symbol"] == option,
                }
            ),
            flush=True,
        )


asyncio.run(main())
os._exit(0)
