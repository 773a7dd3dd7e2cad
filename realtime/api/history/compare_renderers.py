"""Responses of comparisons, rendered in the history process."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from realtime.analytics.book_report import make_book_report
from realtime.analytics.compare.comparison import Comparison, Memory, compare, make_document
from realtime.analytics.compare.curves import encode_series, make_returns
from realtime.analytics.compare.documents import CompareDocument, CompareRequest, CompareRow
from realtime.analytics.estimates import Estimate
from realtime.analytics.figure_types import Contracts, Figures, Money
from realtime.analytics.report_card import AccountReport, Latency, make_report
from realtime.api.documents.csv_format import format_csv
from realtime.api.documents.document_cache import ENCODER
from realtime.api.history.messages import HistoryCall, HistoryReply
from realtime.api.responses import csv_headers
from realtime.history.reading import HistoryReader

HEADERS = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-cache"}


class _Comparisons:
    """What this process keeps of comparisons; one is computed at a time."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._lock = threading.Lock()

    @contextmanager
    def of(self, reader: HistoryReader, request: CompareRequest) -> Iterator[Comparison]:
        """The rows of a request; not valid afterwards."""
        with self._lock:
            yield compare(reader, request, self._memory)

    def document(self, comparison: Comparison) -> CompareDocument:
        """Its figures."""
        return make_document(comparison, self._memory)


_comparisons = _Comparisons()


def render_compare(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    """The table of a comparison."""
    assert call.compare is not None
    with _comparisons.of(reader, call.compare) as comparison:
        document = _comparisons.document(comparison)
    if call.compare.format == "csv":
        return csv_reply(list(_flat_rows(document)), "compare")
    return HistoryReply(body=ENCODER.encode(document), headers=HEADERS)


def render_series(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    """The curves of a comparison."""
    assert call.compare is not None
    with _comparisons.of(reader, call.compare) as comparison:
        body = encode_series(comparison, ENCODER.encode)
    return HistoryReply(body=body, headers=HEADERS)


def render_returns(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    """Daily returns as a table: a column for each row of the comparison."""
    assert call.compare is not None
    with _comparisons.of(reader, call.compare) as comparison:
        rows = make_returns(comparison)
    return csv_reply(rows, "returns")


def render_books(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    """The books of one account."""
    assert call.books is not None
    document = make_book_report(reader, call.books)
    return HistoryReply(body=ENCODER.encode(document), headers=HEADERS)


def render_report(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    """The broker's report card."""
    document = make_report(reader, call.labels, call.from_us, call.to_us, call.at_us)
    if call.format == "csv":
        rows = [dict(_flat_report(row)) for row in document.by_day]
        return csv_reply(rows, "report")
    return HistoryReply(body=ENCODER.encode(document), headers=HEADERS)


def _flat_report(row: AccountReport) -> Iterator[tuple[str, object]]:
    for name in AccountReport.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, Latency):
            yield from _flat_struct(name, value)
        elif isinstance(value, dict):
            yield name, "; ".join(f"{key}: {count}" for key, count in value.items())
        else:
            yield name, value


def csv_reply(rows: list[dict[str, object]], name: str) -> HistoryReply:
    """Rows as CSV; the columns are those of the first."""
    columns = list(rows[0]) if rows else []
    headers = {**csv_headers(name), "Cache-Control": "no-cache"}
    return HistoryReply(body=format_csv(rows, columns), headers=headers)


def _flat_rows(document: CompareDocument) -> Iterator[dict[str, object]]:
    for row in document.rows:
        flat: dict[str, object] = {
            name: getattr(row, name)
            for name in CompareRow.__struct_fields__
            if name not in ("figures", "flags", "accounts")
        }
        flat["accounts"] = " ".join(row.accounts)
        flat["flags"] = "; ".join(flag.detail for flag in row.flags)
        yield flat | dict(_flat_figures(row.figures))


def _flat_figures(figures: Figures) -> Iterator[tuple[str, object]]:
    for name in Figures.__struct_fields__:
        value = getattr(figures, name)
        match value:
            case Estimate():
                yield name, value.value
                yield f"{name}_low", value.low
                yield f"{name}_high", value.high
                yield f"{name}_n", value.n
            case Money():
                yield name, value.amount
            case Contracts():
                for part in Contracts.__struct_fields__:
                    yield f"{name}_{part}", getattr(value, part)
            case int() | float() | str() | None:
                yield name, value
            case _:
                yield from _flat_struct(name, value)


def _flat_struct(name: str, value: object) -> Iterator[tuple[str, object]]:
    fields: Mapping[str, object] = {
        part: getattr(value, part) for part in getattr(value, "__struct_fields__", ())
    }
    for part, content in fields.items():
        yield f"{name}_{part}", content
