"""What `order` and `close` share: confirmation, the accounts of a configuration, errors."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realtime.cli import FAILED

if TYPE_CHECKING:
    from realtime.accounts import Accounts

REMEDIES = {
    "account_required": "name the account: --account LABEL",
    "account_closing": "see `realtime close`; `--release` ends it",
}
"""Remedies that differ from those of the HTTP interface."""


def confirm(question: str, *, is_yes: bool) -> bool:
    """Ask at the terminal, unless `--yes` was passed. Without a terminal `--yes` is required."""
    if is_yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} stdin is not a terminal; pass --yes")
    return click.confirm(question, default=False, err=True)


def real_money_accounts(accounts: "Accounts", label: str | None) -> list[str]:
    """Return the enabled real-money accounts that a command affects; `label` None: any of them."""
    return [
        account.label
        for account in accounts.settings.accounts
        if account.enabled and not account.paper and label in (None, account.label)
    ]


def run_with_accounts(config: Path | None, run: Callable[["Accounts"], Awaitable[int]]) -> int:
    """Run `run(accounts)` and return its exit code; refusals become a sentence and a remedy."""
    from realtime.accounts import Accounts  # noqa: PLC0415 - `--help` must not import it
    from realtime.auth.principal import Principal  # noqa: PLC0415 - as above
    from realtime.orders.errors import Declined, Unresolved  # noqa: PLC0415 - as above
    from realtime.telemetry.log import configure  # noqa: PLC0415 - as above

    configure("error", "text", sys.stderr)

    async def main() -> int:
        try:
            settings = Accounts.from_config(config).settings
            principal = Principal(
                user_id="shell",
                accounts=None,
                permissions=frozenset({"account_access", "trading"}),
            )
            async with Accounts(settings, principal=principal, keeps_warm=False) as accounts:
                return await run(accounts)
        except Declined as error:
            click.echo(f"refused: {error.message}", err=True)
            if remedy := REMEDIES.get(error.code, error.remedy):
                click.echo(f"  remedy: {remedy}", err=True)
            return FAILED
        except Unresolved as error:
            click.echo(f"unknown: {error.message}", err=True)
            click.echo(
                f"  remedy: repeat the command with --id {error.client_order_id}; "
                "it never places a second order",
                err=True,
            )
            return FAILED

    return asyncio.run(main())
