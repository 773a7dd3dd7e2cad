"""`realtime close --account alpha`, `realtime close --all`: cancel all, close all, until flat."""

from pathlib import Path
from typing import Any

import click

LOOK_S = 1.0


@click.command()
@click.option("--account", help="Close this account.")
@click.option("--all", "is_all", is_flag=True, help="Close every account.")
@click.option("--release", "is_release", is_flag=True, help="End a closing that is not done.")
@click.option("--wait", "wait_s", type=float, default=120.0, help="Seconds to wait; 120.")
@click.option("--yes", "is_yes", is_flag=True, help="Do not ask.")
@click.option("--config", type=click.Path(path_type=Path), help="The accounts file.")
def command(*, account: str | None, is_all: bool, is_release: bool, **given: Any) -> int:
    """Cancel every order and close every position of one account, or of all of them.

    Works without the daemon, and beside one; where something goes on ordering, `realtime halt`
    first. Done when the broker shows nothing in two lists ten seconds apart. Until then the account
    is latched: it takes no other order. The same command goes on, and so does the daemon's next
    start; `--release` ends it.

    Exit code: 0 flat, 1 not yet, or not all.
    """
    if (account is None) == (not is_all):
        raise click.UsageError("say --account LABEL or --all")
    # `--help` must not pay for what only the command itself needs.
    import asyncio  # noqa: PLC0415 - as above

    from realtime.cli.confirmation import (  # noqa: PLC0415 - as `run`
        is_agreed,
        live_accounts,
        run_with_accounts,
    )

    said: dict[str, str] = {}

    async def close(accounts: Any) -> int:
        if account is not None:
            accounts.account(account)
        if is_release:
            released = accounts.release_closing(account)
            click.echo(f"released: {', '.join(released) or 'nothing was being closed'}")
            return 0
        concerned = live_accounts(accounts, account)
        whom = "everything" if is_all else f"all of {account}"
        money = f" with real money ({', '.join(concerned)})" if concerned else ""
        if (is_all or concerned) and not is_agreed(f"close {whom}{money}?", is_yes=given["is_yes"]):
            return 1
        closing = asyncio.create_task(
            accounts.close_all_positions(account, wait_s=given["wait_s"]), name="close"
        )
        while not (await asyncio.wait([closing], timeout=LOOK_S))[0]:
            _say_progress(accounts.trading_service.liquidations, said)
        told = closing.result()
        for label, each in told.items():
            _tell(label, each)
        return 0 if all(_is_flat(each) for each in told.values()) else 1

    return run_with_accounts(given["config"], close)


def _say_progress(liquidations: Any, said: dict[str, str]) -> None:
    """Say how far it is whenever that changes: nobody should wonder in such a moment."""
    for label, account in liquidations.accounts.items():
        now = _progress(account)
        if said.get(label) != now:
            said[label] = now
            click.echo(f"{label}: {now}", err=True)


def _progress(account: Any) -> str:
    if account.state != "closing":
        return "nothing left, looking once more" if account.state == "confirming" else account.state
    left = [row.symbol for row in account.symbols.values() if row.status != "flat"]
    working = "?" if account.open_orders is None else account.open_orders
    return f"{len(left)} positions left, {working} orders working"


def _is_flat(closing: Any) -> bool:
    return getattr(closing, "state", None) == "flat"


def _tell(label: str, closing: Any) -> None:
    if not hasattr(closing, "state"):
        click.echo(f"{label}: left as it is: {closing.message}")
        click.echo(f"  remedy: {closing.remedy}")
        return
    why = f": {closing.last_error}" if closing.last_error else ""
    click.echo(f"{label}: {closing.state}{why}")
    for row in closing.symbols.values():
        click.echo(f"  {row.symbol} {row.qty} {row.status} {row.detail or ''}".rstrip())
