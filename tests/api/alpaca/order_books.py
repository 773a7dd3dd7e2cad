"""Random accounts at the simulator, and random queries of Alpaca's clients about them."""

import random
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import quote, urlencode

from realtime.simulator.exchange.errors import ApiError
from tests.fleet import Fleet

SYMBOLS = ("AAPL", "KO", "MSFT", "NVDA", "BTC/USD", "SPY")


def place_random_orders(fleet: Fleet, label: str, rng: random.Random, count: int) -> None:
    """Place orders of every simple kind, some of them filled, canceled or replaced."""
    exchange = fleet.simulator.exchange
    for _ in range(count):
        symbol = rng.choice(SYMBOLS)
        is_coin = "/" in symbol
        body: dict[str, object] = {
            "symbol": symbol,
            "qty": rng.choice(("1", "2", "0.5") if is_coin else ("1", "2", "7")),
            "side": "buy" if is_coin or rng.random() < 0.7 else "sell",
            "type": "market",
            "time_in_force": "gtc" if is_coin else rng.choice(("day", "gtc")),
        }
        kind = rng.random()
        price = float(exchange.prices()[symbol])
        if kind < 0.5:
            far = price * (0.5 if body["side"] == "buy" else 2)
            body |= {"type": "limit", "limit_price": f"{far:.2f}"}
        elif kind < 0.6 and not is_coin and body["side"] == "buy":
            body |= {
                "order_class": "bracket",
                "take_profit": {"limit_price": f"{price * 1.5:.2f}"},
                "stop_loss": {"stop_price": f"{price * 0.5:.2f}"},
            }
        elif kind < 0.63 and not is_coin:
            body |= {"type": "trailing_stop", "trail_percent": "5", "side": "sell"}
        with suppress(ApiError):
            order = exchange.submit(label, body)
            after = rng.random()
            if after < 0.2:
                exchange.cancel(label, str(order["id"]))
            elif after < 0.3 and body["type"] == "limit":
                exchange.replace(label, str(order["id"]), {"qty": "3"})
        if rng.random() < 0.2:
            fleet.simulator.step(prices_move=False)


def random_query(rng: random.Random, orders: Sequence[dict[str, object]]) -> str:
    """Return a target of the order list, in the spelling of any SDK; some are not valid."""

    def moment() -> str:
        at = str(rng.choice(orders)["submitted_at"])
        return rng.choice(
            [
                at,
                at.replace("Z", "+00:00"),
                at[:19] + "Z",
                at.replace("Z", "7Z") if len(at) == len("2026-10-06T14:02:11.519102Z") else at,
                at[:10],
                "2026-09-21T10:13:20-04:00",
                "yesterday",
            ]
        )

    query: dict[str, str] = {}

    def add(name: str, *values: str, chance: float = 0.3) -> None:
        if rng.random() < chance:
            query[name] = rng.choice(values)

    add("status", "open", "closed", "all", "OPEN", "", "filled", chance=0.7)
    add("limit", "1", "2", "5", "10", "50", "500", "0", "501", "x", "", chance=0.5)
    add("direction", "asc", "desc", "ASC", "up", chance=0.4)
    add("nested", "true", "True", "1", "false", "False", "0", "yes", chance=0.5)
    add("side", "buy", "sell", "", "BUY", "both")
    add("symbols", "AAPL", "AAPL,KO", "BTC/USD", "BTCUSD,KO", "", "aapl", "NONE", "AAPL, KO")
    add("asset_class", "us_equity", "crypto", "all", "us_option", "us_equity,crypto", chance=0.15)
    if rng.random() < 0.15:
        query[rng.choice(("before_order_id", "after_order_id"))] = str(rng.choice(orders)["id"])
    if rng.random() < 0.25:
        query["after"] = moment()
    if rng.random() < 0.25:
        query["until"] = moment()
    if rng.random() < 0.02:
        query["unknown"] = "1"
    encode = rng.choice((urlencode, lambda pairs: urlencode(pairs, quote_via=quote)))
    text = encode(query)
    if rng.random() < 0.1:
        text = text.replace("%2C", ",").replace("%3A", ":").replace("%2F", "/")
    return "/v2/orders" + (f"?{text}" if text else "")
