"""`realtime history`: results of past days, and the files they are kept in."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from realtime.cli import FAILED, SUCCESS
from realtime.cli.options import config_option, daemon_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realtime.history.directory import HistoryDirectory
    from realtime.history.export import Table

TABLES = ("fills", "orders", "days", "events", "minutes")


@click.group()
def command() -> None:
    """Show results of past days; check, back up and export the files.

    `show` asks a running daemon. The others read the files of [history] themselves, whether a
    daemon writes them or not.
    """


@command.command("show", short_help="Show profit, trades and gaps of the last days.")
@click.argument("account", nargs=-1)
@click.option(
    "--days",
    type=click.IntRange(1, 4000),
    default=30,
    show_default=True,
    help="How many days back.",
)
@click.option(
    "--by",
    type=click.Choice(["account", "tier", "symbol"]),
    default="account",
    show_default=True,
    help="A row for each account, tier or symbol.",
)
@daemon_options
def show(
    *, account: tuple[str, ...], days: int, by: str, url: str | None, config: Path | None
) -> None:
    """Show profit, trades and gaps of the last days, all accounts or some.

    Exit code: 0 shown, 1 no history is recorded, 2 no such account, 3 no daemon responds, 5 the
    token is missing or refused. REALTIME_TOKEN is sent if set.
    """
    # `--help` must not import what only the command needs.
    import time  # noqa: PLC0415 - as above
    from urllib.parse import urlencode  # noqa: PLC0415 - as above

    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    from realtime.cli.client import connect  # noqa: PLC0415 - as above
    from realtime.cli.formatting import format_count, format_money  # noqa: PLC0415 - as above
    from realtime.history.performance import Performance, SymbolResult  # noqa: PLC0415 - as above

    query = {"from": str(int(time.time()) - days * 86_400)}
    if account:
        query["account_id"] = ",".join(account)
    if by == "symbol":
        table = Table(box=None, pad_edge=False)
        table.add_column("SYMBOL")
        for name in ("ACCOUNTS", "FILLS", "REALIZED", "WINS", "UNKNOWN"):
            table.add_column(name, justify="right")
        path = f"/history/symbols?{urlencode(query)}"
        for symbol in connect(url, config).get(path, list[SymbolResult]):
            table.add_row(
                symbol.symbol,
                str(symbol.accounts),
                format_count(symbol.fills),
                format_money(symbol.realized_pl, signed=True),
                "–" if symbol.win_rate is None else f"{symbol.win_rate:.0%}",
                format_count(symbol.unknown),
            )
        Console(highlight=False).print(table)
        return
    query["by"] = by
    rows = connect(url, config).get(f"/history/performance?{urlencode(query)}", list[Performance])
    table = Table(box=None, pad_edge=False)
    table.add_column(by.upper())
    for name in ("DAYS", "EQUITY", "REALIZED", "TRADES", "WINS", "DRAWDOWN", "GAPS"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.key,
            str(row.days),
            format_money(row.end_equity),
            format_money(row.realized_pl, signed=True),
            format_count(row.trades),
            "–" if row.win_rate is None else f"{row.win_rate:.0%}",
            format_money(row.max_drawdown),
            str(row.gaps),
        )
    Console(highlight=False).print(table)


@command.command("check", short_help="Read every file and report its state.")
@config_option
def check(*, config: Path | None) -> int:
    """Read every file and report its state. Exit code: 0 all whole, 1 one is damaged, 2 the
    accounts file is wrong."""
    from realtime.history import maintenance  # noqa: PLC0415 - as above

    directory = _directory(config)
    reports = maintenance.check(directory)
    for report in reports:
        mark = "ok      " if report.is_ok else "DAMAGED "
        click.echo(f"{mark} {report.name:28} {report.size / 1e6:8.1f} MB  {report.detail}")
    if not reports:
        click.echo(f"no history in {directory.path}")
    return SUCCESS if all(report.is_ok for report in reports) else FAILED


@command.command("backup", short_help="Copy every file while the daemon goes on writing.")
@click.argument("target", type=click.Path(path_type=Path, file_okay=False))
@config_option
def backup(*, target: Path, config: Path | None) -> None:
    """Copy every file into the directory TARGET, while the daemon goes on writing.

    Days that are over and already there are not copied again. Exit code: 0 copied, 1 not, 2 the
    accounts file is wrong or TARGET is a file.
    """
    from realtime.errors import RealtimeError  # noqa: PLC0415 - as above
    from realtime.history import maintenance  # noqa: PLC0415 - as above

    try:
        copies = maintenance.back_up(_directory(config), target)
    except OSError as error:
        raise RealtimeError(
            f"{target}: {error.strerror or error}", remedy="name a directory with room"
        ) from error
    click.echo(f"{len(copies)} files in {target}")


@command.command("export", short_help="Write a table as CSV or Parquet.")
@click.argument("table", type=click.Choice(TABLES))
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--day", metavar="YYYY-MM-DD", help="One UTC day of `events` or `minutes`.")
@config_option
def export(*, table: str, target: Path, day: str | None, config: Path | None) -> None:
    """Write a table into the file TARGET: as Parquet if its name ends with .parquet (extra
    `archive`), otherwise as CSV.

    Kept for long: fills, orders (final ones), days. By day, as long as day files are kept: events,
    minutes (equity). Exit code: 0 written, 1 not, 2 the accounts file is wrong or TARGET is a
    directory.
    """
    from typing import cast  # noqa: PLC0415 - as above

    from realtime.errors import RealtimeError  # noqa: PLC0415 - as above
    from realtime.history import maintenance  # noqa: PLC0415 - as above
    from realtime.history.exact import day_of_name  # noqa: PLC0415 - as above
    from realtime.history.export import read_table, write_parquet  # noqa: PLC0415 - as above
    from realtime.history.reading import FileReader  # noqa: PLC0415 - as above

    number = None if day is None else day_of_name(day)
    if day is not None and number is None:
        raise click.BadParameter("use YYYY-MM-DD", param_hint="--day")
    directory, name = _directory(config), cast("Table", table)
    if not directory.ledger.exists():
        raise RealtimeError(
            f"no history in {directory.path}", remedy="the daemon writes it once it has run"
        )
    maintenance.check_target(directory, target)
    rows = read_table(FileReader(directory), name, number)
    try:
        is_parquet = target.suffix == ".parquet"
        count = write_parquet(name, rows, target) if is_parquet else _csv(name, rows, target)
    except OSError as error:
        raise RealtimeError(f"{target}: {error.strerror or error}") from error
    click.echo(f"{count} rows in {target}")


def _csv(table: "Table", rows: "Iterator[object]", target: Path) -> int:
    import csv  # noqa: PLC0415 - as above
    from itertools import chain  # noqa: PLC0415 - as above

    from realtime.api.documents.csv_format import format_cell  # noqa: PLC0415 - as above
    from realtime.history.export import csv_rows  # noqa: PLC0415 - as above

    # The target is opened only when the files can be read.
    first, count = next(rows, None), 0
    lines = csv_rows(table, chain([] if first is None else [first], rows))
    is_special = target.exists() and not target.is_file()  # such as /dev/stdout
    partial = target if is_special else target.with_name(f"{target.name}.part")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(next(lines))
            for line in lines:
                writer.writerow([format_cell(value) for value in line])
                count += 1
        if not is_special:
            partial.replace(target)  # by a whole file only
    finally:
        if not is_special:
            partial.unlink(missing_ok=True)
    return count


def _directory(config: Path | None) -> "HistoryDirectory":
    import os  # noqa: PLC0415 - as above

    from realtime.config.loader import load_history  # noqa: PLC0415 - as above
    from realtime.errors import ConfigError  # noqa: PLC0415 - as above
    from realtime.history.directory import HistoryDirectory  # noqa: PLC0415 - as above

    settings = load_history(config, environ=os.environ)
    if settings is None:
        raise ConfigError("history is off", remedy="set [history] enabled = true")
    return HistoryDirectory(settings.path)
