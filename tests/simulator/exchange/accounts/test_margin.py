"""Buying power and margins, by the rules the protocol notes give."""

from decimal import Decimal

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness


def balances(harness: ExchangeHarness, *names: str) -> list[Decimal]:
    account = harness.account()
    return [Decimal(str(account[name])) for name in names]


def test_a_margin_account_may_spend_twice_its_excess() -> None:
    """Half of the stock's value is tied up, thirty percent must stay."""
    harness = ExchangeHarness()
    harness.own("F", 1000, price="11")
    assert balances(harness, "equity", "cash", "long_market_value") == [100000, 89000, 11000]
    assert balances(harness, "initial_margin", "maintenance_margin") == [5500, 3300]
    assert balances(harness, "buying_power", "options_buying_power") == [189000, 94500]
    assert balances(harness, "non_marginable_buying_power") == [89000]


@pytest.mark.parametrize(("multiplier", "power"), [("1", 100000), ("2", 200000), ("4", 400000)])
def test_multipliers(multiplier: str, power: int) -> None:
    """One, two or four times the money of an empty account."""
    assert balances(ExchangeHarness(multiplier=multiplier), "buying_power") == [power]


def test_four_times_shrinks_by_what_is_opened() -> None:
    """Cost, not market value, so that prices do not move it."""
    harness = ExchangeHarness(multiplier="4")
    harness.own("F", 1000, price="11")
    assert balances(harness, "buying_power") == [389000]


@pytest.mark.parametrize("multiplier", ["1", "2", "4"])
def test_buying_power_follows_deposits_and_withdrawals(multiplier: str) -> None:
    """At once, and the next day is based on the new equity."""
    harness = ExchangeHarness(multiplier=multiplier)
    harness.exchange.deposit("alpha", "1000")
    assert balances(harness, "buying_power") == [int(multiplier) * 101_000]
    harness.exchange.deposit("alpha", "-2000")
    assert balances(harness, "buying_power") == [int(multiplier) * 99_000]
    harness.exchange.end_day()
    assert balances(harness, "buying_power") == [int(multiplier) * 99_000]


def test_open_orders_hold_buying_power_back() -> None:
    """A limit order its price, a market order a collar above the last; a cancel frees both."""
    harness = ExchangeHarness()
    harness.exchange.set_price("F", "10")
    limit = harness.buy("F", 100, type="limit", limit_price="9")
    assert balances(harness, "buying_power") == [200000 - 900]
    harness.exchange.cancel("alpha", str(limit["id"]))
    assert balances(harness, "buying_power") == [200000]
    harness.buy("F", 100, time_in_force="opg")
    assert balances(harness, "buying_power") == [200000 - 1040]


def test_insufficient_buying_power_reports_power_and_cost() -> None:
    """The body of the recording."""
    harness = ExchangeHarness()
    with pytest.raises(ApiError) as caught:
        harness.buy("F", 100000, type="limit", limit_price="9")
    assert caught.value.status == 403
    assert caught.value.body == {
        "buying_power": "200000",
        "code": 40310000,
        "cost_basis": "900000",
        "message": "insufficient buying power",
    }


def test_shorts_need_margin() -> None:
    """Equity stays, the value is negative, five dollars or thirty percent must stay."""
    harness = ExchangeHarness()
    harness.exchange.set_price("F", "11")
    harness.sell("F", 1000)
    harness.settle()
    assert balances(harness, "equity", "cash", "short_market_value") == [100000, 111000, -11000]
    assert balances(harness, "initial_margin", "maintenance_margin") == [5500, 5000]


def test_crypto_is_paid_in_full() -> None:
    """No margin on coins: they count with their whole value."""
    harness = ExchangeHarness()
    harness.own("ETH/USD", "10", price="2000", time_in_force="gtc")
    assert balances(harness, "non_marginable_buying_power") == [80000]
    assert balances(harness, "initial_margin") == [Decimal("9.975") * 2000]
    with pytest.raises(ApiError, match="insufficient balance for USD"):
        harness.buy("ETH/USD", "41", time_in_force="gtc")


def test_options_count_in_hundreds() -> None:
    """Price per share, contract of a hundred."""
    harness = ExchangeHarness()
    harness.exchange.set_price("NVDA261120C00200000", "6.30")
    harness.buy("NVDA261120C00200000", 2)
    harness.settle()
    assert balances(harness, "cash", "long_market_value") == [98740, 1260]


def test_configuration_can_lower_the_multiplier() -> None:
    """The customer's setting caps the account's."""
    harness = ExchangeHarness()
    harness.exchange.patch_configurations("alpha", {"max_margin_multiplier": "1"})
    assert balances(harness, "buying_power") == [100000]
    assert harness.account()["multiplier"] == "1"


def test_coins_and_contracts_reserve_twice() -> None:
    """A dollar paid in full costs two of margin power, one of cash."""
    harness = ExchangeHarness()
    coin = {"type": "limit", "limit_price": "1000", "time_in_force": "gtc"}
    harness.buy("ETH/USD", "1", **coin)
    assert balances(harness, "buying_power", "non_marginable_buying_power") == [198000, 99000]
    harness.buy("NVDA261120C00200000", 1, type="limit", limit_price="1")
    assert balances(harness, "options_buying_power", "non_marginable_buying_power") == [
        98900,
        98900,
    ]


@pytest.mark.parametrize(
    ("price", "side", "maintenance"),
    [("2.4", "buy", 240), ("2.5", "buy", 75), ("4", "sell", 400), ("2", "sell", 250)],
)
def test_cheap_stocks_need_more(price: str, side: str, maintenance: int) -> None:
    """Long below 2.50: all; short below 5: the price, but at least 2.50."""
    harness = ExchangeHarness()
    harness.exchange.set_price("F", price)
    harness.submit(symbol="F", qty=100, side=side)
    harness.settle()
    assert balances(harness, "maintenance_margin") == [maintenance]


def test_four_times_counts_what_is_paid_in_full_four_times() -> None:
    """Asked for or held: coins and contracts take as much power before their fill as after."""
    harness = ExchangeHarness(multiplier="4")
    harness.exchange.set_price("ETH/USD", "2000")
    order = harness.buy("ETH/USD", 1, type="limit", limit_price="2000", time_in_force="gtc")
    power = ("buying_power", "regt_buying_power", "options_buying_power")
    assert balances(harness, *power) == [392000, 196000, 98000]
    harness.settle()
    assert harness.status(order["id"]) == "filled"
    fee = 4 * 5  # 0.25 % of the coin
    assert balances(harness, *power)[0] == 392000 + fee
