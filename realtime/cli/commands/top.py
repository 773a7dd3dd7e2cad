"""`realtime top`: a running daemon's accounts as a table that stays current."""

import sys

import click

from realtime.cli import FINE
from realtime.errors import ConfigError


@click.command()
def command() -> int:
    """Watch a running daemon's accounts as a table.

    Keys: e p d n sort by equity, positions, day P/L, name; / filters; Enter opens an account; q
    quits. The daemon is at REALTIME_URL (http://127.0.0.1:8090); REALTIME_TOKEN is sent if set.
    Exit code: 0 quit, 2 no terminal or no textual, 3 no daemon answers.
    """
    # `--help` must not pay for what only the command itself needs.
    from realtime.cli.client import DaemonClient  # noqa: PLC0415 - as above
    from realtime.cli.fleet_status import Health  # noqa: PLC0415 - as above

    try:
        from realtime.cli.top.fleet_screen import TopApp  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("textual"):
            raise
        raise ConfigError(
            "realtime top needs textual",
            remedy="pip install 'alpaca-realtime[top]', or scripts/setup top",
        ) from error
    daemon = DaemonClient()
    daemon.ask("/health", Health)  # a missing daemon is told before the screen is taken
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("realtime top needs a terminal", remedy="realtime status --all")
    app = TopApp(daemon)
    app.run()
    if app.failure is not None:
        raise app.failure
    return FINE
