"""Ask before real money moves, run a task with the accounts, say how it ended."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from realtime.cli import FAILED, FINE

REMEDIES = {
    "account_required": "say which: --account LABEL",
    "account_closing": "see `realtime close`; `--release` ends it",
}
"""What is said in other words than over HTTP."""


def is_agreed(question: str, *, is_yes: bool) -> bool:
    """Whether the person at the terminal wants it; `--yes` has said so before. Where nobody can be
    asked, it must have."""
    if is_yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody is there to be asked: say --yes")
    return click.confirm(question, default=False, err=True)


def live_accounts(accounts: Any, label: str | None) -> list[str]:
    """Accounts with real money that a command would touch; `label` None means any of them."""
    live = [a.label for a in accounts.settings.accounts if not a.paper and a.enabled]
    return [each for each in live if label in (None, each)]


def run_with_accounts(config: Path | None, doing: Callable[..., Awaitable[int]]) -> int:
    """Run `doing(accounts)`; what was refused or is unknown becomes a sentence and an exit code."""
    from realtime.accounts import Accounts  # noqa: PLC0415 - `--help` must not pay for it
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
                return await doing(accounts)
        except Declined as no:
            click.echo(f"refused: {no.message}", err=True)
            if remedy := REMEDIES.get(no.code, no.remedy):
                click.echo(f"  remedy: {remedy}", err=True)
            return FAILED
        except Unresolved as lost:
            click.echo(f"unknown: {lost.message}", err=True)
            click.echo(
                f"  remedy: say the same again with --id {lost.client_order_id}; "
                "no second order comes of it",
                err=True,
            )
            return FAILED

    return asyncio.run(main()) or FINE
