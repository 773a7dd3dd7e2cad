"""Symbols by their spelling: exact forms, kinds, and two spellings of one coin."""

import pytest

from realtime.orders.errors import Declined
from realtime.orders.symbols import (
    add_slash,
    get_symbol_kind,
    get_underlying,
    is_among,
    is_order_id,
    is_symbol,
)
from tests.orders.trading import order

OCC = "NVDA261120C00200000"
ORDER_ID = "773742da-1cfc-4d9c-ac52-d118e6135afa"


@pytest.mark.parametrize(
    "symbol", ["AAPL", "aapl", "BRK.B", "BTC/USD", "BTCUSD", OCC, "A", "AGM-A"]
)
def test_a_documented_form_is_a_symbol(symbol: str) -> None:
    assert is_symbol(symbol)
    assert order(symbol=symbol).symbol == symbol


@pytest.mark.parametrize(
    "symbol",
    [
        "", ".", "..", "/", "AAPL\n", "\nAAPL", "AAPL ", " AAPL", "AA PL", "AAPL/", "/AAPL", "A//B",
        "A..B", "../orders", "AAPL?x=1", "AAPL%2f", "AAPL;", "AAPL\0", "ＡＡＰＬ", "AAPL\u2028",
        "904837e3-3b76-47ec-b432-046db621571b", "904837e33b7647ecb432046db621571b", "A" * 25, "$X",
    ],
    ids=repr,
)  # fmt: skip
def test_any_other_text_is_refused_here(symbol: str) -> None:
    assert not is_symbol(symbol)
    with pytest.raises(Declined) as error:
        order(symbol=symbol)
    assert error.value.code == "invalid_order"


@pytest.mark.parametrize("text", [ORDER_ID.upper(), ORDER_ID + "\n", ORDER_ID[:-1], "..", "", "*"])
def test_an_order_id_is_a_uuid_in_small_letters(text: str) -> None:
    assert is_order_id(ORDER_ID)
    assert not is_order_id(text)


@pytest.mark.parametrize(
    ("symbol", "asset_class", "kind"),
    [
        ("AAPL", None, "stock"),
        ("BRK.B", None, "stock"),
        (OCC, None, "option"),
        ("BTC/USD", None, "crypto"),
        ("BTCUSD", None, "unclear"),
        ("ETHBTC", None, "unclear"),
        ("BTCUSD", "crypto", "crypto"),
        ("BTCUSD", "us_equity", "stock"),
        ("AAPL", "us_equity", "stock"),
    ],
)
def test_the_kind_of_a_symbol(symbol: str, asset_class: str | None, kind: str) -> None:
    """By the broker's class where it is known; what the spelling does not settle is left to it."""
    assert get_symbol_kind(symbol, asset_class) == kind


def test_both_spellings_of_a_coin_are_one_symbol() -> None:
    assert is_among("BTCUSD", ("BTC/USD",))
    assert is_among("BTC/USD", ("BTCUSD",))
    assert is_among("BTC/USD", ("btc/usd",))
    assert not is_among("ETH/USD", ("BTC/USD",))
    assert add_slash("ETHUSDT") == "ETH/USDT"
    assert add_slash("ETH/USD") == "ETH/USD"


def test_an_option_counts_as_its_stock() -> None:
    assert is_among(OCC, ("NVDA",))
    assert is_among(OCC, (OCC,))
    assert not is_among(OCC, ("AAPL",))
    assert get_underlying(OCC) == "NVDA"
    assert get_underlying("NVDA") == "NVDA"
