"""Symbols by class of asset."""

import pytest

from realtime.market.symbols import AssetClass, class_of, normalize_symbol


@pytest.mark.parametrize(
    ("asset_class", "text", "symbol"),
    [
        ("stocks", "AAPL", "AAPL"),
        ("stocks", " brk.b ", "BRK.B"),
        ("stocks", "BRK-B", "BRK-B"),
        ("stocks", "", None),
        ("stocks", "A,B", None),
        ("stocks", "..", None),
        ("stocks", "AAPL?", None),
        ("stocks", "AAPL\n", "AAPL"),
        ("stocks", "AA\nPL", None),
        ("stocks", "ÄÖ", None),
        ("stocks", "٣٤", None),
        ("stocks", "A" * 25, None),
        ("stocks", "../v2/account", None),
        ("options", "AAPL261218C00200000", "AAPL261218C00200000"),
        ("options", "aapl261218p00200000", "AAPL261218P00200000"),
        ("options", "AAPL", None),
        ("options", "AAPL261218X00200000", None),
        ("crypto", "BTC/USD", "BTC/USD"),
        ("crypto", "btcusd", "BTC/USD"),
        ("crypto", "BTC-USD", "BTC/USD"),
        ("crypto", "ETHUSDT", "ETH/USDT"),
        ("crypto", "ETH/BTC", "ETH/BTC"),
        ("crypto", "BTC", None),
        ("crypto", "BTC/USD/EUR", None),
        ("crypto", "/USD", None),
    ],
)
def test_a_symbol_has_one_spelling_or_is_refused(
    asset_class: AssetClass, text: str, symbol: str | None
) -> None:
    assert normalize_symbol(asset_class, text) == symbol
    if symbol is not None:
        assert normalize_symbol(asset_class, symbol) == symbol


@pytest.mark.parametrize(
    ("symbol", "asset_class"),
    [
        ("AAPL", "stocks"),
        ("BTC/USD", "crypto"),
        ("AAPL261218C00200000", "options"),
        ("A/B", "stocks"),
    ],
)
def test_the_class_follows_from_the_spelling(symbol: str, asset_class: AssetClass) -> None:
    assert class_of(symbol) == asset_class
