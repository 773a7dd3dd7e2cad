"""`realtime run`: the daemon for the accounts of `accounts.toml`."""

import os
from functools import partial
from pathlib import Path

import click

from realtime.cli.options import config_option, listen_options, with_log_file


@click.command()
@config_option
@listen_options
@click.option(
    "--audit-log",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write orders here; default: [orders] audit_log, else orders.jsonl.",
)
def command(
    *,
    config: Path | None,
    host: str | None,
    port: int | None,
    log_file: Path | None,
    audit_log: Path | None,
) -> None:
    """Follow the accounts of accounts.toml and serve their state until Ctrl-C or SIGTERM.

    Keys are read from secrets.toml beside it, from .env beside it, or from the environment.
    `realtime check` tests them; `realtime demo` needs none.
    """
    # `--help` must not import what only the command needs.
    from realtime.config import load  # noqa: PLC0415 - as above
    from realtime.config.loader import load_environ  # noqa: PLC0415 - as above
    from realtime.runtime.lifecycle import run_until_stopped  # noqa: PLC0415 - as above

    environ = with_log_file(os.environ, log_file)
    read = partial(load, config, environ=environ, host=host, port=port, audit_log=audit_log)
    # Variables of `.env` also say where the log goes.
    run_until_stopped(read(), load_environ(config, environ), read)
