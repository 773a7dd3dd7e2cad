"""The tape against the exchange: one price process drives trading, positions and data."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.simulator.exchange.engine import AccountSpec, Exchange
from realtime.simulator.market.settings import MarketDataSettings
from realtime.simulator.market.tape import Tape

START = 1_791_295_200_000_000_000
STEP = 100_000_000


class Market:
    """An exchange with a tape and a clock that moves by hand."""

    def __init__(self, seed: int, mode: str = "open") -> None:
        self.now = START
        self.exchange = Exchange(seed=seed, clock=lambda: self.now)
        self.exchange.open_account(AccountSpec(label="alpha", account_number="PA0EXAMPLE01"))
        self.exchange.set_market(mode)
        self.settings = MarketDataSettings()
        self.tape = Tape(self.exchange, self.settings, seed=seed, clock=lambda: self.now)
        self.tape.start()

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += STEP
            self.exchange.advance()
            self.tape.step()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.integers(1, 40))
def test_last_trades_and_quotes_fit_the_prices_that_fill_orders(seed: int, steps: int) -> None:
    """The last trade is the last price, inside the quote; times and ids rise."""
    market = Market(seed)
    market.step(steps)
    for asset in market.exchange.listing.by_symbol.values():
        feed = "us" if asset.is_crypto else "opra" if asset.is_option else "sip"
        tape = market.tape.feed(asset.symbol, feed)
        if not asset.active:
            assert tape is None
            continue
        assert tape is not None
        last = float(market.exchange.price_process.last[asset.symbol])
        assert tape.trades[-1]["p"] == last
        assert tape.quotes[-1]["bp"] <= last <= tape.quotes[-1]["ap"]
        times = [trade["t"] for trade in tape.trades]
        assert times == sorted(set(times))
        assert sum(bar.trades for bar in tape.minutes) == len(tape.trades)
        assert sum(bar.volume for bar in tape.minutes) == sum(t["s"] for t in tape.trades) or (
            asset.is_crypto
        )


def test_iex_has_a_part_of_the_trades() -> None:
    """So its last price may be older than that of SIP."""
    market = Market(7)
    market.step(200)
    sip, iex = market.tape.feed("AAPL", "sip"), market.tape.feed("AAPL", "iex")
    assert sip is not None
    assert iex is not None
    assert 0 < len(iex.trades) < len(sip.trades)
    assert all(trade["x"] == "V" for trade in iex.trades)


def test_stocks_rest_while_the_market_is_closed() -> None:
    market = Market(7, "closed")
    market.step(20)
    assert market.tape.feed("AAPL", "sip") is None
    assert market.tape.feed("BTC/USD", "us") is not None


def test_halted_stocks_have_no_trades() -> None:
    market = Market(7)
    market.settings.halted_symbols = ["AAPL"]
    before = market.tape.feed("AAPL", "sip")
    assert before is not None
    count = len(before.trades)
    market.step(50)
    assert len(before.trades) == count


def test_an_execution_is_printed_with_its_size() -> None:
    market = Market(7)
    market.tape.print_execution("KO", Decimal("62.5"), Decimal("7"))
    tape = market.tape.feed("KO", "iex")
    assert tape is not None
    assert (tape.trades[-1]["p"], tape.trades[-1]["s"], tape.trades[-1]["c"]) == (
        62.5,
        7,
        ["@", "I"],
    )


def test_a_canceled_trade_is_not_the_last_one_any_more() -> None:
    market = Market(7)
    market.step(5)
    tape = market.tape.feed("KO", "sip")
    assert tape is not None
    before, last = tape.trades[-2], tape.trades[-1]
    message = market.tape.amend("KO", price=None)
    assert (message["T"], message["i"]) == ("x", last["i"])
    assert tape.trades[-1] == before
    corrected = market.tape.amend("KO", price=99.5)
    assert (corrected["oi"], corrected["cp"], tape.trades[-1]["p"]) == (before["i"], 99.5, 99.5)
