"""Lists as CSV (RFC 4180) for spreadsheets, which must not take a broker's word for a formula.

A cell that a spreadsheet would compute (`=…`, `@…`, `+cmd…`) is given a leading apostrophe; plain
numbers are left alone, also negative ones.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Format = Annotated[
    Literal["json", "csv"], Meta(description="`csv`: one line a row, for spreadsheets.")
]

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)
_FORMULA = "=+-@\t\r\n＝＋－＠"
"""First letters that make a spreadsheet compute: OWASP, "CSV Injection"."""


def sheet(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """Rows of JSON values as CSV with a line of names; what a row does not have is empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return out.getvalue().encode()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _harmless(value)
        case int() | float():
            return str(value)
        case _:
            return msgspec.json.encode(value).decode()


def _harmless(text: str) -> str:
    computed = text.lstrip(" \u00a0")[:1] in _FORMULA if text.strip(" \u00a0") else False
    return "'" + text if computed and not _NUMBER.fullmatch(text) else text
