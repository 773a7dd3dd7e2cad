"""Tables of the history files as rows for other programs: CSV, or Parquet (extra `archive`)."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from realtime.errors import RealtimeError
from realtime.history.exact import (
    MINUTE_US,
    MONEY_SCALE,
    QTY_SCALE,
    day_name,
    instant,
    plain,
    unpack_id,
)
from realtime.history.maintenance import errors_of
from realtime.history.reading import FileReader

Table = Literal["fills", "orders", "days", "events", "minutes"]
TABLES: tuple[Table, ...] = ("fills", "orders", "days", "events", "minutes")

Kind = Literal["text", "id", "qty", "money", "time", "minute", "day", "flag", "count"]

BATCH_ROWS = 50_000
"""Rows of a Parquet row group: 10 MB of memory."""

EPOCH = date(1970, 1, 1)


class Column(Struct, frozen=True):
    """One column: its name in the export, its SQL, and what its values are."""

    name: str
    sql: str
    kind: Kind = "text"


class Export(Struct, frozen=True, kw_only=True):
    """One table."""

    columns: tuple[Column, ...]
    source: str
    """The SQL after the columns."""
    is_daily: bool = False
    """Whether it is in the day files, not in the ledger."""

    @property
    def sql(self) -> str:
        """The query of all rows."""
        return f"SELECT {', '.join(column.sql for column in self.columns)} {self.source}"


def _columns(kind: Kind, *names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name, kind) for name in names)


LABEL = Column("account_id", "label")

EXPORTS: Mapping[Table, Export] = {
    "fills": Export(
        columns=(
            LABEL,
            Column("execution_id", "exe", "id"),
            Column("order_id", "ord", "id"),
            Column("at", "at_us", "time"),
            Column("symbol", "name"),
            Column("side", "side"),
            Column("qty", "qty", "qty"),
            Column("price", "px", "qty"),
            Column("realized_pl", "realized", "money"),
            Column("source", "source"),
            Column("busted", "removed_us IS NOT NULL", "flag"),
        ),
        source="FROM fill JOIN account ON account.n = acc LEFT JOIN symbol ON symbol.n = sym"
        " ORDER BY at_us",
    ),
    "orders": Export(
        columns=(
            LABEL,
            Column("order_id", "ord", "id"),
            Column("client_order_id", "client_order_id"),
            Column("symbol", "name"),
            *_columns("text", "side", "type"),
            Column("time_in_force", "tif"),
            Column("qty", "qty", "qty"),
            Column("filled_qty", "filled", "qty"),
            Column("filled_avg_price", "avg_px", "qty"),
            Column("status", "status"),
            Column("submitted_at", "submitted_us", "time"),
            Column("final_at", "final_us", "time"),
        ),
        source="FROM final JOIN account ON account.n = acc LEFT JOIN symbol ON symbol.n = sym"
        " ORDER BY final_us",
    ),
    "days": Export(
        columns=(
            LABEL,
            Column("day", "day", "day"),
            *_columns("money", "open", "high", "low", "close", "drawdown", "realized"),
            *_columns("money", "gross_win", "gross_loss", "turnover"),
            *_columns("count", "trades", "wins", "losses", "orders", "rejected", "stale_s", "gaps"),
        ),
        source="FROM day JOIN account ON account.n = acc ORDER BY day, label",
    ),
    "events": Export(
        columns=(
            LABEL,
            Column("at", "at_us", "time"),
            Column("broker_at", "broker_us", "time"),
            Column("kind", "kind"),
            Column("order_id", "ord", "id"),
            Column("execution_id", "exe", "id"),
            Column("symbol", "name"),
            Column("side", "side"),
            Column("qty", "qty", "qty"),
            Column("price", "px", "qty"),
            *_columns("text", "status", "source"),
            Column("version", "version", "count"),
            Column("body", "body"),
        ),
        source="FROM event JOIN account ON account.n = acc LEFT JOIN symbol ON symbol.n = sym"
        " ORDER BY event.n",
        is_daily=True,
    ),
    "minutes": Export(
        columns=(
            LABEL,
            Column("at", "minute", "minute"),
            *_columns("money", "equity", "last_equity", "cash", "long", "short"),
            Column("buying_power", "power", "money"),
            *_columns("count", "open_orders", "positions"),
            Column("stale", "stale", "flag"),
        ),
        source="FROM equity JOIN account ON account.n = acc ORDER BY minute, label",
        is_daily=True,
    ),
}


def read_table(reader: FileReader, table: Table, day: int | None = None) -> Iterator[Any]:
    """The rows of a table, as they are in the files; of one UTC day, or of all that are kept. A day
    that the daemon deletes meanwhile is left out. Raises `RealtimeError` with the damaged file."""
    export = EXPORTS[table]
    files = [reader.directory.ledger]
    if export.is_daily:
        files = [file.path for file in reader.day_files() if day is None or file.day == day]
    for path in files:
        if path.exists():
            with errors_of(path), reader.open(path) as connection:
                yield from connection.execute(export.sql)


_TEXT: Mapping[Kind, Callable[[Any], object]] = {
    "id": unpack_id,
    "qty": lambda value: plain(value, QTY_SCALE),
    "money": lambda value: plain(value, MONEY_SCALE),
    "time": instant,
    "minute": lambda value: instant(value * MINUTE_US),
    "day": day_name,
    "flag": bool,
}

_EXACT: Mapping[Kind, Callable[[Any], object]] = {
    "id": unpack_id,
    "qty": lambda value: Decimal(value).scaleb(-9),
    "money": lambda value: Decimal(value).scaleb(-4),
    "time": lambda value: datetime.fromtimestamp(0, UTC) + timedelta(microseconds=value),
    "minute": lambda value: datetime.fromtimestamp(value * 60, UTC),
    "day": lambda value: EPOCH + timedelta(days=value),
    "flag": bool,
}


def csv_rows(table: Table, rows: Iterator[Any]) -> Iterator[list[object]]:
    """Rows as text, a header first: exact decimal strings, RFC 3339 times."""
    yield [column.name for column in EXPORTS[table].columns]
    yield from _convert(table, rows, _TEXT)


def write_parquet(table: Table, rows: Iterator[Any], target: Path) -> int:
    """Write rows as Parquet with exact decimals and UTC times; returns their number. The file is
    replaced by a whole one only. Raises `OSError` and `RealtimeError`."""
    try:
        import pyarrow as arrow  # noqa: PLC0415 - only with the extra `archive`
        from pyarrow import parquet  # noqa: PLC0415 - as above
    except ImportError:
        raise RealtimeError(
            "Parquet needs the extra `archive`",
            remedy="pip install 'alpaca-realtime[archive]', or name a file that ends with .csv",
        ) from None
    kinds = {
        "qty": arrow.decimal128(28, 9),
        "money": arrow.decimal128(24, 4),
        "time": arrow.timestamp("us", tz="UTC"),
        "minute": arrow.timestamp("us", tz="UTC"),
        "day": arrow.date32(),
        "flag": arrow.bool_(),
        "count": arrow.int64(),
    }
    columns = EXPORTS[table].columns
    schema = arrow.schema([(c.name, kinds.get(c.kind, arrow.string())) for c in columns])
    partial = target.with_name(f"{target.name}.part")
    values, count = _convert(table, rows, _EXACT), 0
    try:
        with parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
            while batch := list(islice(values, BATCH_ROWS)):
                arrays = [
                    arrow.array(column, type=field.type)
                    for column, field in zip(zip(*batch, strict=True), schema, strict=True)
                ]
                writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
                count += len(batch)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _convert(
    table: Table, rows: Iterator[Any], converters: Mapping[Kind, Callable[[Any], object]]
) -> Iterator[list[object]]:
    steps = [converters.get(column.kind) for column in EXPORTS[table].columns]
    for row in rows:
        yield [
            value if step is None or value is None else step(value)
            for step, value in zip(steps, row, strict=True)
        ]
