"""`realtime run`: the daemon for the accounts of `accounts.toml`."""

import os
from functools import partial
from pathlib import Path

import click


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The accounts file; accounts.toml, or what REALTIME_CONFIG says.",
)
@click.option("--host", help="Address to listen on; 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on; 8090.")
@click.option(
    "--log-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where the log goes; stdout, or what [log] file says.",
)
@click.option(
    "--audit-log",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where orders are written down; orders.jsonl, or what [orders] audit_log says.",
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

    Keys are read from secrets.toml beside it, or from the environment. `realtime check` tries
    them; `realtime demo` needs none.
    """
    # `--help` must not pay for what only the command itself needs.
    from realtime.config import load  # noqa: PLC0415 - as above
    from realtime.runtime.lifecycle import run_until_stopped  # noqa: PLC0415 - as above

    environ = {**os.environ, **({"REALTIME_LOG_FILE": str(log_file)} if log_file else {})}
    read = partial(load, config, environ=environ, host=host, port=port, audit_log=audit_log)
    run_until_stopped(read(), environ, read)
