"""How the fleet stands, on a terminal: one line of counts, a row an account, the remedies."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from realtime.cli.fleet_status import FleetStatus, Row, Status
from realtime.cli.text_format import (
    UNKNOWN,
    clean,
    counted,
    milliseconds,
    money,
    span,
    stopwatch,
    whole,
)

COLOURS = {"synced": "green", "refused": "red", "disabled": "dim"}
OTHER_COLOUR = "yellow"
UNWRAPPED = 10_000
"""Letters a line may have where no terminal bounds it: `grep` wants a row on one line."""

ERRORS_BESIDE = 90
"""Columns from which a row has room for its error; on narrower terminals it stands below."""

FIGURES_BESIDE = 60
"""Columns from which it has room for figures."""

LABELS_NAMED = 5


def show(standing: FleetStatus, *, show_all: bool) -> None:
    """Print it on stdout."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = UNWRAPPED
    status = standing.status
    rows = {label: row for label, row in status.accounts.items() if show_all or not row.is_well}
    console.print(Text(headline(standing)))
    if not rows:
        return
    console.print(_table(rows, standing, console.width))
    below = [] if console.width >= ERRORS_BESIDE else _errors(rows)
    for line in [*below, *_remedies(rows)]:
        console.print(Text(line))
    if not show_all and len(rows) < status.total_accounts:
        console.print(Text("(only accounts that are not synced; --all for every one)", style="dim"))


def headline(standing: FleetStatus) -> str:
    """The fleet in one line."""
    status = standing.status
    disabled = status.by_state.get("disabled", 0)
    parts = [f"{whole(status.connected_accounts)}/{whole(status.total_accounts - disabled)} synced"]
    parts += [
        f"{whole(count)} {clean(state)}"
        for state, count in status.by_state.items()
        if count and state != "synced"
    ]
    stale = sum(row.stale and row.state == "synced" for row in status.accounts.values())
    if stale:
        parts.append(f"{whole(stale)} live but stale")
    parts.append(f"up {span(standing.health.uptime_s)}")
    real = sum(not row.paper for row in status.accounts.values())
    if real:
        parts.append(f"{counted(real, 'account')} of real money (LIVE)")
    return " · ".join([*parts, *_lately(status)])


def _lately(status: Status) -> Iterator[str]:
    """What happened in the last minute, where that is known."""
    if status.updates is not None:
        yield f"{status.updates.per_s:.3g} fills/s"
        if status.updates.p99_ms is not None:
            yield f"update p99 {milliseconds(status.updates.p99_ms)}"
    if status.requests is not None and status.requests.p99_ms is not None:
        asked = status.requests
        named = {"p50": asked.p50_ms, "p95": asked.p95_ms, "p99": asked.p99_ms}
        times = (f"{name} {milliseconds(ms)}" for name, ms in named.items() if ms is not None)
        yield f"{asked.per_s:.3g} queries/s, {', '.join(times)}"


def _table(rows: dict[str, Row], standing: FleetStatus, width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("ACCOUNT", "STATE", "SINCE"):
        table.add_column(name, no_wrap=True)
    if width >= FIGURES_BESIDE:
        for name in ("POS", "OPEN", "EQUITY"):
            table.add_column(name, justify="right", no_wrap=True)
    if width >= ERRORS_BESIDE:
        table.add_column("LAST ERROR", overflow="fold")
    for label, row in rows.items():
        cells = (
            _account(label, row),
            _state(row),
            stopwatch((standing.status.as_of - row.since).total_seconds()),
            whole(row.positions),
            whole(row.open_orders),
            money(standing.equity.get(label)),
            Text(_last_error(row)),
        )
        table.add_row(*cells[: len(table.columns)])
    return table


def _errors(rows: dict[str, Row]) -> list[str]:
    return [f"{clean(label)}: {_last_error(row)}" for label, row in rows.items() if row.last_error]


def _account(label: str, row: Row) -> Text:
    """Its name; real money is marked wherever it is shown."""
    name = Text(clean(label))
    return name if row.paper else name.append(" LIVE", style="bold red")


def _state(row: Row) -> Text:
    if row.state == "synced" and row.stale:
        return Text("live, stale", style=OTHER_COLOUR)
    return Text(clean(row.state), style=COLOURS.get(row.state, OTHER_COLOUR))


def _last_error(row: Row) -> str:
    if row.last_error is None:
        return UNKNOWN
    message = clean(row.last_error_message or "no word on why")
    if row.next_attempt_in_s is not None:
        message += f", retry in {row.next_attempt_in_s:.0f} s (attempt {row.reconnect_attempts})"
    return f"{clean(row.last_error)}  {message}"


def _remedies(rows: dict[str, Row]) -> list[str]:
    """Each remedy once, with the accounts that it is for."""
    labels: dict[str, list[str]] = {}
    for label, row in rows.items():
        if row.remedy and not row.is_well:
            labels.setdefault(row.remedy, []).append(clean(label))
    return [f"remedy for {_named(found)}: {clean(remedy)}" for remedy, found in labels.items()]


def _named(labels: list[str]) -> str:
    if len(labels) <= LABELS_NAMED:
        return ", ".join(labels)
    return f"{', '.join(labels[:LABELS_NAMED])} and {counted(len(labels) - LABELS_NAMED, 'other')}"
