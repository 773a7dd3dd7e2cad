import pytest

from realtime.api.responses import is_match


@pytest.mark.parametrize(
    ("if_none_match", "expected"),
    [
        (None, False),
        ("", False),
        ("*", True),
        ('"b-7"', True),
        ('W/"b-7"', True),
        ('"a", "b-7"', True),
        ('"a","c"', False),
        ("b-7", False),
        ('"b-70"', False),
        ('"b-7', False),
    ],
)
def test_weak_comparison_with_lists_and_star(if_none_match: str | None, expected: bool) -> None:
    assert is_match(if_none_match, '"b-7"') is expected
