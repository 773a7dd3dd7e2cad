import pytest

from realtime.api.documents.positions import PositionsQuery, select_positions
from tests.api.documents.made import BOOKS


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ((), ["AAPL", "ETHUSD", "TSLA"]),
        (("ETH/USD",), ["ETHUSD"]),
        (("tsla", "aapl"), ["AAPL", "TSLA"]),
        (("NVDA",), []),
    ],
)
def test_positions_are_sorted_by_symbol(symbols: tuple[str, ...], expected: list[str]) -> None:
    shown = select_positions(BOOKS, PositionsQuery(symbol=symbols))
    assert [each.symbol for each in shown] == expected
