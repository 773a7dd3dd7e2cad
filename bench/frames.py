"""What the playing broker says: one account's objects, and its trade updates, as bytes.

Orders come one after another: new, partly filled, filled; a purchase, then a sale of the same. Each
update carries the moment it was made in `order.subtag` (ns of the monotonic clock, which all
processes of a machine share), so a reader can tell how long it was under way.
"""

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

SYMBOLS = ("AAPL", "MSFT", "NVDA", "AMZN", "TSLA", "META", "GOOG", "AMD", "INTC", "SPY")

ACCOUNT = {
    "id": "904837e3-3b76-47ec-b432-046db621571b",
    "account_number": "PA0EXAMPLE01",
    "status": "ACTIVE",
    "crypto_status": "ACTIVE",
    "currency": "USD",
    "buying_power": "262113.632",
    "regt_buying_power": "262113.632",
    "daytrading_buying_power": "0",
    "options_buying_power": "131056.82",
    "non_marginable_buying_power": "131056.82",
    "cash": "131056.82",
    "accrued_fees": "0",
    "portfolio_value": "203342.56",
    "trading_blocked": False,
    "transfers_blocked": False,
    "account_blocked": False,
    "created_at": "2025-06-12T13:01:28.410102Z",
    "trade_suspended_by_user": False,
    "multiplier": "2",
    "shorting_enabled": True,
    "equity": "203342.56",
    "last_equity": "201110.03",
    "long_market_value": "72285.74",
    "short_market_value": "0",
    "position_market_value": "72285.74",
    "initial_margin": "36142.87",
    "maintenance_margin": "21685.72",
    "last_maintenance_margin": "21201.5",
    "sma": "199123.1",
    "balance_asof": "2026-10-05",
    "crypto_tier": 1,
}


def order_json(number: int, *, side: str = "buy", status: str = "new") -> dict[str, object]:
    """Order `number` of an account, with every field that the broker sends."""
    at = f"2026-10-06T14:{number // 60 % 60:02}:{number % 60:02}.519102Z"
    is_filled = status == "filled"
    return {
        "id": f"{number:08x}-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
        "client_order_id": f"bench-{number}",
        "created_at": at,
        "updated_at": at,
        "submitted_at": at,
        "filled_at": at if is_filled else None,
        "expired_at": None,
        "cancel_requested_at": None,
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
        "symbol": SYMBOLS[number % len(SYMBOLS)],
        "asset_class": "us_equity",
        "notional": None,
        "qty": "10",
        "filled_qty": "10" if is_filled else "0",
        "filled_avg_price": "188.4" if is_filled else None,
        "order_class": "",
        "order_type": "limit",
        "type": "limit",
        "side": side,
        "position_intent": "buy_to_open",
        "time_in_force": "day",
        "limit_price": "188.4",
        "stop_price": None,
        "status": status,
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "expires_at": "2026-10-06T20:00:00Z",
        "source": "api",
        "subtag": None,
    }


def position_json(symbol: str) -> dict[str, object]:
    """A long position of ten."""
    return {
        "asset_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
        "symbol": symbol,
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": "10",
        "avg_entry_price": "180.02",
        "side": "long",
        "market_value": "1884",
        "cost_basis": "1800.2",
        "unrealized_pl": "83.8",
        "unrealized_plpc": "0.0465503832907455",
        "unrealized_intraday_pl": "12.3",
        "unrealized_intraday_plpc": "0.0065716726",
        "current_price": "188.4",
        "lastday_price": "187.17",
        "change_today": "0.0065715659",
        "qty_available": "10",
    }


TRADED = "QQQ"
"""The one symbol that updates are of; nothing of it is held at first."""

_SCENE: tuple[tuple[str, str, str, str], ...] = (
    ("new", "new", "0", ""),
    ("partial_fill", "partially_filled", "4", "4"),
    ("fill", "filled", "10", "6"),
)
"""event, status, filled quantity, quantity of this execution"""


class UpdateSequence:
    """The trade updates of an account without end, as websocket frames made when asked for."""

    def __init__(self, account: int) -> None:
        self.held = 0
        """Of the symbol traded, after the update given last."""
        self._account = account
        self._scenes = self._played()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._scenes)

    def _played(self) -> Iterator[bytes]:
        for number in itertools.count():
            side, start, sign = ("buy", 0, 1) if number % 2 == 0 else ("sell", 10, -1)
            for scene in _SCENE:
                now = datetime.fromtimestamp(time.time(), UTC)
                at = now.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
                self.held = start + sign * int(scene[2])
                yield frame(_update(self._account, number, side, scene, self.held, at))


WORDS = (
    "id",
    "number",
    "at",
    "side",
    "status",
    "filled",
    "ns",
    "event",
    "execution",
    "qty",
    "held",
    "event_id",
)
"""What differs between updates."""


def _template(*, executes: bool) -> str:
    order = order_json(0) | {
        "id": "@id",
        "client_order_id": "bench-@number",
        "created_at": "@at",
        "updated_at": "@at",
        "submitted_at": "@at",
        "symbol": TRADED,
        "side": "@side",
        "status": "@status",
        "filled_qty": "@filled",
        "filled_avg_price": "188.4",
        "subtag": "@ns",
    }
    execution = {
        "execution_id": "@execution",
        "price": "188.4",
        "qty": "@qty",
        "position_qty": "@held",
    }
    update = {
        "event": "@event",
        "timestamp": "@at",
        "order": order,
        **(execution if executes else {}),
        "at": "@at",
        "event_id": "@event_id",
    }
    text = json.dumps({"stream": "trade_updates", "data": update}, separators=(",", ":"))
    text = text.replace("%", "%%")
    for name in sorted(WORDS, key=len, reverse=True):
        text = text.replace(f"@{name}", f"%({name})s")
    return text


_TEMPLATE, _TEMPLATE_NEW = _template(executes=True), _template(executes=False)


def _update(
    account: int, number: int, side: str, scene: tuple[str, str, str, str], held: int, at: str
) -> bytes:
    event, status, filled, qty = scene
    words = {
        "id": f"{number:08x}-{account:04x}-4e3f-8a4b-5c6d7e8f9a0b",
        "number": number,
        "at": at,
        "side": side,
        "status": status,
        "filled": filled,
        "ns": time.monotonic_ns(),
        "event": event,
        "execution": f"{number:08x}-{account:04x}-{len(status):04x}-9a4b-5c6d7e8f9a0b",
        "qty": qty,
        "held": held,
        "event_id": f"{number:020d}{filled:>06}",
    }
    return ((_TEMPLATE if qty else _TEMPLATE_NEW) % words).encode()


def frame(payload: bytes) -> bytes:
    """A binary websocket frame of a server (RFC 6455 section 5.2), as the paper broker sends."""
    size = len(payload)
    assert 125 < size < 65536
    return b"\x82\x7e" + size.to_bytes(2, "big") + payload
