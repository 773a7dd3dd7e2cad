"""`realtime close --account alpha`, `realtime close --all`: cancel all, close all, until flat."""

from pathlib import Path
from typing import Any

import click


@click.command()
@click.option("--account", help="Close this account.")
@click.option("--all", "is_all", is_flag=True, help="Close every account.")
@click.option("--wait", "wait_s", type=float, default=120.0, help="Seconds to wait; 120.")
@click.option("--yes", "is_yes", is_flag=True, help="Do not ask.")
@click.option("--config", type=click.Path(path_type=Path), help="The accounts file.")
def command(
    *, account: str | None, is_all: bool, wait_s: float, is_yes: bool, config: Path | None
) -> int:
    """Cancel every order and close every position of one account, or of all of them.

    Done when the broker shows nothing in two lists ten seconds apart.
    Exit code: 0 flat, 1 not yet: the daemon, or the same command, goes on.
    """
    if (account is None) == (not is_all):
        raise click.UsageError("say --account LABEL or --all")
    from realtime.cli.confirming import is_agreed, run_with_accounts  # noqa: PLC0415 - as `run`

    async def close(accounts: Any) -> int:
        live = [a.label for a in accounts.settings.accounts if not a.paper and a.enabled]
        concerned = live if is_all else [label for label in live if label == account]
        whom = "everything" if is_all else f"all of {account}"
        money = f" with real money ({', '.join(concerned)})" if concerned else ""
        if (is_all or concerned) and not is_agreed(f"close {whom}{money}?", is_yes=is_yes):
            return 1
        told = await accounts.close_all_positions(account, wait_s=wait_s)
        for label, closing in told.items():
            click.echo(f"{label}: {closing.state}")
            for row in closing.symbols.values():
                click.echo(f"  {row.symbol} {row.qty} {row.status} {row.detail or ''}".rstrip())
        return 0 if all(each.state == "flat" for each in told.values()) else 1

    return run_with_accounts(config, close)
