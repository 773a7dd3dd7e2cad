"""`realtime cluster`: which daemon owns which account; drain one; let the last one go on alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from realtime.cli import FAILED, SUCCESS, CommandError
from realtime.cli.options import daemon_options

POLL_INTERVAL_S = 0.5
DRAIN_TIMEOUT_S = 300.0


@contextmanager
def engine_needed() -> Iterator[None]:
    """Raises `CommandError` where the daemon has no etcd, so has none of these routes."""
    from realtime.cli.client import DaemonError  # noqa: PLC0415 - `--help` must not import it

    try:
        yield
    except DaemonError as error:
        if error.code != "unknown_route":
            raise
        raise CommandError(
            "this daemon has no `engine` in [cluster]: etcd decides nothing here",
            remedy="`realtime status` shows owners and fronts",
            exit_code=FAILED,
        ) from error


@click.group()
def command() -> None:
    """Several daemons that share the accounts, as etcd decides."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print the document.")
@daemon_options
def status(*, as_json: bool, url: str | None, config: Path | None) -> int:
    """Show the members, what they own, and whether etcd answers.

    Exit code: 0 well; 1 etcd does not answer, a node of it is down, or an account has no owner.
    """
    # `--help` must not import what only the command needs.
    import msgspec  # noqa: PLC0415 - as above

    from realtime.api.documents.cluster import EngineDocument  # noqa: PLC0415 - as above
    from realtime.cli.client import connect  # noqa: PLC0415 - as above
    from realtime.cli.cluster_format import format_engine  # noqa: PLC0415 - as above

    with engine_needed():
        document = connect(url, config).get("/admin/cluster", EngineDocument)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
    else:
        click.echo("\n".join(format_engine(document)))
    is_well = document.reachable and document.nodes_up == document.nodes and not document.unowned
    return SUCCESS if is_well else FAILED


@command.command("drain")
@daemon_options
def drain(*, url: str | None, config: Path | None) -> int:
    """Hand over all accounts of a daemon to the others, before it is stopped.

    It claims no account until it is started again. Exit code: 0 it owns none, 1 it still does.
    """
    from realtime.api.documents.cluster import EngineDocument  # noqa: PLC0415 - as above
    from realtime.cli.client import connect  # noqa: PLC0415 - as above

    daemon = connect(url, config)
    with engine_needed():
        document = daemon.post("/admin/cluster/drain", EngineDocument)
    others = [row for row in document.members if row.member != document.member]
    if document.accounts and not any(not row.draining and row.same_accounts for row in others):
        click.echo("no other daemon can take the accounts: it keeps them", err=True)
        return FAILED
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    before = None
    while document.accounts and time.monotonic() < deadline:
        if document.accounts != before:
            click.echo(f"{document.accounts} accounts left")
            before = document.accounts
        time.sleep(POLL_INTERVAL_S)
        document = daemon.get("/admin/cluster", EngineDocument)
    click.echo("no accounts left" if not document.accounts else f"{document.accounts} not moved")
    return FAILED if document.accounts else SUCCESS


@command.command("alone")
@click.option("--yes", is_flag=True, help="Do not ask.")
@daemon_options
def alone(*, yes: bool, url: str | None, config: Path | None) -> int:
    """Let this daemon own every account while etcd does not answer.

    Only if no other daemon of the fleet runs: nothing keeps two of them from sending orders then.
    It ends as soon as etcd answers. Exit code: 0 it goes on alone, 1 refused.
    """
    from realtime.api.documents.cluster import EngineDocument  # noqa: PLC0415 - as above
    from realtime.cli.client import DaemonError, connect  # noqa: PLC0415 - as above
    from realtime.cli.trading import confirm  # noqa: PLC0415 - as above

    if not confirm("Every other daemon of this fleet is stopped?", is_yes=yes):
        return FAILED
    try:
        with engine_needed():
            document = connect(url, config).post("/admin/cluster/alone", EngineDocument)
    except DaemonError as error:
        click.echo(str(error), err=True)
        return FAILED
    click.echo(f"{document.member} goes on alone until etcd answers")
    return SUCCESS
