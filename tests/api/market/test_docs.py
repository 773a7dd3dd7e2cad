"""docs/market.md names what clients may send and receive by REST."""

import re
from pathlib import Path

from realtime.api.documents.market import BarsQuery, StockBarsQuery
from realtime.api.handlers.market_problems import MARKET_PROBLEMS
from realtime.api.problems import PROBLEM_TYPES

PAGE = (Path(__file__).parents[3] / "docs" / "market.md").read_text()


def test_every_code_is_in_the_table_with_its_status() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, re.MULTILINE))
    # Those of marks are in docs/marks.md.
    ours = {
        code: kind
        for code, kind in MARKET_PROBLEMS.items()
        if code not in PROBLEM_TYPES and not code.startswith("marks_")
    }
    assert rows == {code: str(kind.status) for code, kind in ours.items()}


def test_every_parameter_of_bars_is_named() -> None:
    words = set(re.findall(r"`([^`\n]+)`", PAGE))
    assert {*BarsQuery.__struct_fields__, *StockBarsQuery.__struct_fields__} <= words


def test_no_header_of_ours_is_missing() -> None:
    source = (Path(__file__).parents[3] / "realtime/api/handlers/market_data.py").read_text()
    headers = set(re.findall(r'"(X-Realtime-[A-Za-z-]+)"', source))
    assert headers
    assert all(header in PAGE for header in headers)
