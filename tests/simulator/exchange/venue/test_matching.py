"""Which orders trade, when, at which price, and in how many parts."""

from collections import Counter
from decimal import Decimal

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, nested


def world_at(price: str, symbol: str = "F") -> ExchangeHarness:
    harness = ExchangeHarness()
    harness.exchange.set_price(symbol, price)
    return harness


def test_a_market_order_trades_at_the_next_step() -> None:
    """The answer says pending_new; `new` follows at once, the fill a step later."""
    harness = world_at("10")
    order = harness.buy("F", 1)
    assert order["status"] == "pending_new"
    assert harness.events() == ["pending_new", "new"]
    harness.step()
    assert harness.events() == ["pending_new", "new", "fill"]
    assert harness.order(order["id"])["filled_avg_price"] == "10"


@pytest.mark.parametrize(
    ("side", "limit", "fills_at"),
    [("buy", "9", "8.5"), ("buy", "10", "10"), ("sell", "11", "11.5"), ("sell", "10", "10")],
)
def test_a_limit_waits_and_gets_the_better_price(side: str, limit: str, fills_at: str) -> None:
    """It trades at the last price, never worse than its limit."""
    harness = world_at("10")
    price = {"type": "limit", "limit_price": limit}
    order = harness.submit(symbol="F", qty=1, side=side, **price)
    harness.step()
    assert (harness.status(order["id"]) == "filled") == (limit == "10")
    harness.exchange.set_price("F", fills_at)
    harness.step()
    assert harness.order(order["id"])["filled_avg_price"] == fills_at


@pytest.mark.parametrize(
    ("side", "stop", "before", "after"),
    [("sell", "9", "9.01", "9"), ("buy", "11", "10.99", "11")],
)
def test_a_stop_fires_when_touched(side: str, stop: str, before: str, after: str) -> None:
    """Not a cent before; then it is a market order."""
    harness = world_at("10")
    order = harness.submit(symbol="F", qty=1, side=side, type="stop", stop_price=stop)
    harness.exchange.set_price("F", before)
    harness.step()
    assert harness.status(order["id"]) == "new"
    harness.exchange.set_price("F", after)
    harness.step()
    assert harness.status(order["id"]) == "filled"


def test_a_buy_stop_is_collared() -> None:
    """Four percent above its stop it waits for the price to come back."""
    harness = world_at("10")
    order = harness.buy("F", 1, type="stop", stop_price="11")
    harness.exchange.set_price("F", "12")
    harness.step(3)
    assert harness.status(order["id"]) == "new"
    harness.exchange.set_price("F", "11.4")
    harness.step()
    assert harness.status(order["id"]) == "filled"


def test_a_stop_limit_keeps_its_limit() -> None:
    """Fired and gapped through, it rests at its limit."""
    harness = world_at("10")
    harness.own("F", 5)
    stop = {"type": "stop_limit", "stop_price": "9", "limit_price": "8.9"}
    order = harness.sell("F", 1, **stop)
    harness.exchange.set_price("F", "8")
    harness.step(2)
    assert harness.status(order["id"]) == "new"
    harness.exchange.set_price("F", "8.95")
    harness.step()
    assert harness.order(order["id"])["filled_avg_price"] == "8.95"


def test_a_trailing_stop_follows_without_events() -> None:
    """The mark rises with the price; the stop stands a distance below it."""
    harness = world_at("100", "NVDA")
    harness.own("NVDA", 10)
    order = harness.sell("NVDA", 10, type="trailing_stop", trail_percent="5")
    assert (order["hwm"], order["stop_price"]) == ("100", "95")
    harness.updates.clear()
    harness.exchange.set_price("NVDA", "120")
    harness.step()
    moved = harness.order(order["id"])
    assert (moved["hwm"], moved["stop_price"]) == ("120", "114")
    assert harness.events() == []
    harness.exchange.set_price("NVDA", "115")
    harness.step()
    assert harness.status(order["id"]) == "new"
    harness.exchange.set_price("NVDA", "113.5")
    harness.settle()
    assert harness.order(order["id"])["filled_avg_price"] == "113.5"


def test_a_buy_trailing_stop_follows_downwards() -> None:
    """In dollars, above the lowest price."""
    harness = world_at("100", "NVDA")
    order = harness.buy("NVDA", 1, type="trailing_stop", trail_price="2.5")
    harness.exchange.set_price("NVDA", "90")
    harness.step()
    assert harness.order(order["id"])["stop_price"] == "92.5"


def test_ioc_and_fok_trade_now_or_never() -> None:
    """Out of the money they are canceled at the next step."""
    harness = world_at("10")
    for time_in_force in ("ioc", "fok"):
        order = harness.buy("F", 1, type="limit", limit_price="9", time_in_force=time_in_force)
        harness.step()
        assert harness.status(order["id"]) == "canceled"
        assert harness.order(order["id"])["canceled_at"] is not None


