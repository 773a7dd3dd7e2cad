import pytest

from realtime.api.documents.filters import matches, spelled_alike


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
    assert matches(symbol, spelled_alike(wanted)) is expected
