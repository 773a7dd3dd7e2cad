"""Ask before real money moves, run a task with the accounts, say how it ended."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from realtime.cli import FAILED, FINE


def is_agreed(question: str, *, is_yes: bool) -> bool:
    """Whether the person at the terminal wants it; `--yes` has said so before."""
    return is_yes or click.confirm(question, default=False, err=True)


def run_with_accounts(config: Path | None, doing: Callable[..., Awaitable[int]]) -> int:
    """Run `doing(accounts)`; what was refused or is unknown becomes a sentence and an exit code."""
    from realtime.accounts import Accounts  # noqa: PLC0415 - `--help` must not pay for it
    from realtime.logs import configure  # noqa: PLC0415 - as above
    from realtime.orders.principal import Principal  # noqa: PLC0415 - as above
    from realtime.orders.refusal import Declined, Unresolved  # noqa: PLC0415 - as above

    configure("error", "text", sys.stderr)

    async def main() -> int:
        try:
            settings = Accounts.from_config(config).settings
            async with Accounts(settings, who=Principal(name="shell")) as accounts:
                return await doing(accounts)
        except Declined as no:
            click.echo(f"refused: {no.message}", err=True)
            if no.remedy:
                click.echo(f"  remedy: {no.remedy}", err=True)
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
