"""Prices walk by the seed alone, stay on their ticks, and do what a test tells them."""

from datetime import date
from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.simulator.exchange.timestamps import MINUTE
from realtime.simulator.exchange.venue.prices import PriceProcess
from realtime.simulator.exchange.venue.symbols import build_listing


def board(seed: int = 7) -> PriceProcess:
    return PriceProcess(build_listing(date(2026, 10, 6)), Random(seed))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_prices_stay_on_their_ticks(seed: int) -> None:
    """Above zero; cents from a dollar up, hundredths of cents below."""
    prices = board(seed)
    for _ in range(300):
        prices.step(stocks_trade=True)
    for price in prices.last.values():
        assert price > 0
        assert price == round(price, 2 if price >= 1 else 4)


def test_pinning_one_symbol_changes_no_other() -> None:
    """Chance is drawn for every symbol at every step."""
    free, pinned = board(), board()
    pinned.pin("NVDA", Decimal("100"))
    for _ in range(50):
        free.step(stocks_trade=True)
        pinned.step(stocks_trade=True)
    assert pinned.last["NVDA"] == 100
    others = [s for s in free.last if not s.startswith("NVDA")]
    assert [free.last[s] for s in others] == [pinned.last[s] for s in others]


def test_only_crypto_moves_when_the_market_is_closed() -> None:
    """Options stand still too."""
    prices = board()
    before = dict(prices.last)
    for _ in range(50):
        prices.step(stocks_trade=False)
    moved = {symbol for symbol in before if prices.last[symbol] != before[symbol]}
    assert moved == {"BTC/USD", "ETH/USD"}


def test_options_follow_their_underlying() -> None:
    """A call gains and a put loses when the stock rises."""
    prices = board()
    prices.pin("NVDA", Decimal("185"))
    low = dict(prices.last)
    prices.pin("NVDA", Decimal("195"))
    assert prices.last["NVDA261120C00200000"] > low["NVDA261120C00200000"]
    assert prices.last["NVDA261120P00200000"] < low["NVDA261120P00200000"]


def test_memory_is_one_sample_a_minute() -> None:
    """However often a step happens."""
    prices = board()
    for second in range(180):
        prices.remember_minute(second * MINUTE // 60)
    assert [at for at, _ in prices.minutes] == [0, MINUTE, 2 * MINUTE]


def test_a_split_divides_yesterday_too() -> None:
    """So that the day's change stays what it was."""
    prices = board()
    before, lastday = prices.last["NVDA"], prices.lastday["NVDA"]
    prices.split("NVDA", Decimal(4))
    assert abs(prices.last["NVDA"] * 4 - before) < Decimal("0.04")
    assert abs(prices.lastday["NVDA"] * 4 - lastday) < Decimal("0.04")
