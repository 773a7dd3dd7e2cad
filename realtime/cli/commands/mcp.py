"""`realtime mcp`: the daemon's state for AI agents, read-only."""

from pathlib import Path

import click

from realtime.cli import SUCCESS
from realtime.cli.options import daemon_options
from realtime.errors import ConfigError, RealtimeError


@click.command()
@daemon_options
def command(*, url: str | None, config: Path | None) -> int:
    """Serve a running daemon's state to an AI agent (MCP), read-only.

    The agent starts this program and talks to it over stdin and stdout. Accounts, positions,
    orders, fills, comparisons: every result says as of when it is and whether it may be behind the
    broker. Nothing can be traded or changed. REALTIME_TOKEN is sent if set.
    Exit code: 0 the agent has ended, 2 the extra `mcp` is not installed.
    """
    # `--help` must not import what only the command needs.
    from realtime.api.documents.health import HealthDocument  # noqa: PLC0415 - as above
    from realtime.cli.client import connect  # noqa: PLC0415 - as above

    try:
        from realtime.cli.mcp_server import ToolServer, run  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("mcp"):
            raise
        raise ConfigError(
            "realtime mcp needs the package mcp",
            remedy="pip install 'alpaca-realtime[mcp]', or scripts/setup mcp",
        ) from error
    daemon = connect(url, config)
    try:
        daemon.get("/health", HealthDocument)
    except RealtimeError as error:
        # The agent sees it in each result; here it is for the log of the program that started us.
        click.echo(f"{error} (the tools answer once it runs)", err=True)
    run(ToolServer(daemon))
    return SUCCESS
