"""`TradingStream`: every event it can hear, raw and parsed, cut off and refused."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from alpaca.trading.enums import ContractType, OrderClass, OrderSide, TimeInForce, TradeEvent
from alpaca.trading.requests import (
    GetOptionContractsRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OptionLegRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)

from tests.compat.broker import TUESDAY_10_00, Broker
from tests.compat.localhost import EITHER, Localhost, skip_at_localhost
from tests.compat.trader import Listener, LogQueue, Trader

pytestmark = [pytest.mark.compat, EITHER]

HOUR = 3_600_000_000_000
BUY: dict[str, Any] = {"side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}


@pytest.fixture
def listener(trader: Trader) -> Iterator[Listener]:
    with trader.listen() as it:
        yield it


@pytest.fixture
def log() -> Iterator[LogQueue]:
    """What the SDK's stream says of itself."""
    lines = LogQueue()
    logger = logging.getLogger("alpaca.trading.stream")
    logger.addHandler(lines)
    yield lines
    logger.removeHandler(lines)


def resting(trader: Trader, qty: float = 2) -> Any:
    """Place an order that nothing meets."""
    asked = LimitOrderRequest(symbol="KO", qty=qty, limit_price=2, **BUY)
    return trader.client.submit_order(asked)


def names(updates: list[Any]) -> list[str]:
    """The names of events."""
    return [str(getattr(each.event, "value", each.event)) for each in updates]


def test_order_is_followed_to_its_fill(trader: Trader, listener: Listener) -> None:
    order = trader.client.submit_order(MarketOrderRequest(symbol="AAPL", qty=3, **BUY))
    trader.broker.settle()
    updates = listener.until("fill")
    assert names(updates)[:2] == ["pending_new", "new"]
    assert {each.order.id for each in updates} == {order.id}
    parts = [each for each in updates if each.qty is not None]
    assert sum(each.qty for each in parts) == 3
    last = updates[-1]
    assert (last.event, last.position_qty) == ("fill", 3)
    assert last.execution_id is not None
    assert last.timestamp == last.order.filled_at


def test_partial_fills_are_sent(trader: Trader, listener: Listener) -> None:
    """About one order in ten comes in parts."""
    updates: list[Any] = []
    orders = 0
    while "partial_fill" not in names(updates):
        trader.client.submit_order(MarketOrderRequest(symbol="AAPL", qty=10, **BUY))
        orders += 1
        trader.broker.settle()
        updates += listener.until("fill")
    part = next(each for each in updates if each.event == TradeEvent.PARTIAL_FILL)
    assert part.order.status.value == "partially_filled"
    assert 0 < part.qty < 10
    assert updates[-1].position_qty == 10 * orders


def test_cancel_and_replace_are_sent(trader: Trader, listener: Listener) -> None:
    old = resting(trader)
    trader.broker.step()
    new = trader.client.replace_order_by_id(old.id, ReplaceOrderRequest(qty=3))
    trader.broker.step()
    trader.client.cancel_order_by_id(new.id)
    trader.broker.step()
    updates = listener.until("canceled")
    by_name = dict(zip(names(updates), updates, strict=True))
    assert by_name["replaced"].order.replaced_by == new.id
    assert by_name["canceled"].order.id == new.id


def test_late_cancel_is_rejected_by_event(trader: Trader, listener: Listener) -> None:
    trader.broker.pin("KO", "60")
    asked = LimitOrderRequest(symbol="KO", qty=1, limit_price=50, **BUY)
    order = trader.client.submit_order(asked)
    trader.broker.step()
    trader.broker.call(lambda sim: sim.exchange.hold_cancels(trader.label, True))
    trader.client.cancel_order_by_id(order.id)
    assert trader.status(order) == "pending_cancel"
    trader.broker.pin("KO", "49")
    trader.broker.call(lambda sim: sim.exchange.hold_cancels(trader.label, False))
    updates = listener.until("order_cancel_rejected")
    assert "fill" in names(updates)
    assert updates[-1].order.status.value == "filled"


def test_rejection_is_sent(trader: Trader, listener: Listener) -> None:
    trader.broker.call(lambda sim: sim.exchange.reject_next(trader.label))
    resting(trader)
    trader.broker.step()
    assert listener.until("rejected")[-1].order.failed_at is not None


def test_queued_and_expired_orders_are_sent(target: Broker | Localhost) -> None:
    """Before the opening an order is accepted; at the close it expires."""
    now = [TUESDAY_10_00 - 2 * HOUR]
    serving = Broker(accounts=1, market="nyse", clock=lambda: now[0], step_s=None)
    with ExitStack() as stack:
        at: Broker | Localhost = stack.enter_context(serving)
        if isinstance(target, Localhost):
            at = stack.enter_context(Localhost(serving, lambda: now[0]))
            at.follow("alpha")
        trader = stack.enter_context(closing(Trader(at, "alpha")))
        listener = stack.enter_context(trader.listen())
        assert not trader.client.get_clock().is_open
        resting(trader)
        assert listener.next().event == TradeEvent.ACCEPTED
        now[0] += 2 * HOUR
        serving.step()
        assert names(listener.until("new")) == ["new"]
        now[0] += 7 * HOUR
        serving.step()
        assert listener.until("expired")[-1].order.expired_at is not None


