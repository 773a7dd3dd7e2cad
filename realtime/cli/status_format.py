"""`realtime status` on a terminal: a line of counts, a row per account or per cause, remedies."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from realtime.api.documents.cluster import ClusterDocument
from realtime.api.documents.status import StatusDocument, StatusRow
from realtime.cli.fleet_status import (
    FleetStatus,
    MarketSummary,
    Problem,
    by_severity,
    group_by_cause,
    in_sync_until,
    is_well,
    parse_time,
)
from realtime.cli.formatting import (
    UNKNOWN,
    clean,
    format_count,
    format_duration,
    format_milliseconds,
    format_money,
    format_quantity,
    name_some,
    short_label,
)

STYLES = {"synced": "", "refused": "bold yellow", "disabled": "dim"}
OTHER_STYLE = "yellow"
"""Green and red are kept for money won and lost."""

UNLIMITED_WIDTH = 10_000
"""Columns where no terminal bounds a line: `grep` needs a row on one line."""

MIN_WIDTH_FOR_ERRORS = 100
"""Columns from which the error is in the row; on narrower terminals it is below."""

MIN_WIDTH_FOR_FIGURES = 70

MIN_ROWS_TO_GROUP = 20
"""From this number of accounts with a problem, one row per cause: an outage has one cause."""


def print_status(fleet: FleetStatus, rows: Mapping[str, StatusRow], *, show_all: bool) -> None:
    """Print the selected rows on stdout; those without a problem only with `show_all`."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = UNLIMITED_WIDTH
    console.print(Text(headline(fleet)))
    shown = {label: row for label, row in rows.items() if show_all or not is_well(row)}
    if not shown:
        return
    as_of = parse_time(fleet.status.as_of)
    if not show_all and len(shown) >= MIN_ROWS_TO_GROUP:
        _print_causes(console, group_by_cause(shown), as_of)
        return
    shown = by_severity(shown)
    console.print(_table(shown, fleet, as_of, console.width))
    errors = [] if console.width >= MIN_WIDTH_FOR_ERRORS else _errors(shown)
    for line in [*errors, *_remedies(shown)]:
        console.print(Text(line))
    if not show_all and len(shown) < len(rows):
        console.print(Text("(only accounts that are not synced; --all shows every one)", "dim"))


def headline(fleet: FleetStatus) -> str:
    """Return the fleet in one line."""
    status = fleet.status
    disabled = status.by_state.get("disabled", 0)
    enabled = status.total_accounts - disabled
    parts = [f"{format_count(status.connected_accounts)}/{format_count(enabled)} synced"]
    parts += [
        f"{format_count(count)} {clean(state)}"
        for state, count in status.by_state.items()
        if count and state != "synced"
    ]
    stale = sum(row.stale and row.state == "synced" for row in status.accounts.values())
    if stale:
        parts.append(f"{format_count(stale)} synced but stale")
    parts.append(f"up {format_duration(fleet.health.uptime_s)}")
    real = sum(not row.paper for row in status.accounts.values())
    if real:
        parts.append(f"REAL MONEY {format_count(real)}")
    history = fleet.health.history
    if history is not None and history.status in ("failing", "dropping"):
        reason = "" if history.reason is None else f" ({history.reason})"
        parts.append(f"history {history.status}{reason}")
    if fleet.market is not None:
        parts.append(f"market data {_feeds(fleet.market)} (key {clean(fleet.market.account)})")
    if status.cluster:
        parts += _members(status.cluster)
    return " · ".join([*parts, *_rates(status)])


def _members(cluster: ClusterDocument) -> Iterator[str]:
    """Which daemons this one follows, and how many follow it."""
    for row in cluster.owners:
        name = clean(row.member or row.address)
        if row.connected:
            yield f"{format_count(row.accounts)} of owner {name}"
        else:
            yield f"owner {name} NOT RECEIVED ({clean(row.error or 'unknown')})"
    if cluster.fronts:
        yield f"{format_count(cluster.fronts)} {'front' if cluster.fronts == 1 else 'fronts'}"


def _feeds(market: MarketSummary) -> str:
    feeds = [feed for feed in (market.rest.feed, market.rest.option_feed) if feed]
    return clean(", ".join(feeds)) or "feed not known yet"