def test_one_in_ten_fills_in_parts() -> None:
    """The parts add up; the averages are weighted; an ioc loses what is left."""
    harness = ExchangeHarness(cash=Decimal(10_000_000))
    harness.exchange.set_price("F", "10")
    for _ in range(200):
        harness.buy("F", 50)
        harness.step()
    harness.settle()
    counts = Counter(order_id for order_id, event in order_events(harness) if "fill" in event)
    in_parts = [order_id for order_id, count in counts.items() if count > 1]
    assert 5 <= len(in_parts) <= 40
    last = harness.frames(in_parts[0])[-1]
    assert nested(last, "order", "filled_qty") == "50"
    assert harness.qty("F") == 200 * 50
    for _ in range(100):
        harness.buy("F", 50, time_in_force="ioc")
        harness.step()
    canceled = [data for data in harness.frames() if data["event"] == "canceled"]
    assert canceled
    for data in canceled:
        assert nested(data, "order", "filled_qty") not in ("0", "50")


def order_events(harness: ExchangeHarness) -> list[tuple[str, str]]:
    return [(str(nested(d, "order", "id")), str(d["event"])) for d in harness.frames()]


def test_notional_fills_nine_decimals() -> None:
    """`qty` stays null for good; the quantity is cut, never rounded up."""
    harness = world_at("188.43", "NVDA")
    order = harness.submit(symbol="NVDA", notional="50", side="buy")
    harness.step()
    filled = harness.order(order["id"])
    assert (filled["qty"], filled["notional"]) == (None, "50")
    assert filled["filled_qty"] == "0.265350528"
    assert harness.frames()[-1]["position_qty"] == "0.265350528"


def test_crypto_fee_is_taken_in_the_coin() -> None:
    """The position is net of it, the order's quantity is not; a sale pays in dollars."""
    harness = world_at("2511.75", "ETH/USD")
    harness.buy("ETH/USD", "0.4", time_in_force="gtc")
    harness.settle()
    assert harness.frames()[-1]["position_qty"] == "0.399"
    assert nested(harness.frames()[-1], "order", "filled_qty") == "0.4"
    before = harness.cash()
    harness.sell("ETH/USD", "0.2", time_in_force="gtc")
    harness.settle()
    assert harness.cash() - before == Decimal("0.2") * Decimal("2511.75") * Decimal("0.9975")


def test_makers_pay_less() -> None:
    """A limit that waited pays fifteen hundredths of a percent."""
    harness = world_at("2000", "ETH/USD")
    harness.buy("ETH/USD", "1", type="limit", limit_price="1900", time_in_force="gtc")
    harness.step()
    harness.exchange.set_price("ETH/USD", "1900")
    harness.settle()
    assert harness.qty("ETH/USD") == Decimal("0.9985")


def test_nothing_trades_while_the_market_is_closed() -> None:
    """Except crypto; stock orders are queued as `accepted`."""
    harness = ExchangeHarness(mode="closed")
    stock = harness.buy("F", 1)
    assert stock["status"] == "accepted"
    coin = harness.buy("ETH/USD", "0.1", time_in_force="gtc")
    harness.settle()
    assert harness.status(stock["id"]) == "accepted"
    assert harness.status(coin["id"]) == "filled"
    assert harness.events(stock["id"]) == ["accepted"]


def test_suspended_orders_do_not_trade() -> None:
    """Until the venue makes them new again."""
    harness = world_at("10")
    order = harness.buy("F", 1, type="limit", limit_price="9")
    harness.exchange.set_status("alpha", str(order["id"]), "suspended")
    harness.exchange.set_price("F", "8")
    harness.settle()
    assert harness.status(order["id"]) == "suspended"
    harness.exchange.set_status("alpha", str(order["id"]), "new")
    harness.settle()
    assert harness.events(order["id"])[2:4] == ["suspended", "new"]
    assert harness.status(order["id"]) == "filled"
    with pytest.raises(ValueError, match="filled"):
        harness.exchange.set_status("alpha", str(order["id"]), "stopped")


def test_the_venue_may_reject() -> None:
    """After acceptance, with failed_at."""
    harness = world_at("10")
    harness.exchange.reject_next("alpha")
    order = harness.buy("F", 1)
    assert harness.events() == ["pending_new", "rejected"]
    assert harness.order(order["id"])["failed_at"] is not None
    harness.buy("F", 1)
    assert harness.events()[-1] == "new"
    with pytest.raises(ApiError, match="rejected"):
        harness.exchange.cancel("alpha", str(order["id"]))


def test_a_fired_stop_limit_stays_fired() -> None:
    """Gapped through its limit, it sells when the price comes back above both."""
    harness = world_at("10")
    harness.own("F", 5)
    order = harness.sell("F", 1, type="stop_limit", stop_price="9", limit_price="8.9")
    harness.exchange.set_price("F", "8")
    harness.step(2)
    harness.exchange.set_price("F", "9.5")
    harness.step()
    assert harness.order(order["id"])["filled_avg_price"] == "9.5"


def test_crypto_tiers() -> None:
    """Who trades much pays less."""
    harness = ExchangeHarness(crypto_tier=3)
    harness.own("ETH/USD", "1", time_in_force="gtc")
    assert harness.qty("ETH/USD") == Decimal("0.998")
