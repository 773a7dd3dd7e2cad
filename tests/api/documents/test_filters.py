import pytest

from realtime.api.documents.filters import has_symbol, normalize_symbols


@pytest.mark.parametrize(
    ("symbol", "wanted", "expected"),
    [
        ("ETHUSD", ["ETH/USD"], True),
        ("ETH/USD", ["ethusd"], True),
        ("NVDA", ["AAPL", "nvda"], True),
        ("NVDA", ["NVD"], False),
        (None, ["NVDA"], False),
        (None, [], True),
        ("NVDA", [], True),
    ],
)
def test_symbols_match_without_case_and_slash(
    symbol: str | None, wanted: list[str], expected: bool
) -> None:
    assert has_symbol(symbol, normalize_symbols(wanted)) is expected
