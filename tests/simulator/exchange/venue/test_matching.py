"""Which orders trade, when, at which price, and in how many parts."""

from collections import Counter
from decimal import Decimal

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import World, nested


def world_at(price: str, symbol: str = "F") -> World:
    world = World()
    world.exchange.set_price(symbol, price)
    return world


def test_a_market_order_trades_at_the_next_step() -> None:
    """The answer says pending_new; `new` follows at once, the fill a step later."""
    world = world_at("10")
    order = world.buy("F", 1)
    assert order["status"] == "pending_new"
    assert world.events() == ["pending_new", "new"]
    world.step()
    assert world.events() == ["pending_new", "new", "fill"]
    assert world.order(order["id"])["filled_avg_price"] == "10"


@pytest.mark.parametrize(
    ("side", "limit", "fills_at"),
    [("buy", "9", "8.5"), ("buy", "10", "10"), ("sell", "11", "11.5"), ("sell", "10", "10")],
)
def test_a_limit_waits_and_gets_the_better_price(side: str, limit: str, fills_at: str) -> None:
    """It trades at the last price, never worse than its limit."""
    world = world_at("10")
    price = {"type": "limit", "limit_price": limit}
    order = world.submit(symbol="F", qty=1, side=side, **price)
    world.step()
    assert (world.status(order["id"]) == "filled") == (limit == "10")
    world.exchange.set_price("F", fills_at)
    world.step()
    assert world.order(order["id"])["filled_avg_price"] == fills_at


@pytest.mark.parametrize(
    ("side", "stop", "before", "after"),
    [("sell", "9", "9.01", "9"), ("buy", "11", "10.99", "11")],
)
def test_a_stop_fires_when_touched(side: str, stop: str, before: str, after: str) -> None:
    """Not a cent before; then it is a market order."""
    world = world_at("10")
    order = world.submit(symbol="F", qty=1, side=side, type="stop", stop_price=stop)
    world.exchange.set_price("F", before)
    world.step()
    assert world.status(order["id"]) == "new"
    world.exchange.set_price("F", after)
    world.step()
    assert world.status(order["id"]) == "filled"


def test_a_buy_stop_is_collared() -> None:
    """Four percent above its stop it waits for the price to come back."""
    world = world_at("10")
    order = world.buy("F", 1, type="stop", stop_price="11")
    world.exchange.set_price("F", "12")
    world.step(3)
    assert world.status(order["id"]) == "new"
    world.exchange.set_price("F", "11.4")
    world.step()
    assert world.status(order["id"]) == "filled"


def test_a_stop_limit_keeps_its_limit() -> None:
    """Fired and gapped through, it rests at its limit."""
    world = world_at("10")
    world.own("F", 5)
    stop = {"type": "stop_limit", "stop_price": "9", "limit_price": "8.9"}
    order = world.sell("F", 1, **stop)
    world.exchange.set_price("F", "8")
    world.step(2)
    assert world.status(order["id"]) == "new"
    world.exchange.set_price("F", "8.95")
    world.step()
    assert world.order(order["id"])["filled_avg_price"] == "8.95"


def test_a_trailing_stop_follows_without_events() -> None:
    """The mark rises with the price; the stop stands a distance below it."""
    world = world_at("100", "NVDA")
    world.own("NVDA", 10)
    order = world.sell("NVDA", 10, type="trailing_stop", trail_percent="5")
    assert (order["hwm"], order["stop_price"]) == ("100", "95")
    world.updates.clear()
    world.exchange.set_price("NVDA", "120")
    world.step()
    moved = world.order(order["id"])
    assert (moved["hwm"], moved["stop_price"]) == ("120", "114")
    assert world.events() == []
    world.exchange.set_price("NVDA", "115")
    world.step()
    assert world.status(order["id"]) == "new"
    world.exchange.set_price("NVDA", "113.5")
    world.settle()
    assert world.order(order["id"])["filled_avg_price"] == "113.5"


def test_a_buy_trailing_stop_follows_downwards() -> None:
    """In dollars, above the lowest price."""
    world = world_at("100", "NVDA")
    order = world.buy("NVDA", 1, type="trailing_stop", trail_price="2.5")
    world.exchange.set_price("NVDA", "90")
    world.step()
    assert world.order(order["id"])["stop_price"] == "92.5"


def test_ioc_and_fok_trade_now_or_never() -> None:
    """Out of the money they are canceled at the next step."""
    world = world_at("10")
    for time_in_force in ("ioc", "fok"):
        order = world.buy("F", 1, type="limit", limit_price="9", time_in_force=time_in_force)
        world.step()
        assert world.status(order["id"]) == "canceled"
        assert world.order(order["id"])["canceled_at"] is not None


