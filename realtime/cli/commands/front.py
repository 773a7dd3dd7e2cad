"""`realtime front`: a daemon without accounts that follows those of other daemons."""

import os
from functools import partial
from pathlib import Path

import click

from realtime.cli.options import config_option, listen_options, with_log_file


@click.command()
@click.option(
    "--of",
    "addresses",
    metavar="URL",
    multiple=True,
    help="Where an owner's feed is ([cluster] listen there); repeat for several owners.",
)
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The secret of the fleet, equal on all members; default: [cluster] secret_file.",
)
@config_option
@listen_options
def command(
    *,
    addresses: tuple[str, ...],
    secret_file: Path | None,
    config: Path | None,
    host: str | None,
    port: int | None,
    log_file: Path | None,
) -> None:
    """Answer for the accounts of other daemons, from memory, until Ctrl-C or SIGTERM.

    A front has no keys and no connection to the broker. It follows its owners and serves the same
    routes, events and page. Orders are passed on to the owner. The accounts file is optional, and
    may be that of an owner.
    """
    # `--help` must not import what only the command needs.
    from realtime.config.cluster_section import read_addresses  # noqa: PLC0415 - as above
    from realtime.config.loader import load_environ, load_front  # noqa: PLC0415 - as above
    from realtime.runtime.lifecycle import run_until_stopped  # noqa: PLC0415 - as above

    environ = with_log_file(os.environ, log_file)
    read = partial(
        load_front,
        config,
        environ=environ,
        of=read_addresses(addresses),
        secret_file=secret_file,
        host=host,
        port=port,
    )
    run_until_stopped(read(), load_environ(config, environ), read)
