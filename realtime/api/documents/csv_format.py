"""Lists as CSV (RFC 4180) for spreadsheets, which must not execute a broker's text as a formula.

A cell that a spreadsheet would compute (`=…`, `@…`, `+cmd…`) gets a leading apostrophe; plain
numbers stay as they are, negative ones too.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Format = Annotated[
    Literal["json", "csv"], Meta(description="`csv`: one line per row, for spreadsheets.")
]

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)
_FORMULA = "=+-@\t\r\n＝＋－＠"
"""First letters that make a spreadsheet compute: OWASP, "CSV Injection"."""


def format_csv(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """Rows of JSON values as CSV with a header line; a missing value is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([format_cell(row.get(name)) for name in columns] for row in rows)
    return out.getvalue().encode()


def format_cell(value: object) -> str:
    """One value as the text of a cell."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _escape_formula(value)
        case int() | float():
            return str(value)
        case _:
            return msgspec.json.encode(value).decode()


def _escape_formula(text: str) -> str:
    is_formula = text.lstrip(" \u00a0")[:1] in _FORMULA if text.strip(" \u00a0") else False
    return "'" + text if is_formula and not _NUMBER.fullmatch(text) else text
