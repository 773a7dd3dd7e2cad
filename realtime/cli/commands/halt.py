"""`realtime halt`: the kill switch, by way of the daemon; without one, by way of its journal."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click


@click.command()
@click.option("--account", help="Only this account; without it, everybody.")
@click.option("--reason", default="", help="Why; shown to whoever is refused.")
@click.option("--resume", "is_resume", is_flag=True, help="Allow orders again.")
@click.option("--config", type=click.Path(path_type=Path), help="The accounts file.")
def command(*, account: str | None, reason: str, is_resume: bool, config: Path | None) -> int:
    """Stop new orders at once, until `realtime halt --resume`. Canceling and closing go on.

    A running daemon (REALTIME_URL) is told. Where none answers, the audit log of accounts.toml is:
    every start from then on is halted.
    """
    from realtime.cli.client import DaemonClient  # noqa: PLC0415 - as `run`
    from realtime.cli.confirmation import run_with_accounts  # noqa: PLC0415 - as above
    from realtime.errors import LinkError  # noqa: PLC0415 - as above

    word = "resume" if is_resume else "halt"
    said = {"account_id": account, "reason": None if is_resume else reason or None}
    query = urlencode({name: value for name, value in said.items() if value})
    whom = account or "everybody"
    try:
        DaemonClient().tell(f"/orders/{word}?{query}", dict)
    except LinkError as error:
        if "no daemon" not in error.message:
            raise
    else:
        click.echo(f"{'allowed' if is_resume else 'halted'}: {whom}")
        return 0

    async def note(accounts: Any) -> int:
        kill_switch = accounts.trading_service.kill_switch
        if is_resume:
            kill_switch.resume(account, principal="shell")
        else:
            kill_switch.halt(account, reason=reason, principal="shell")
        where = accounts.settings.orders.audit_log
        click.echo(f"no daemon runs; {where} says {word} for {whom} from the next start on")
        return 0

    return run_with_accounts(config, note)
