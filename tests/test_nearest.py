import pytest

from realtime.api.nearest import nearest

LABELS = ["alpha", "bravo", "account_1", "account_12"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("alhpa", "alpha"),
        ("ALPHA", "alpha"),
        ("acount_12", "account_12"),
        ("account_1", "account_1"),
        ("zulu", None),
        ("", None),
        ("a" * 81, None),
    ],
)
def test_nearest_word_or_none(word: str, expected: str | None) -> None:
    assert nearest(word, LABELS) == expected