def test_bust_and_correction_are_sent(trader: Trader, listener: Listener) -> None:
    trader.own("AAPL", 1)
    fill = listener.until("fill")[-1]
    execution = str(fill.execution_id)
    trader.broker.call(lambda sim: sim.exchange.correct(trader.label, execution, "150"))
    corrected = listener.until("trade_correct")[-1]
    assert corrected.price == 150
    again = str(corrected.execution_id)
    trader.broker.call(lambda sim: sim.exchange.bust(trader.label, again))
    assert listener.until("trade_bust")[-1].position_qty == 0


def test_all_events_of_a_bracket_are_sent(trader: Trader, listener: Listener) -> None:
    trader.broker.pin("AAPL", "200")
    asked = MarketOrderRequest(
        symbol="AAPL",
        qty=1,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=210),
        stop_loss=StopLossRequest(stop_price=190),
        **BUY,
    )
    parent = trader.client.submit_order(asked)
    trader.broker.settle()
    trader.broker.pin("AAPL", "211")
    profit, loss = parent.legs
    updates = listener.until("canceled")
    assert [(each.order.id, str(each.event)) for each in updates[-2:]] == [
        (profit.id, "fill"),
        (loss.id, "canceled"),
    ]


def test_spread_fill_is_one_event(trader: Trader, listener: Listener) -> None:
    asked = GetOptionContractsRequest(underlying_symbols=["NVDA"], type=ContractType.CALL)
    contracts = trader.client.get_option_contracts(asked).option_contracts
    sides = (OrderSide.BUY, OrderSide.SELL)
    legs = [
        OptionLegRequest(symbol=each.symbol, ratio_qty=1, side=side)
        for each, side in zip(contracts, sides, strict=False)
    ]
    spread = MarketOrderRequest(
        qty=1, order_class=OrderClass.MLEG, time_in_force=TimeInForce.DAY, legs=legs
    )
    order = trader.client.submit_order(spread)
    trader.broker.settle()
    filled = listener.until("fill")[-1]
    assert filled.order.id == order.id
    assert [each.status.value for each in filled.order.legs] == ["filled", "filled"]


def test_raw_frames_keep_everything(trader: Trader) -> None:
    with trader.listen(raw_data=True) as listener:
        resting(trader)
        pending, new = listener.next()["data"], listener.next()["data"]
    assert (pending["event"], new["event"]) == ("pending_new", "new")
    assert list(new)[:5] == ["at", "event_id", "event", "timestamp", "order"]
    assert len(new["event_id"]) == 26
    assert new["event_id"] > pending["event_id"]
    assert "execution_id" not in pending


def test_accounts_receive_only_their_events(trader: Trader, saver: Trader) -> None:
    with trader.listen() as one, saver.listen() as other:
        own = resting(trader)
        others = resting(saver)
        assert one.next().order.id == own.id
        assert other.next().order.id == others.id


def test_unknown_names_pass_and_unknown_statuses_do_not_stop_it(
    trader: Trader, listener: Listener, log: LogQueue
) -> None:
    """An event the SDK has no word for is a string; one it cannot parse is lost, not the socket."""
    trader.broker.fault("unknown_event", account=trader.label, count=1)
    resting(trader)
    assert type(listener.next().event) is str
    listener.next()
    trader.broker.fault("unknown_status", account=trader.label, count=1)
    resting(trader)
    assert log.wait(lambda line: "validation error" in line)
    assert listener.next().event == TradeEvent.NEW


def test_stream_comes_back_after_a_cut(trader: Trader, listener: Listener) -> None:
    trader.broker.cut(trader.label)
    listener.wait_listening(2)
    order = resting(trader)
    assert listener.next().order.id == order.id


def test_second_stream_waits_for_the_first(broker: Broker, trader: Trader, log: LogQueue) -> None:
    """It gets an error instead of an authorization, and tries again."""
    skip_at_localhost(trader.broker, "any number of streams is accepted")
    with trader.listen():
        second = trader.listen()
        second.start()
        assert log.wait(lambda line: line.startswith("error during websocket"))
        assert broker.call(lambda sim: sim.counters.get(trader.label)["sessions_refused"]) >= 1
        second.stop()


def test_invalid_keys_are_reported(trader: Trader, log: LogQueue) -> None:
    other = trader.listen(secret="wrong")
    other.start()
    assert log.wait(lambda line: line.endswith("failed to authenticate"))
    other.stop()
