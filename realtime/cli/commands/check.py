"""`realtime check`: will these files and keys do?"""

import os
from pathlib import Path

import click

from realtime.cli import FAILED, FINE


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The accounts file; accounts.toml, or what REALTIME_CONFIG says.",
)
@click.option("--offline", is_flag=True, help="Look at the files only; ask no broker.")
def command(*, config: Path | None, offline: bool) -> int:
    """Try the keys, REST and socket of every enabled account, all at once; change nothing.

    Stop the daemon before: an account has only one socket. Exit code: 0 all is well, 1 some
    account failed, 2 the files are wrong.
    """
    # `--help` must not pay for what only the command itself needs.
    from realtime.cli.account_checks import check  # noqa: PLC0415 - as above
    from realtime.config import load  # noqa: PLC0415 - as above

    settings = load(config, environ=os.environ)
    return FINE if check(settings, offline=offline) else FAILED
