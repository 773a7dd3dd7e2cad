"""`realtime order buy AAPL 10 --account alpha`: one order, without the daemon."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from realtime.cli import FAILED, SUCCESS
from realtime.cli.options import config_option, yes_option

if TYPE_CHECKING:
    from realtime.accounts import Accounts


@click.command()
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("symbol")
@click.argument("qty", required=False)
@click.option("--account", "account_id", metavar="LABEL", help="The account.")
@click.option("--notional", help="Dollars, instead of a quantity.")
@click.option("--limit", "limit_price", help="Place a limit order at this price.")
@click.option("--tif", "time_in_force", help="day, gtc, …; default day, gtc for crypto.")
@click.option("--id", "client_order_id", help="Your id of the order: one id never places two.")
@yes_option
@config_option
def command(
    *,
    side: str,
    symbol: str,
    qty: str | None,
    time_in_force: str | None,
    is_yes: bool,
    config: Path | None,
    **fields: str | None,
) -> int:
    """Place one order with the keys of accounts.toml; asks first if it is real money.

    Exit code: 0 the broker has it, 1 refused or status unknown, 2 no such account.
    """
    from realtime.cli.trading import (  # noqa: PLC0415 - `--help` must not import it
        confirm,
        real_money_accounts,
        run_with_accounts,
    )

    symbol = symbol.upper()
    order = {name: value for name, value in {**fields, "qty": qty}.items() if value is not None}
    order |= {
        "symbol": symbol,
        "side": side,
        "type": "limit" if "limit_price" in order else "market",
    }
    order["time_in_force"] = time_in_force or ("gtc" if "/" in symbol else "day")
    account_id = fields["account_id"]

    async def place(accounts: "Accounts") -> int:
        if account_id is not None:
            accounts.account(account_id)
        real_money = real_money_accounts(accounts, account_id)
        amount = qty or f"${fields['notional']} of"
        question = f"{side} {amount} {symbol} with real money ({', '.join(real_money)})?"
        if real_money and not confirm(question, is_yes=is_yes):
            return FAILED
        placed = await accounts.place_order(**order)
        result = placed.order
        size = result.qty or f"${result.notional}"
        click.echo(
            f"{placed.account_id} {result.side} {size} {result.symbol} {result.type}: "
            f"{result.status}  {result.id}"
        )
        return SUCCESS

    return run_with_accounts(config, place)
