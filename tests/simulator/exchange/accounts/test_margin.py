"""Buying power and margins, by the rules the protocol notes give."""

from decimal import Decimal

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import World


def balances(world: World, *names: str) -> list[Decimal]:
    account = world.account()
    return [Decimal(str(account[name])) for name in names]


def test_a_margin_account_may_spend_twice_its_excess() -> None:
    """Half of the stock's value is tied up, thirty percent must stay."""
    world = World()
    world.own("F", 1000, price="11")
    assert balances(world, "equity", "cash", "long_market_value") == [100000, 89000, 11000]
    assert balances(world, "initial_margin", "maintenance_margin") == [5500, 3300]
    assert balances(world, "buying_power", "options_buying_power") == [189000, 94500]
    assert balances(world, "non_marginable_buying_power") == [89000]


@pytest.mark.parametrize(("multiplier", "power"), [("1", 100000), ("2", 200000), ("4", 400000)])
def test_multipliers(multiplier: str, power: int) -> None:
    """One, two or four times the money of an empty account."""
    assert balances(World(multiplier=multiplier), "buying_power") == [power]


def test_four_times_shrinks_by_what_is_opened() -> None:
    """Cost, not market value, so that prices do not move it."""
    world = World(multiplier="4")
    world.own("F", 1000, price="11")
    assert balances(world, "buying_power") == [389000]


def test_open_orders_hold_buying_power_back() -> None:
    """A limit order its price, a market order a collar above the last; a cancel frees both."""
    world = World()
    world.exchange.set_price("F", "10")
    limit = world.buy("F", 100, type="limit", limit_price="9")
    assert balances(world, "buying_power") == [200000 - 900]
    world.exchange.cancel("alpha", str(limit["id"]))
    assert balances(world, "buying_power") == [200000]
    world.buy("F", 100, time_in_force="opg")
    assert balances(world, "buying_power") == [200000 - 1040]


def test_too_expensive_names_power_and_cost() -> None:
    """The body of the recording."""
    world = World()
    with pytest.raises(ApiError) as caught:
        world.buy("F", 100000, type="limit", limit_price="9")
    assert caught.value.status == 403
    assert caught.value.body == {
        "buying_power": "200000",
        "code": 40310000,
        "cost_basis": "900000",
        "message": "insufficient buying power",
    }


def test_shorts_need_margin() -> None:
    """Equity stays, the value is negative, five dollars or thirty percent must stay."""
    world = World()
    world.exchange.set_price("F", "11")
    world.sell("F", 1000)
    world.settle()
    assert balances(world, "equity", "cash", "short_market_value") == [100000, 111000, -11000]
    assert balances(world, "initial_margin", "maintenance_margin") == [5500, 5000]


def test_crypto_is_paid_in_full() -> None:
    """No margin on coins: they count with their whole value."""
    world = World()
    world.own("ETH/USD", "10", price="2000", time_in_force="gtc")
    assert balances(world, "non_marginable_buying_power") == [80000]
    assert balances(world, "initial_margin") == [Decimal("9.975") * 2000]
    with pytest.raises(ApiError, match="insufficient balance for USD"):
        world.buy("ETH/USD", "41", time_in_force="gtc")


def test_options_count_in_hundreds() -> None:
    """Price per share, contract of a hundred."""
    world = World()
    world.exchange.set_price("NVDA261120C00200000", "6.30")
    world.buy("NVDA261120C00200000", 2)
    world.settle()
    assert balances(world, "cash", "long_market_value") == [98740, 1260]


def test_a_lower_multiplier_can_be_wished_for() -> None:
    """The customer's setting caps the account's."""
    world = World()
    world.exchange.patch_configurations("alpha", {"max_margin_multiplier": "1"})
    assert balances(world, "buying_power") == [100000]
    assert world.account()["multiplier"] == "1"


def test_coins_and_contracts_reserve_twice() -> None:
    """A dollar paid in full costs two of margin power, one of cash."""
    world = World()
    coin = {"type": "limit", "limit_price": "1000", "time_in_force": "gtc"}
    world.buy("ETH/USD", "1", **coin)
    assert balances(world, "buying_power", "non_marginable_buying_power") == [198000, 99000]
    world.buy("NVDA261120C00200000", 1, type="limit", limit_price="1")
    assert balances(world, "options_buying_power", "non_marginable_buying_power") == [98900, 98900]


@pytest.mark.parametrize(
    ("price", "side", "maintenance"),
    [("2.4", "buy", 240), ("2.5", "buy", 75), ("4", "sell", 400), ("2", "sell", 250)],
)
def test_cheap_stocks_need_more(price: str, side: str, maintenance: int) -> None:
    """Long below 2.50: all; short below 5: the price, but at least 2.50."""
    world = World()
    world.exchange.set_price("F", price)
    world.submit(symbol="F", qty=100, side=side)
    world.settle()
    assert balances(world, "maintenance_margin") == [maintenance]


def test_four_times_counts_what_is_paid_in_full_four_times() -> None:
    """Asked for or held: coins and contracts take as much power before their fill as after."""
    world = World(multiplier="4")
    world.exchange.set_price("ETH/USD", "2000")
    order = world.buy("ETH/USD", 1, type="limit", limit_price="2000", time_in_force="gtc")
    power = ("buying_power", "regt_buying_power", "options_buying_power")
    assert balances(world, *power) == [392000, 196000, 98000]
    world.settle()
    assert world.status(order["id"]) == "filled"
    fee = 4 * 5  # 0.25 % of the coin
    assert balances(world, *power)[0] == 392000 + fee