def _rates(status: StatusDocument) -> Iterator[str]:
    """The last minute, where it is known."""
    if status.updates is not None:
        yield f"{status.updates.per_s:.3g} fills/s"
        if status.updates.p99_ms is not None:
            yield f"update p99 {format_milliseconds(status.updates.p99_ms)}"
    requests = status.requests
    if requests is not None and requests.p99_ms is not None:
        percentiles = {"p50": requests.p50_ms, "p95": requests.p95_ms, "p99": requests.p99_ms}
        times = ", ".join(
            f"{name} {format_milliseconds(ms)}"
            for name, ms in percentiles.items()
            if ms is not None
        )
        yield f"{requests.per_s:.3g} queries/s, {times}"


def _table(rows: Mapping[str, StatusRow], fleet: FleetStatus, as_of: datetime, width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("ACCOUNT", "STATE", "IN SYNC"):
        table.add_column(name, no_wrap=True)
    if width >= MIN_WIDTH_FOR_FIGURES:
        for name in ("POS", "OPEN", "EQUITY"):
            table.add_column(name, justify="right", no_wrap=True)
    if width >= MIN_WIDTH_FOR_ERRORS:
        table.add_column("LAST ERROR", overflow="fold")
    for label, row in rows.items():
        cells = (
            _account(label, row),
            _state(row),
            _in_sync(row, as_of),
            format_count(row.positions),
            format_count(row.open_orders),
            format_money(fleet.equity.get(label)),
            Text(_last_error(row)),
        )
        table.add_row(*cells[: len(table.columns)])
    return table


def _print_causes(console: Console, problems: list[Problem], as_of: datetime) -> None:
    for problem in problems:
        console.print(
            Text.assemble(
                (f"{format_quantity(len(problem.accounts), 'account')} {clean(problem.state)}",
                 STYLES.get(problem.state, OTHER_STYLE)),
                f"  {clean(problem.message)}  since {_moment(problem.since, as_of)}",
            ),
            soft_wrap=True,
        )  # fmt: skip
        console.print(Text(f"  {name_some(problem.accounts)}"), soft_wrap=True)
        if problem.remedy:
            console.print(Text(f"  remedy: {clean(problem.remedy)}"), soft_wrap=True)
    console.print(Text("(grouped by cause; --all shows a row for every account)", "dim"))


def _account(label: str, row: StatusRow) -> Text:
    """The label; real money is marked before it, wherever it is shown."""
    name = Text(short_label(label))
    return name if row.paper else Text.assemble(("REAL MONEY ", "bold"), name)


def _state(row: StatusRow) -> Text:
    if row.state == "synced" and row.stale:
        return Text("synced, stale", style=OTHER_STYLE)
    return Text(clean(row.state), style=STYLES.get(row.state, OTHER_STYLE))


def _in_sync(row: StatusRow, as_of: datetime) -> str:
    """Since when an account is in sync, or when it last was."""
    if row.state == "disabled":
        return UNKNOWN
    until = in_sync_until(row)
    if until is not None:
        return f"until {_moment(until, as_of)}"
    if row.state == "synced":
        return f"since {_moment(parse_time(row.since), as_of)}"
    return "never"


def _moment(at: datetime, as_of: datetime) -> str:
    """A time and its age: `04:10:31Z (41 s)`; with its date if that is another one."""
    form = "%H:%M:%SZ" if at.date() == as_of.date() else "%Y-%m-%dT%H:%M:%SZ"
    return f"{at:{form}} ({format_duration((as_of - at).total_seconds())})"


def _last_error(row: StatusRow) -> str:
    if row.last_error is None:
        return clean(row.stale_reason) if row.stale_reason and not is_well(row) else UNKNOWN
    message = clean(row.last_error_message or "reason unknown")
    if row.next_attempt_in_s is not None:
        message += f", retry in {row.next_attempt_in_s:.0f} s (attempt {row.reconnect_attempts})"
    return f"{clean(row.last_error)}  {message}"


def _errors(rows: Mapping[str, StatusRow]) -> list[str]:
    return [f"{clean(label)}: {_last_error(row)}" for label, row in rows.items() if row.last_error]


def _remedies(rows: Mapping[str, StatusRow]) -> list[str]:
    """Each remedy once, with its accounts."""
    labels: dict[str, list[str]] = {}
    for label, row in rows.items():
        if row.remedy and not is_well(row):
            labels.setdefault(row.remedy, []).append(label)
    return [f"remedy for {name_some(names)}: {clean(remedy)}" for remedy, names in labels.items()]
