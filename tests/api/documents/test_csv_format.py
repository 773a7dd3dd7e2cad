import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.api.documents.csv_format import format_csv


def read(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline="")))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (7, "7"),
        ("-500.75", "-500.75"),
        ("+1", "+1"),
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("＝1", "'＝1"),
        ('a "b", c', 'a "b", c'),
        ([{"id": "x"}], '[{"id":"x"}]'),
    ],
)
def test_csv_cells(value: object, cell: str) -> None:
    """Numbers stay numbers; formulas become text."""
    assert read(format_csv([{"a": value}], ["a", "b"])) == [["a", "b"], [cell, ""]]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))))
def test_no_text_leaves_its_cell_or_becomes_a_formula(texts: list[str]) -> None:
    rows = read(format_csv([{"a": text, "b": "end"} for text in texts], ["a", "b"]))[1:]
    assert [row[0].removeprefix("'") for row in rows] == [t.removeprefix("'") for t in texts]
    assert all(row[1] == "end" for row in rows)
    assert not any(row[0].lstrip()[:1] in tuple("=@") for row in rows)
