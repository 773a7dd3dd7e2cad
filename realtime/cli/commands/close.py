"""`realtime close --account alpha`, `realtime close --all`: cancel and close everything."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from realtime.cli import FAILED, SUCCESS
from realtime.cli.options import daemon_options, yes_option
from realtime.errors import LinkError, RealtimeError

if TYPE_CHECKING:
    from realtime.accounts import Accounts
    from realtime.cli.client import DaemonClient
    from realtime.orders.errors import Declined
    from realtime.orders.liquidation import LiquidationService
    from realtime.orders.results import AccountLiquidation

PROGRESS_INTERVAL_S = 1.0
HALT_REASON = "realtime close"


@click.command()
@click.option("--account", metavar="LABEL", help="Close this account.")
@click.option("--all", "is_all", is_flag=True, help="Close every account.")
@click.option("--release", "is_release", is_flag=True, help="End a closing that is not finished.")
@click.option(
    "--wait", "wait_s", type=float, default=120.0, show_default=True, help="Seconds to wait."
)
@yes_option
@daemon_options
def command(
    *,
    account: str | None,
    is_all: bool,
    is_release: bool,
    wait_s: float,
    is_yes: bool,
    url: str | None,
    config: Path | None,
) -> int:
    """Cancel every order and close every position of one account, or of all of them.

    Works without a daemon. A running daemon is halted first, for these accounts, and resumed when
    they are flat. Done when the broker shows nothing in two reads ten seconds apart; until then the
    account takes no other order. The same command continues, and so does the daemon when it starts;
    `--release` ends it.

    Exit code: 0 flat, 1 not yet, or not all, 2 no such account.
    """
    if (account is None) == (not is_all):
        raise click.UsageError("pass --account LABEL or --all")
    # `--help` must not import what only the command needs.
    import asyncio  # noqa: PLC0415 - as above

    from realtime.cli.trading import (  # noqa: PLC0415 - as above
        confirm,
        real_money_accounts,
        run_with_accounts,
    )

    async def close(accounts: "Accounts") -> int:
        if account is not None:
            accounts.account(account)
        if is_release:
            released = accounts.release_closing(account)
            click.echo(f"released: {', '.join(released) or 'no account was being closed'}")
            return SUCCESS
        real_money = real_money_accounts(accounts, account)
        subject = "every account" if is_all else f"account {account}"
        money = f" with real money ({', '.join(real_money)})" if real_money else ""
        needs_confirmation = is_all or bool(real_money)
        if needs_confirmation and not confirm(f"close {subject}{money}?", is_yes=is_yes):
            return FAILED
        halt = await asyncio.to_thread(DaemonHalt.begin, url, config, account)
        is_flat = await _close_and_report(accounts, account, wait_s)
        await asyncio.to_thread(halt.end, is_flat=is_flat)
        return SUCCESS if is_flat else FAILED

    return run_with_accounts(config, close)


class DaemonHalt:
    """The halt of a running daemon while accounts are closed."""

    def __init__(self, daemon: "DaemonClient | None", account: str | None) -> None:
        self._daemon = daemon
        """None: there is none, or it was halted before and stays so."""
        self._account = account

    @classmethod
    def begin(cls, url: str | None, config: Path | None, account: str | None) -> "DaemonHalt":
        """Halt new orders of an account, or of all, in a running daemon, if there is one."""
        from realtime.cli.client import connect  # noqa: PLC0415 - as above
        from realtime.orders.results import HaltState  # noqa: PLC0415 - as above

        try:
            daemon = connect(url, config)
            halts = daemon.get("/orders/halt", HaltState).scopes
            if any(halt.account_id in (None, account) for halt in halts):
                click.echo(f"the daemon at {daemon.url} is halted already", err=True)
                return cls(None, account)
            query = {"account_id": account, "reason": HALT_REASON}
            daemon.post("/orders/halt", HaltState, query)
        except LinkError as error:
            click.echo(f"no daemon was halted: {error.message}", err=True)
            return cls(None, account)
        except RealtimeError as error:
            click.echo(f"the daemon was not halted and may place new orders: {error}", err=True)
            return cls(None, account)
        click.echo(f"the daemon at {daemon.url} is halted", err=True)
        return cls(daemon, account)

    def end(self, *, is_flat: bool) -> None:
        """Resume the daemon if the accounts are flat."""
        from realtime.orders.results import HaltState  # noqa: PLC0415 - as above

        if self._daemon is None:
            return
        option = f" --account {self._account}" if self._account else ""
        remedy = f"`realtime halt --resume{option}` resumes it"
        if not is_flat:
            click.echo(f"the daemon stays halted; {remedy}", err=True)
            return
        try:
            self._daemon.post("/orders/resume", HaltState, {"account_id": self._account})
        except RealtimeError as error:
            click.echo(f"the daemon stays halted: {error.message}; {remedy}", err=True)
        else:
            click.echo("the daemon takes orders again", err=True)


async def _close_and_report(accounts: "Accounts", account: str | None, wait_s: float) -> bool:
    """Close, reporting progress; return whether all accounts are flat."""
    import asyncio  # noqa: PLC0415 - `--help` must not import it

    closing = asyncio.create_task(
        accounts.close_all_positions(account, wait_s=wait_s), name="close"
    )
    reported: dict[str, str] = {}
    while not (await asyncio.wait([closing], timeout=PROGRESS_INTERVAL_S))[0]:
        _report_progress(accounts.trading_service.liquidations, reported)
    results = closing.result()
    for label, result in results.items():
        _report_result(label, result)
    return all(getattr(result, "state", None) == "flat" for result in results.values())


def _report_progress(liquidations: "LiquidationService", reported: dict[str, str]) -> None:
    """Print the progress of each account whenever it changes."""
    for label, liquidation in liquidations.accounts.items():
        progress = _progress(liquidation)
        if reported.get(label) != progress:
            reported[label] = progress
            click.echo(f"{label}: {progress}", err=True)


def _progress(liquidation: "AccountLiquidation") -> str:
    if liquidation.state == "confirming":
        return "nothing left, reading once more"
    if liquidation.state != "closing":
        return liquidation.state
    left = [row for row in liquidation.symbols.values() if row.status != "flat"]
    orders = "?" if liquidation.open_orders is None else liquidation.open_orders
    return f"{len(left)} positions and {orders} open orders left"


def _report_result(label: str, result: "AccountLiquidation | Declined") -> None:
    if isinstance(result, Exception):
        click.echo(f"{label}: not closed: {result.message}")
        click.echo(f"  remedy: {result.remedy}")
        return
    reason = f": {result.last_error}" if result.last_error else ""
    click.echo(f"{label}: {result.state}{reason}")
    for row in result.symbols.values():
        click.echo(f"  {row.symbol} {row.qty} {row.status} {row.detail or ''}".rstrip())
