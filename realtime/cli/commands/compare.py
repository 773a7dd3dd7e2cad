"""`realtime compare`: accounts, tiers or strategies side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from realtime.cli.options import daemon_options

if TYPE_CHECKING:
    from rich.console import Console

    from realtime.analytics.compare.documents import CompareDocument, CompareRow
    from realtime.analytics.estimates import Estimate

MAX_SENTENCES = 6
MAX_WINDOWS = 3
TIMEOUT_S = 30.0
"""A query of the past takes up to 10 s; its process may have to start, a benchmark to be read."""


@click.command()
@click.argument("account", nargs=-1)
@click.option(
    "--by",
    type=click.Choice(["account", "label", "tier", "strategy", "fleet"]),
    default="account",
    show_default=True,
)
@click.option("--from", "since", metavar="DATE", help="First trading day; 31 days ago by default.")
@click.option("--to", "until", metavar="DATE", help="Last trading day; the last one that is over.")
@click.option(
    "--benchmark", default="SPY", show_default=True, help="Symbol of a control row, or none."
)
@click.option("--csv", "is_csv", is_flag=True, help="Write all figures as CSV.")
@daemon_options
def command(
    *,
    account: tuple[str, ...],
    by: str,
    since: str | None,
    until: str | None,
    benchmark: str,
    is_csv: bool,
    url: str | None,
    config: Path | None,
) -> None:
    """Compare accounts over a common window, deposits taken out, all of them or some.

    Each figure has its 95 % interval. Rows that cannot be ranked are below, with the reason.
    """
    # `--help` must not import what only the command needs.
    from urllib.parse import urlencode  # noqa: PLC0415 - as above

    from realtime.analytics.compare.documents import CompareDocument  # noqa: PLC0415 - as above
    from realtime.cli.client import connect  # noqa: PLC0415 - as above

    query = {"by": by, "benchmark": benchmark}
    query |= {"from": since} if since else {}
    query |= {"to": until} if until else {}
    query |= {"account_id": ",".join(account)} if account else {}
    client = connect(url, config, timeout_s=TIMEOUT_S)
    if is_csv:
        click.echo(client.get_text(f"/compare.csv?{urlencode(query)}"), nl=False)
        return
    from rich.console import Console  # noqa: PLC0415 - as above

    document = client.get(f"/compare?{urlencode(query)}", CompareDocument)
    print_comparison(document, Console(highlight=False))


def print_comparison(document: "CompareDocument", console: "Console") -> None:
    """Print a comparison as a table, what its pairs say, and what cannot be ranked."""
    from rich.table import Table  # noqa: PLC0415 - as above

    from realtime.cli.formatting import name_some  # noqa: PLC0415 - as above

    if document.since is None:
        console.print("; ".join(document.notes) or "nothing recorded yet")
        return
    days = (
        "1 trading day" if document.trading_days == 1 else f"{document.trading_days} trading days"
    )
    console.print(
        f"{document.since} to {document.until}: {days}, "
        f"days end {document.boundary}, deposits taken out"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column(document.by.upper())
    for name in ("RETURN %", "95 %", "P/L $", "DRAWDOWN %", "CLOSED", "WINS %", "95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in document.rows:
        if row.ranked or row.kind == "control":
            table.add_row(*_cells(row))
    console.print(table)
    for sentence in _sentences(document):
        console.print(sentence)
    unranked = [row for row in document.rows if not row.ranked and row.kind != "control"]
    if unranked:
        console.print(f"Not ranked ({len(unranked)})")
        for row in unranked:
            console.print(f"  {row.key}: {row.reason}")
    for window in document.windows[:MAX_WINDOWS]:
        days = format_days(window.trading_days)
        console.print(f"--from {window.since} ({days}) ranks {name_some(window.adds)}, too")
    for note in document.notes:
        console.print(f"Note: {note}", style="dim")


def format_days(count: int) -> str:
    """A number of trading days, in words."""
    return "1 trading day" if count == 1 else f"{count} trading days"


def _cells(row: "CompareRow") -> list[str]:
    from realtime.cli.formatting import format_money  # noqa: PLC0415 - as above

    figures = row.figures
    depth = figures.max_drawdown.depth_pct
    return [
        row.key if row.reason is None else f"{row.key} ({row.reason})",
        _number(figures.return_pct.value, signed=True),
        _interval(figures.return_pct),
        format_money(figures.pl.amount, signed=True),
        _number(depth),
        str(figures.round_trips),
        _number(figures.win_rate_pct.value, digits=0),
        _interval(figures.win_rate_pct, digits=0),
    ]


def _number(value: float | None, *, signed: bool = False, digits: int = 2) -> str:
    from realtime.cli.formatting import MINUS, UNKNOWN  # noqa: PLC0415 - as above

    if value is None:
        return UNKNOWN
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", MINUS)


def _interval(estimate: "Estimate", digits: int = 1) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{_number(estimate.low, digits=digits)}…{_number(estimate.high, digits=digits)}"


def _sentences(document: "CompareDocument") -> list[str]:
    """What the pairs say."""
    apart = [pair for pair in document.pairs if pair.distinguishable]
    if not document.pairs:
        return [f"No pairs: {document.pairs_omitted}."] if document.pairs_omitted else []
    lines = [
        f"Of {document.pairs_compared} pairs, {len(apart)} can be distinguished at "
        f"{document.level:.0%} (allowing for {document.pairs_compared} comparisons)."
    ]
    ahead: dict[str, list[str]] = {}
    for pair in apart:
        if pair.ahead is not None:
            ahead.setdefault(pair.ahead, []).append(pair.b if pair.ahead == pair.a else pair.a)
    lines += [f"{key} is ahead of {', '.join(others)}." for key, others in ahead.items()]
    if len(lines) > MAX_SENTENCES:
        rest = len(lines) - MAX_SENTENCES
        lines = [*lines[:MAX_SENTENCES], f"… and {rest} more rows are ahead of others."]
    return lines
