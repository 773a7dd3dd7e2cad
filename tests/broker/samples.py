"""What the broker sends, as the protocol's own frames: made-up values, Alpaca's shapes."""

import json

FRACTION = {
    "created_at": "2026-10-06T14:02:11.518044102Z",
    "updated_at": "2026-10-06T14:02:13.947610522Z",
    "submitted_at": "2026-10-06T14:02:11.517310955Z",
    "filled_at": "2026-10-06T14:02:13.926114708Z",
}
ROUNDED = {
    "created_at": "2026-10-06T14:02:11.518044Z",
    "updated_at": "2026-10-06T14:02:13.947611Z",
    "submitted_at": "2026-10-06T14:02:11.517311Z",
    "filled_at": "2026-10-06T14:02:13.926115Z",
}


def order(**changes: object) -> dict[str, object]:
    """A filled limit order as the stream shows it."""
    return {
        "id": "00000051-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
        "client_order_id": "rt-0001",
        **FRACTION,
        "expired_at": None,
        "cancel_requested_at": None,
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": "000000a1-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
        "symbol": "NVDA",
        "asset_class": "us_equity",
        "notional": None,
        "qty": "30",
        "filled_qty": "30",
        "filled_avg_price": "188.396",
        "order_class": "",
        "order_type": "limit",
        "type": "limit",
        "side": "buy",
        "position_intent": "buy_to_open",
        "time_in_force": "day",
        "limit_price": "188.4",
        "stop_price": None,
        "status": "filled",
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "expires_at": "2026-10-06T20:00:00Z",
    } | changes


def update(**changes: object) -> dict[str, object]:
    """The fill that filled it."""
    return {
        "at": "2026-10-06T14:02:13.948006Z",
        "event_id": "01M48RB9HW4X7Q2M9K1ZT8HWRB",
        "event": "fill",
        "timestamp": "2026-10-06T14:02:13.926114708Z",
        "order": order(),
        "price": "188.4",
        "qty": "18",
        "position_qty": "130",
        "execution_id": "000000e3-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
        "swap_rate": "1",
        "settle_date": "2026-10-07",
    } | changes


def frame(data: object, stream: str = "trade_updates") -> bytes:
    """A frame of a stream."""
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()


FILL = frame(update())
AUTHORIZED = frame({"status": "authorized", "action": "authenticate"}, "authorization")
UNAUTHORIZED = frame(
    {
        "action": "authenticate",
        "message": "access key verification failed",
        "status": "unauthorized",
    },
    "authorization",
)
LISTENING = frame({"streams": ["trade_updates"]}, "listening")
FAULT = b'{"action":"error","data":{"error_message":"internal server error"}}'

MLEG = frame(
    {
        "event": "fill",
        "timestamp": "2026-10-06T15:41:07.33Z",
        "order": order(
            symbol="",
            order_class="mleg",
            legs=[
                order(id="00000061", order_class="mleg", type="", ratio_qty="1"),
                order(id="00000062", order_class="mleg", type="", ratio_qty="1", side="sell"),
            ],
        ),
        "price": "3.2",
        "qty": "2",
        "position_qtys": {"NVDA261120C00200000": "4", "NVDA261120C00210000": "-2"},
        "legs": [
            {"execution_id": "000000e7", "qty": "2", "price": "6.3", "order_id": "00000061"},
            {"execution_id": "000000e8", "qty": "2", "price": "3.1", "order_id": "00000062"},
        ],
    }
)

ACCOUNT: dict[str, object] = {
    "id": "00000001-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
    "admin_configurations": {},
    "user_configurations": None,
    "account_number": "PA0EXAMPLE01",
    "status": "ACTIVE",
    "options_approved_level": 3,
    "currency": "USD",
    "buying_power": "175987.58",
    "cash": "75706.18",
    "portfolio_value": "100281.4",
    "trading_blocked": False,
    "multiplier": "2",
    "equity": "100281.4",
    "crypto_tier": 1,
}

POSITION: dict[str, object] = {
    "asset_id": "000000a2-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
    "symbol": "XLF",
    "exchange": "ARCA",
    "asset_class": "us_equity",
    "asset_marginable": True,
    "qty": "-40",
    "avg_entry_price": "51.2",
    "side": "short",
    "market_value": "-2035.2",
    "cost_basis": "-2048",
    "current_price": None,
    "qty_available": "-40",
}

ACTIVITY: dict[str, object] = {
    "id": "20261006100213926::000000e3-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
    "activity_type": "FILL",
    "transaction_time": "2026-10-06T14:02:13.926115Z",
    "type": "fill",
    "price": "188.4",
    "qty": "18",
    "side": "buy",
    "symbol": "NVDA",
    "leaves_qty": "0",
    "order_id": "00000051-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
    "cum_qty": "30",
    "order_status": "filled",
}
