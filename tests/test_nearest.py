import pytest

from realtime.nearest import nearest

LABELS = ["alpha", "bravo", "account_1", "account_12"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("alhpa", "alpha"),
        ("ALPHA", "alpha"),
        ("acount_12", "account_12"),
        ("account_1", "account_1"),
        ("alp__", "alpha"),  # three letters of five: 0.6
        ("al___", None),
        ("zulu", None),
        ("", None),
        ("a" * 81, None),
    ],
)
def test_nearest_word_or_none(word: str, expected: str | None) -> None:
    assert nearest(word, LABELS) == expected
