"""`realtime check`: whether these files and keys work."""

import os
from pathlib import Path

import click

from realtime.cli import FAILED, SUCCESS
from realtime.cli.options import config_option


@click.command()
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1)
@config_option
@click.option("--offline", is_flag=True, help="Check the files only; send no request.")
def command(*, accounts: tuple[str, ...], config: Path | None, offline: bool) -> int:
    """Test the keys, REST and websocket of every enabled account, or of these; change nothing.

    Shows equity, cash and buying power; the positions too where accounts are named. Stop the daemon
    before: an account has only one websocket.

    Exit code: 0 all is well, 1 some account failed, 2 the files are wrong.
    """
    # `--help` must not import what only the command needs.
    from realtime.cli.check_report import check  # noqa: PLC0415 - as above
    from realtime.config import load  # noqa: PLC0415 - as above

    settings = load(config, environ=os.environ)
    return SUCCESS if check(settings, accounts, offline=offline) else FAILED
