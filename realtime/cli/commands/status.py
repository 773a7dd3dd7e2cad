"""`realtime status`: which accounts are not synced, and why."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realtime.cli import FAILED, SUCCESS, exit_code
from realtime.cli.options import daemon_options
from realtime.errors import RealtimeError

if TYPE_CHECKING:
    from realtime.cli.client import DaemonClient

WATCH_INTERVAL_S = 2.0


@click.command()
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1)
@click.option("--all", "show_all", is_flag=True, help="Show every account, not only problems.")
@click.option("--json", "as_json", is_flag=True, help="Print the status document.")
@click.option("--watch", is_flag=True, help="Repeat every 2 seconds, until Ctrl-C.")
@click.option("--quiet", is_flag=True, help="Print nothing; only the exit code counts.")
@daemon_options
def command(
    *,
    accounts: tuple[str, ...],
    show_all: bool,
    as_json: bool,
    watch: bool,
    quiet: bool,
    url: str | None,
    config: Path | None,
) -> int:
    """Show which accounts of a running daemon are not synced, and why; or the named ones.

    From 20 accounts with a problem on, they are grouped by cause. REALTIME_TOKEN is sent if set.
    Exit code: 0 all is well, 1 some accounts are not synced, 2 no such account, 3 no daemon
    responds, 5 the token is missing or refused.
    """
    # `--help` must not import what only the command needs.
    from realtime.cli.client import connect  # noqa: PLC0415 - as above

    if quiet and not accounts:
        from realtime.api.documents.health import HealthDocument  # noqa: PLC0415 - as above

        try:
            return _code(connect(url, config).get("/health", HealthDocument).status == "ok")
        except RealtimeError as error:
            return exit_code(error)
    daemon = connect(url, config)
    if not watch:
        return _report(daemon, accounts, show_all=show_all, as_json=as_json, quiet=quiet)
    try:
        while True:
            if not as_json:
                click.clear()  # does nothing without a terminal
            _report(daemon, accounts, show_all=show_all, as_json=as_json, quiet=quiet)
            time.sleep(WATCH_INTERVAL_S)
    except KeyboardInterrupt:
        return SUCCESS


def _report(
    daemon: "DaemonClient",
    accounts: tuple[str, ...],
    *,
    show_all: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    from realtime.cli.fleet_status import (  # noqa: PLC0415 - as above
        is_well,
        read_fleet_status,
        select_accounts,
        status_json,
    )

    fleet = read_fleet_status(daemon)
    rows = select_accounts(fleet, accounts)
    if as_json:
        click.echo(status_json(fleet, rows))
    elif not quiet:
        from realtime.cli.status_format import print_status  # noqa: PLC0415 - only for a table

        print_status(fleet, rows, show_all=show_all or bool(accounts))
    if accounts:
        return _code(all(is_well(row) for row in rows.values()))
    return _code(fleet.health.status == "ok")


def _code(is_ok: bool) -> int:
    return SUCCESS if is_ok else FAILED
