"""`realtime status`: which accounts are not live, and why."""

import click

from realtime.cli import FAILED, FINE, exit_code
from realtime.errors import RealtimeError


@click.command()
@click.option("--all", "show_all", is_flag=True, help="Show every account, not only the others.")
@click.option("--quiet", is_flag=True, help="Print nothing: the exit code is the answer.")
def command(*, show_all: bool, quiet: bool) -> int:
    """Ask a running daemon which accounts are not live, and why.

    The daemon is at REALTIME_URL (http://127.0.0.1:8090); REALTIME_TOKEN is sent if set.
    Exit code: 0 all is well, 1 some accounts are not, 3 no daemon answers.
    """
    # `--help` must not pay for what only the command itself needs.
    from realtime.cli.client import DaemonClient  # noqa: PLC0415 - as above
    from realtime.cli.fleet_status import Health, read_standing  # noqa: PLC0415 - as above

    if quiet:
        try:
            return _code(DaemonClient().ask("/health", Health).status)
        except RealtimeError as error:
            return exit_code(error)
    standing = read_standing(DaemonClient())

    from realtime.cli.status_format import show  # noqa: PLC0415 - rich, only for a table

    show(standing, show_all=show_all)
    return _code(standing.health.status)


def _code(status: str) -> int:
    return FINE if status == "ok" else FAILED
