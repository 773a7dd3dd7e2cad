"""`realtime halt`: the kill switch, through the daemon and through its journal."""

import os
import sys
import time
from pathlib import Path

import click

from realtime.cli import FAILED, SUCCESS, exit_code
from realtime.cli.options import daemon_options
from realtime.errors import ConfigError, LinkError, RealtimeError

PRINCIPAL = "shell"


@click.command()
@click.option("--account", metavar="LABEL", help="Only this account; without it, all.")
@click.option("--reason", default="", help="Shown in every refusal.")
@click.option("--resume", "is_resume", is_flag=True, help="Allow orders again.")
@daemon_options
def command(
    *, account: str | None, reason: str, is_resume: bool, url: str | None, config: Path | None
) -> int:
    """Stop new orders now, until `realtime halt --resume`. Canceling and closing stay possible.

    Sends the halt to the daemon of this configuration. If it does not accept the halt, the halt
    is written to the journal ([orders] audit_log): a running daemon that uses it obeys within
    a second, any other when it starts. Exit code: 0 the daemon accepted it, 1 it refused, 3 no
    daemon responds, 5 the token is missing or refused. REALTIME_TOKEN is sent if set.
    """
    from realtime.cli.client import DaemonError, connect  # noqa: PLC0415 - not for `--help`

    action = "resume" if is_resume else "halt"
    scope = f"account {account}" if account else "all accounts"
    done = "orders are allowed again" if is_resume else "new orders are halted"
    query = {"account_id": account, "reason": None if is_resume else reason}
    try:
        daemon = connect(url, config)
        daemon.post(f"/orders/{action}", dict, query)
    except RealtimeError as error:
        click.echo(f"not accepted by a daemon: {error}", err=True)
        # Not after a response such as "no such account"; and a resume needs the daemon's consent.
        is_final = isinstance(error, DaemonError) and error.status in (400, 404, 409, 422)
        if isinstance(error, LinkError) or not (is_resume or is_final):
            _write_to_journal(config, account, reason, is_resume=is_resume)
        return FAILED if is_final else exit_code(error)
    click.echo(f"{done} for {scope}: accepted by the daemon at {daemon.url}")
    return SUCCESS


def _write_to_journal(
    config: Path | None, account: str | None, reason: str, *, is_resume: bool
) -> None:
    """Append to the journal of the configuration, which needs neither a daemon nor keys."""
    from realtime.cli.formatting import name_some  # noqa: PLC0415 - as above
    from realtime.config.loader import load_labels, load_orders  # noqa: PLC0415 - as above
    from realtime.orders.errors import Declined  # noqa: PLC0415 - as above
    from realtime.orders.journal import Journal  # noqa: PLC0415 - as above
    from realtime.orders.kill_switch import KillSwitch  # noqa: PLC0415 - as above
    from realtime.telemetry.log import configure  # noqa: PLC0415 - as above

    configure("error", "text", sys.stderr)

    try:
        path = load_orders(config, environ=os.environ).audit_log
        labels = load_labels(config, environ=os.environ)
        if account is not None and account not in labels:
            raise ConfigError(f"no account '{account[:64]}'", remedy=f"one of: {name_some(labels)}")
    except ConfigError as error:
        click.echo(f"not written to a journal: {error}", err=True)
        return
    kill_switch = KillSwitch(Journal(path, time.time), time.time)
    action = "resume" if is_resume else "halt"
    scope = f"account {account}" if account else "all accounts"
    try:
        if is_resume:
            kill_switch.resume(account, principal=PRINCIPAL)
        else:
            kill_switch.halt(account, reason=reason, principal=PRINCIPAL)
        # A halt that cannot be written holds in this process only: read back what others will.
        written = KillSwitch(Journal(path, time.time), time.time)
        for entry in Journal(path, time.time).read():
            written.apply(entry)
        is_halted = any(halt.account_id in (None, account) for halt in written.state.scopes)
        if is_halted == is_resume:
            raise ConfigError(f"{path} does not contain it")
    except (ConfigError, Declined) as error:
        click.echo(f"not written to the journal: {error}", err=True)
        return
    click.echo(
        f"{action} of {scope} written to {path}: a running daemon that uses this journal obeys "
        "within a second, any other when it starts"
    )
