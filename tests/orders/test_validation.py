"""Strict bodies: what is possible passes, what is not never reaches the broker."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.orders import validation
from realtime.orders.errors import MALFORMED, UNPROCESSABLE, Declined
from realtime.orders.order_request import OrderRequest, Placement, build_body, read_body, read_value
from realtime.simulator.app import Simulator

OCC = "NVDA261120C00200000"
STOCK = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
LIMIT = {**STOCK, "type": "limit", "limit_price": "10"}
PROFIT, LOSS = {"limit_price": "12"}, {"stop_price": "8"}
LEGS = [
    {"symbol": OCC, "side": "buy", "ratio_qty": "1"},
    {"symbol": "NVDA261120C00210000", "position_intent": "sell_to_open"},
]
MLEG = {"order_class": "mleg", "qty": "1", "type": "limit", "limit_price": "-1",
        "time_in_force": "day", "legs": LEGS}  # fmt: skip

GOOD: list[Mapping[str, object]] = [
    STOCK,
    {**STOCK, "qty": 1.5},
    {**STOCK, "qty": None, "notional": "10.25"},
    {**LIMIT, "extended_hours": True, "time_in_force": "gtc"},
    {**STOCK, "type": "stop", "stop_price": 9},
    {**LIMIT, "type": "stop_limit", "stop_price": "9"},
    {**STOCK, "type": "trailing_stop", "trail_percent": "1.5"},
    {**STOCK, "time_in_force": "opg"},
    {**STOCK, "order_class": "bracket", "take_profit": PROFIT, "stop_loss": LOSS},
    {**STOCK, "order_class": "oto", "stop_loss": {**LOSS, "limit_price": "7"}},
    {**LIMIT, "side": "sell", "order_class": "oco", "take_profit": PROFIT, "stop_loss": LOSS},
    {**STOCK, "symbol": "BTC/USD", "time_in_force": "gtc"},
    {**STOCK, "symbol": OCC},
    MLEG,
]

BAD: list[tuple[Mapping[str, object], int, str]] = [
    ({}, MALFORMED, "type"),
    ({**STOCK, "extra": 1}, MALFORMED, "unknown field `extra`"),
    ({**STOCK, "side": "hold"}, MALFORMED, "side"),
    ({**STOCK, "symbol": None}, MALFORMED, "symbol is required"),
    ({**STOCK, "side": None}, MALFORMED, "side is required"),
    ({**STOCK, "qty": None}, MALFORMED, "qty or notional is required"),
    ({**STOCK, "notional": "5"}, MALFORMED, "only one of qty or notional"),
    ({**STOCK, "qty": "0"}, MALFORMED, "qty must be > 0"),
    ({**STOCK, "qty": "-1"}, MALFORMED, "qty must be > 0"),
    ({**STOCK, "qty": "NaN"}, MALFORMED, "qty"),
    ({**STOCK, "qty": "1e31"}, MALFORMED, "qty"),
    ({**STOCK, "qty": "0.0000000001"}, UNPROCESSABLE, "9 decimal places"),
    ({**STOCK, "qty": None, "notional": "1.001"}, UNPROCESSABLE, "2 decimal places"),
    ({**STOCK, "limit_price": "1"}, UNPROCESSABLE, "must not have limit_price"),
    ({**STOCK, "type": "limit"}, UNPROCESSABLE, "require limit_price"),
    ({**STOCK, "type": "stop"}, UNPROCESSABLE, "require stop_price"),
    ({**STOCK, "type": "trailing_stop"}, UNPROCESSABLE, "trail_price or trail_percent"),
    ({**STOCK, "trail_price": "1"}, UNPROCESSABLE, "must not have trail_price"),
    ({**STOCK, "extended_hours": True}, UNPROCESSABLE, "extended hours"),
    ({**STOCK, "qty": "1.5", "time_in_force": "gtc"}, UNPROCESSABLE, "fractional"),
    ({**STOCK, "order_class": "bracket", "stop_loss": LOSS}, UNPROCESSABLE, "take_profit"),
    ({**STOCK, "order_class": "bracket", "take_profit": PROFIT}, UNPROCESSABLE, "stop_loss"),
    ({**STOCK, "order_class": "oto"}, UNPROCESSABLE, "oto orders"),
    ({**STOCK, "order_class": "bracket", "take_profit": {"limit_price": "7"},
      "stop_loss": LOSS}, UNPROCESSABLE, "must be >"),
    ({**STOCK, "take_profit": PROFIT}, UNPROCESSABLE, "must not have take_profit"),
    ({**STOCK, "position_intent": "sell_to_open"}, UNPROCESSABLE, "do not match"),
    ({**STOCK, "legs": LEGS}, MALFORMED, "legs"),
    ({**STOCK, "symbol": "BTC/USD"}, UNPROCESSABLE, "crypto time_in_force"),
    ({**STOCK, "symbol": "BTC/USD", "time_in_force": "gtc", "order_class": "oto",
      "stop_loss": LOSS}, UNPROCESSABLE, "crypto"),
    ({**STOCK, "symbol": OCC, "qty": "1.5"}, UNPROCESSABLE, "whole"),
    ({**STOCK, "symbol": OCC, "time_in_force": "gtc"}, UNPROCESSABLE, "time in force"),
    ({**MLEG, "symbol": "NVDA"}, MALFORMED, "symbol"),
    ({**MLEG, "legs": LEGS[:1]}, UNPROCESSABLE, "between 2 and 4"),
    ({**MLEG, "legs": [LEGS[0], LEGS[0]]}, UNPROCESSABLE, "unique"),
    ({**MLEG, "legs": [LEGS[0], {"symbol": "AAPL", "side": "buy"}]}, UNPROCESSABLE, "options"),
]  # fmt: skip


@pytest.mark.parametrize("body", GOOD, ids=str)
def test_possible(body: Mapping[str, object]) -> None:
    validation.check(read_value(dict(body), Placement))


@pytest.mark.parametrize(("body", "code", "said"), BAD, ids=str)
def test_impossible(body: Mapping[str, object], code: int, said: str) -> None:
    with pytest.raises(Declined) as refused:
        validation.check(read_value(dict(body), Placement))
    assert refused.value.code == "invalid_order"
    assert refused.value.alpaca is not None
    assert refused.value.alpaca["code"] == code
    assert said in refused.value.message
    assert not refused.value.reached_broker


async def test_what_is_possible_here_is_possible_there() -> None:
    """The simulator's own rules, which share no code with ours, take the form of every one."""
    async with Simulator(accounts=1, step_s=None) as simulator:
        for body in GOOD:
            ticket = read_value(dict(body), OrderRequest)
            try:
                simulator.exchange.submit("alpha", build_body(ticket))
            except Exception as error:  # noqa: BLE001 - the exchange's own type is not ours to know
                status = getattr(error, "status", None)
                said = str(error)
                assert status == 403 or any(
                    word in said
                    for word in ("base_price", "exit orders", "not found", "intent", "wash")
                ), (body, said)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(body: bytes) -> None:
    with pytest.raises(Declined) as refused:
        read_body(body, Placement)
    assert refused.value.message


def test_numbers_reach_the_broker_as_they_were_written() -> None:
    body = b'{"symbol":"AAPL","qty":0.1,"side":"buy","type":"limit","limit_price":"188.40",'
    ticket = read_body(body + b'"time_in_force":"day"}', Placement)
    sent = build_body(ticket)
    assert (sent["qty"], sent["limit_price"]) == ("0.1", "188.4")
    assert "account_id" not in sent
