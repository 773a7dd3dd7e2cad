"""No written option is ever bare, whatever is sold first."""

from decimal import Decimal

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.accounts.test_margin import balances
from tests.simulator.exchange.harness import World

CALL, HIGHER_CALL = "NVDA261120C00200000", "NVDA261120C00210000"
PUT, LOWER_PUT = "NVDA261120P00200000", "NVDA261120P00180000"
BARE = "account not eligible to trade uncovered option contracts"
HIGH = {"type": "limit", "limit_price": "900"}


def refused(world: World, symbol: str, qty: object, **body: object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        world.sell(symbol, qty, **body)
    return caught.value


def spread(world: World, bought: str, written: str) -> None:
    """Own a spread of two contracts."""
    sides = ((bought, "buy"), (written, "sell"))
    legs = [{"symbol": symbol, "ratio_qty": "1", "side": side} for symbol, side in sides]
    world.submit(qty=2, order_class="mleg", legs=legs)
    world.settle()


def test_shares_that_cover_a_call_are_locked() -> None:
    """While the call is on its way and while it is written; a call asked for twice is refused."""
    world = World()
    world.own("NVDA", 150)
    call = world.sell(CALL, 1, **HIGH)
    assert world.exchange.position("alpha", "NVDA")["qty_available"] == "50"
    assert refused(world, CALL, 1).body["message"] == BARE
    world.exchange.cancel("alpha", str(call["id"]))
    assert world.exchange.position("alpha", "NVDA")["qty_available"] == "150"
    world.sell(CALL, 1)
    world.settle()
    assert refused(world, "NVDA", 51).body["available"] == "50"
    world.sell("NVDA", 50)


def test_shares_that_are_being_sold_cover_no_call() -> None:
    """They may be gone tomorrow."""
    world = World()
    world.own("NVDA", 100)
    world.sell("NVDA", 1, **HIGH)
    assert refused(world, CALL, 1).body["message"] == BARE


def test_a_covered_call_may_be_replaced() -> None:
    """The old order's claim on the shares does not stand in the way of the new one's."""
    world = World()
    world.own("NVDA", 100)
    call = world.sell(CALL, 1, **HIGH)
    world.step()
    new = world.exchange.replace("alpha", str(call["id"]), {"limit_price": "800"})
    assert new["limit_price"] == "800"


@pytest.mark.parametrize("multiplier", [1, 2, 4])
def test_a_put_on_its_way_holds_its_strike_back(multiplier: int) -> None:
    """As much as it ties up once it is written."""
    world = World(multiplier=str(multiplier))
    world.exchange.set_price(LOWER_PUT, "3")
    power = ("options_buying_power", "non_marginable_buying_power", "buying_power")
    before = balances(world, *power)
    put = world.sell(LOWER_PUT, 2, type="limit", limit_price="4")
    asked = balances(world, *power)
    taken = [was - now for was, now in zip(before, asked, strict=True)]
    assert taken == [36_000, 36_000, 36_000 * multiplier]
    world.exchange.cancel("alpha", str(put["id"]))
    world.sell(LOWER_PUT, 2)
    world.settle()
    premium = 600 if multiplier == 1 else 0  # there, power is cash
    assert balances(world, *power) == [*asked[:2], asked[2] + premium]


def test_puts_cannot_be_written_without_end() -> None:
    """Each is secured by its own dollars, also while none has filled."""
    world = World(cash=Decimal(50_000))
    for _ in range(2):
        world.sell(LOWER_PUT, 1, **HIGH)
    assert refused(world, LOWER_PUT, 1, **HIGH).body["message"] == BARE


@pytest.mark.parametrize("multiplier", ["1", "4"])
def test_money_under_a_put_buys_nothing_else(multiplier: str) -> None:
    """Not stock in an account without margin, nor coins in any."""
    world = World(multiplier=multiplier, cash=Decimal(20_000))
    world.sell(LOWER_PUT, 1)
    world.settle()
    assert balances(world, "non_marginable_buying_power")[0] < 4_000
    with pytest.raises(ApiError, match="insufficient balance for USD"):
        world.buy("ETH/USD", 4, time_in_force="gtc")
    if multiplier == "1":
        assert balances(world, "buying_power")[0] < 4_000


@pytest.mark.parametrize(("bought", "written"), [(CALL, HIGHER_CALL), (PUT, LOWER_PUT)])
def test_a_bought_leg_stays_while_the_written_one_does(bought: str, written: str) -> None:
    """Unless shares or money take its place."""
    world = World(cash=Decimal(10_000))
    spread(world, bought, written)
    assert refused(world, bought, 1).body["message"] == BARE
    world.buy(written, 1)
    world.sell(bought, 1)
    assert refused(world, bought, 1).body["message"] == BARE


def test_a_spread_cannot_take_the_cover_away_either() -> None:
    """Its legs must cover each other, and what is written besides."""
    world = World(cash=Decimal(10_000))
    spread(world, CALL, HIGHER_CALL)
    legs = [
        {"symbol": CALL, "ratio_qty": "1", "side": "sell"},
        {"symbol": LOWER_PUT, "ratio_qty": "1", "side": "buy"},
    ]
    with pytest.raises(ApiError, match="uncovered"):
        world.submit(qty=2, order_class="mleg", legs=legs)
    legs[1] = {"symbol": HIGHER_CALL, "ratio_qty": "1", "side": "buy"}
    world.submit(qty=2, order_class="mleg", legs=legs)


def test_shares_may_take_the_place_of_a_bought_call() -> None:
    """A spread becomes a covered call, and the shares are locked then."""
    world = World()
    spread(world, CALL, HIGHER_CALL)
    world.own("NVDA", 200)
    world.sell(CALL, 2)
    assert world.exchange.position("alpha", "NVDA")["qty_available"] == "0"


def test_close_all_closes_spreads_and_covered_calls() -> None:
    """What is written goes first, then nothing needs its cover any more."""
    world = World()
    spread(world, PUT, LOWER_PUT)
    world.own("NVDA", 100)
    world.sell(CALL, 1)
    world.settle()
    answer = world.exchange.close_all_positions("alpha", cancel_orders=False)
    assert [item["status"] for item in answer] == [200] * 4
    world.settle()
    assert world.exchange.positions("alpha") == []
