"""No written option is ever bare, whatever is sold first."""

from decimal import Decimal

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.accounts.test_margin import balances
from tests.simulator.exchange.harness import ExchangeHarness

CALL, HIGHER_CALL = "NVDA261120C00200000", "NVDA261120C00210000"
PUT, LOWER_PUT = "NVDA261120P00200000", "NVDA261120P00180000"
BARE = "account not eligible to trade uncovered option contracts"
HIGH = {"type": "limit", "limit_price": "900"}


def refused(harness: ExchangeHarness, symbol: str, qty: object, **body: object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        harness.sell(symbol, qty, **body)
    return caught.value


def spread(harness: ExchangeHarness, bought: str, written: str) -> None:
    """Own a spread of two contracts."""
    sides = ((bought, "buy"), (written, "sell"))
    legs = [{"symbol": symbol, "ratio_qty": "1", "side": side} for symbol, side in sides]
    harness.submit(qty=2, order_class="mleg", legs=legs)
    harness.settle()


def test_shares_that_cover_a_call_are_locked() -> None:
    """While the call is on its way and while it is written; a call asked for twice is refused."""
    harness = ExchangeHarness()
    harness.own("NVDA", 150)
    call = harness.sell(CALL, 1, **HIGH)
    assert harness.exchange.position("alpha", "NVDA")["qty_available"] == "50"
    assert refused(harness, CALL, 1).body["message"] == BARE
    harness.exchange.cancel("alpha", str(call["id"]))
    assert harness.exchange.position("alpha", "NVDA")["qty_available"] == "150"
    harness.sell(CALL, 1)
    harness.settle()
    assert refused(harness, "NVDA", 51).body["available"] == "50"
    harness.sell("NVDA", 50)


def test_shares_that_are_being_sold_cover_no_call() -> None:
    """They may be gone tomorrow."""
    harness = ExchangeHarness()
    harness.own("NVDA", 100)
    harness.sell("NVDA", 1, **HIGH)
    assert refused(harness, CALL, 1).body["message"] == BARE


def test_a_covered_call_may_be_replaced() -> None:
    """The old order's claim on the shares does not stand in the way of the new one's."""
    harness = ExchangeHarness()
    harness.own("NVDA", 100)
    call = harness.sell(CALL, 1, **HIGH)
    harness.step()
    new = harness.exchange.replace("alpha", str(call["id"]), {"limit_price": "800"})
    assert new["limit_price"] == "800"


@pytest.mark.parametrize("multiplier", [1, 2, 4])
def test_an_open_put_order_reserves_its_strike(multiplier: int) -> None:
    """As much as it ties up once it is written."""
    harness = ExchangeHarness(multiplier=str(multiplier))
    harness.exchange.set_price(LOWER_PUT, "3")
    power = ("options_buying_power", "non_marginable_buying_power", "buying_power")
    before = balances(harness, *power)
    put = harness.sell(LOWER_PUT, 2, type="limit", limit_price="4")
    asked = balances(harness, *power)
    taken = [was - now for was, now in zip(before, asked, strict=True)]
    assert taken == [36_000, 36_000, 36_000 * multiplier]
    harness.exchange.cancel("alpha", str(put["id"]))
    harness.sell(LOWER_PUT, 2)
    harness.settle()
    premium = 600 if multiplier == 1 else 0  # there, power is cash
    assert balances(harness, *power) == [*asked[:2], asked[2] + premium]


def test_puts_cannot_be_written_without_end() -> None:
    """Each is secured by its own dollars, also while none has filled."""
    harness = ExchangeHarness(cash=Decimal(50_000))
    for _ in range(2):
        harness.sell(LOWER_PUT, 1, **HIGH)
    assert refused(harness, LOWER_PUT, 1, **HIGH).body["message"] == BARE


@pytest.mark.parametrize("multiplier", ["1", "4"])
def test_cash_securing_a_put_is_not_available(multiplier: str) -> None:
    """Not stock in an account without margin, nor coins in any."""
    harness = ExchangeHarness(multiplier=multiplier, cash=Decimal(20_000))
    harness.sell(LOWER_PUT, 1)
    harness.settle()
    assert balances(harness, "non_marginable_buying_power")[0] < 4_000
    with pytest.raises(ApiError, match="insufficient balance for USD"):
        harness.buy("ETH/USD", 4, time_in_force="gtc")
    if multiplier == "1":
        assert balances(harness, "buying_power")[0] < 4_000


@pytest.mark.parametrize(("bought", "written"), [(CALL, HIGHER_CALL), (PUT, LOWER_PUT)])
def test_a_bought_leg_stays_while_the_written_one_does(bought: str, written: str) -> None:
    """Unless shares or money take its place."""
    harness = ExchangeHarness(cash=Decimal(10_000))
    spread(harness, bought, written)
    assert refused(harness, bought, 1).body["message"] == BARE
    harness.buy(written, 1)
    harness.sell(bought, 1)
    assert refused(harness, bought, 1).body["message"] == BARE


def test_a_spread_cannot_sell_cover() -> None:
    """Its legs must cover each other, and what is written besides."""
    harness = ExchangeHarness(cash=Decimal(10_000))
    spread(harness, CALL, HIGHER_CALL)
    legs = [
        {"symbol": CALL, "ratio_qty": "1", "side": "sell"},
        {"symbol": LOWER_PUT, "ratio_qty": "1", "side": "buy"},
    ]
    with pytest.raises(ApiError, match="uncovered"):
        harness.submit(qty=2, order_class="mleg", legs=legs)
    legs[1] = {"symbol": HIGHER_CALL, "ratio_qty": "1", "side": "buy"}
    harness.submit(qty=2, order_class="mleg", legs=legs)


def test_shares_may_take_the_place_of_a_bought_call() -> None:
    """A spread becomes a covered call, and the shares are locked then."""
    harness = ExchangeHarness()
    spread(harness, CALL, HIGHER_CALL)
    harness.own("NVDA", 200)
    harness.sell(CALL, 2)
    assert harness.exchange.position("alpha", "NVDA")["qty_available"] == "0"


def test_close_all_closes_spreads_and_covered_calls() -> None:
    """What is written goes first, then nothing needs its cover any more."""
    harness = ExchangeHarness()
    spread(harness, PUT, LOWER_PUT)
    harness.own("NVDA", 100)
    harness.sell(CALL, 1)
    harness.settle()
    answer = harness.exchange.close_all_positions("alpha", cancel_orders=False)
    assert [item["status"] for item in answer] == [200] * 4
    harness.settle()
    assert harness.exchange.positions("alpha") == []
