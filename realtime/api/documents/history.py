"""Equity over time in the shape of Alpaca's `GET /v2/account/portfolio/history`."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from realtime.api.documents.csv_format import Format

MILLION = 1_000_000


class HistoryQuery(Struct, frozen=True, kw_only=True):
    """Parameters of a curve."""

    points: Annotated[int, Meta(ge=2, le=1000, description="At most this many points.")] = 240
    format: Format = "json"


class FleetHistoryQuery(HistoryQuery, frozen=True, kw_only=True):
    """The same for many accounts."""

    paper: Annotated[
        bool | None, Meta(description="Only paper accounts, or only those with real money.")
    ] = None


COLUMNS = ("timestamp", "equity", "profit_loss", "profit_loss_pct")
"""Of the document and of its CSV."""


class HistoryDocument(Struct, frozen=True, kw_only=True):
    """Lists of the same length, oldest first. Numbers, as in the broker's: not for accounting."""

    timestamp: list[int]
    """Start of each window, epoch seconds."""
    equity: list[float]
    """At the end of each window."""
    profit_loss: list[float]
    """Against `base_value`."""
    profit_loss_pct: list[float]
    """The same as a fraction of `base_value`: 0.01 is one percent."""
    base_value: float
    """The first equity of the list."""
    timeframe: str
    """The finest width of a window; older ones are a minute or five minutes wide."""


def history_rows(document: HistoryDocument) -> Iterator[dict[str, float]]:
    """The lists of a document as rows."""
    lists = (document.timestamp, document.equity, document.profit_loss, document.profit_loss_pct)
    for values in zip(*lists, strict=True):
        yield dict(zip(COLUMNS, values, strict=True))


def make_history(points: Sequence[tuple[int, int]], timeframe: str) -> HistoryDocument:
    """The document of points in millionths; they become floats here, where they are encoded."""
    base = points[0][1] if points else 0
    return HistoryDocument(
        timestamp=[at for at, _ in points],
        equity=[value / MILLION for _, value in points],
        profit_loss=[(value - base) / MILLION for _, value in points],
        profit_loss_pct=[round((value - base) / base, 6) if base else 0.0 for _, value in points],
        base_value=base / MILLION,
        timeframe=timeframe,
    )