def test_one_in_ten_fills_in_parts() -> None:
    """The parts add up; the averages are weighted; an ioc loses what is left."""
    world = World(cash=Decimal(10_000_000))
    world.exchange.set_price("F", "10")
    for _ in range(200):
        world.buy("F", 50)
        world.step()
    world.settle()
    counts = Counter(order_id for order_id, event in order_events(world) if "fill" in event)
    in_parts = [order_id for order_id, count in counts.items() if count > 1]
    assert 5 <= len(in_parts) <= 40
    last = world.frames(in_parts[0])[-1]
    assert nested(last, "order", "filled_qty") == "50"
    assert world.qty("F") == 200 * 50
    for _ in range(100):
        world.buy("F", 50, time_in_force="ioc")
        world.step()
    canceled = [data for data in world.frames() if data["event"] == "canceled"]
    assert canceled
    for data in canceled:
        assert nested(data, "order", "filled_qty") not in ("0", "50")


def order_events(world: World) -> list[tuple[str, str]]:
    return [(str(nested(d, "order", "id")), str(d["event"])) for d in world.frames()]


def test_notional_fills_nine_decimals() -> None:
    """`qty` stays null for good; the quantity is cut, never rounded up."""
    world = world_at("188.43", "NVDA")
    order = world.submit(symbol="NVDA", notional="50", side="buy")
    world.step()
    filled = world.order(order["id"])
    assert (filled["qty"], filled["notional"]) == (None, "50")
    assert filled["filled_qty"] == "0.265350528"
    assert world.frames()[-1]["position_qty"] == "0.265350528"


def test_crypto_fee_is_taken_in_the_coin() -> None:
    """The position is net of it, the order's quantity is not; a sale pays in dollars."""
    world = world_at("2511.75", "ETH/USD")
    world.buy("ETH/USD", "0.4", time_in_force="gtc")
    world.settle()
    assert world.frames()[-1]["position_qty"] == "0.399"
    assert nested(world.frames()[-1], "order", "filled_qty") == "0.4"
    before = world.cash()
    world.sell("ETH/USD", "0.2", time_in_force="gtc")
    world.settle()
    assert world.cash() - before == Decimal("0.2") * Decimal("2511.75") * Decimal("0.9975")


def test_makers_pay_less() -> None:
    """A limit that waited pays fifteen hundredths of a percent."""
    world = world_at("2000", "ETH/USD")
    world.buy("ETH/USD", "1", type="limit", limit_price="1900", time_in_force="gtc")
    world.step()
    world.exchange.set_price("ETH/USD", "1900")
    world.settle()
    assert world.qty("ETH/USD") == Decimal("0.9985")


def test_nothing_trades_while_the_market_is_closed() -> None:
    """Except crypto; stock orders are queued as `accepted`."""
    world = World(mode="closed")
    stock = world.buy("F", 1)
    assert stock["status"] == "accepted"
    coin = world.buy("ETH/USD", "0.1", time_in_force="gtc")
    world.settle()
    assert world.status(stock["id"]) == "accepted"
    assert world.status(coin["id"]) == "filled"
    assert world.events(stock["id"]) == ["accepted"]


def test_suspended_orders_do_not_trade() -> None:
    """Until the venue makes them new again."""
    world = world_at("10")
    order = world.buy("F", 1, type="limit", limit_price="9")
    world.exchange.set_status("alpha", str(order["id"]), "suspended")
    world.exchange.set_price("F", "8")
    world.settle()
    assert world.status(order["id"]) == "suspended"
    world.exchange.set_status("alpha", str(order["id"]), "new")
    world.settle()
    assert world.events(order["id"])[2:4] == ["suspended", "new"]
    assert world.status(order["id"]) == "filled"
    with pytest.raises(ValueError, match="filled"):
        world.exchange.set_status("alpha", str(order["id"]), "stopped")


def test_the_venue_may_reject() -> None:
    """After acceptance, with failed_at."""
    world = world_at("10")
    world.exchange.reject_next("alpha")
    order = world.buy("F", 1)
    assert world.events() == ["pending_new", "rejected"]
    assert world.order(order["id"])["failed_at"] is not None
    world.buy("F", 1)
    assert world.events()[-1] == "new"
    with pytest.raises(ApiError, match="rejected"):
        world.exchange.cancel("alpha", str(order["id"]))


def test_a_fired_stop_limit_stays_fired() -> None:
    """Gapped through its limit, it sells when the price comes back above both."""
    world = world_at("10")
    world.own("F", 5)
    order = world.sell("F", 1, type="stop_limit", stop_price="9", limit_price="8.9")
    world.exchange.set_price("F", "8")
    world.step(2)
    world.exchange.set_price("F", "9.5")
    world.step()
    assert world.order(order["id"])["filled_avg_price"] == "9.5"


def test_crypto_tiers() -> None:
    """Who trades much pays less."""
    world = World(crypto_tier=3)
    world.own("ETH/USD", "1", time_in_force="gtc")
    assert world.qty("ETH/USD") == Decimal("0.998")
