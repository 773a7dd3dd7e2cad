"""`realtime top`: a running daemon's accounts as a table that updates itself."""

import sys
from pathlib import Path

import click

from realtime.cli import SUCCESS
from realtime.cli.options import daemon_options
from realtime.errors import ConfigError


@click.command()
@daemon_options
def command(*, url: str | None, config: Path | None) -> int:
    """Show a running daemon's accounts as a table that updates itself.

    Keys: t e p d n sort by troubles, equity, positions, day P/L, name; / filters by name or tier;
    Enter opens an account; ? shows all keys; q quits. REALTIME_TOKEN is sent if set.
    Exit code: 0 quit, 2 no terminal or no textual, 3 no daemon responds, 5 the token is missing or
    refused.
    """
    # `--help` must not import what only the command needs.
    from realtime.api.documents.health import HealthDocument  # noqa: PLC0415 - as above
    from realtime.cli.client import connect  # noqa: PLC0415 - as above

    try:
        from realtime.cli.top.app import TopApp  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("textual"):
            raise
        raise ConfigError(
            "realtime top needs textual",
            remedy="pip install 'alpaca-realtime[top]', or scripts/setup top",
        ) from error
    daemon = connect(url, config)
    daemon.get("/health", HealthDocument)  # a missing daemon is reported on the normal screen
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("realtime top needs a terminal", remedy="realtime status --all")
    app = TopApp(daemon)
    app.run()
    if app.failure is not None:
        raise app.failure
    return SUCCESS
