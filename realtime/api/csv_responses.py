"""Lists as CSV: the answer that was made in JSON, written for spreadsheets."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from realtime.api.documents.csv_format import sheet
from realtime.api.responses import ApiResponse

CSV = "text/csv; charset=utf-8"

_DECODER = msgspec.json.Decoder()


def as_sheet(
    answer: ApiResponse, columns: Sequence[str], name: str, member: str | None = None
) -> ApiResponse:
    """The same rows as CSV; a 304 stays one. `member` is where the rows stand in the document."""
    if answer.status != 200:
        return answer
    document: Any = _DECODER.decode(answer.body)  # what we have just encoded
    rows = document if member is None else document[member]
    headers = {**answer.headers, **sheet_headers(name)}
    return structs.replace(answer, body=sheet(rows, columns), headers=headers)


def sheet_headers(name: str) -> dict[str, str]:
    """What a sheet is sent with; a browser saves it under the name."""
    return {"Content-Type": CSV, "Content-Disposition": f'attachment; filename="{name}.csv"'}
