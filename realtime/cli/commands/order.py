"""`realtime order buy AAPL 10 --account alpha`: one order, without the daemon."""

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("symbol")
@click.argument("qty", required=False)
@click.option("--account", "account_id", help="The account's label.")
@click.option("--notional", help="Dollars, in place of a quantity.")
@click.option("--limit", "limit_price", help="Makes it a limit order at this price.")
@click.option("--tif", "time_in_force", help="day, gtc, …; day, or gtc for coins.")
@click.option("--id", "client_order_id", help="Your name for the order: never two of one name.")
@click.option("--yes", "is_yes", is_flag=True, help="Do not ask before real money moves.")
@click.option("--config", type=click.Path(path_type=Path), help="The accounts file.")
def command(**given: Any) -> int:
    """Place one order by the keys of accounts.toml; asks first if it is real money.

    Exit code: 0 the broker has it, 1 refused or not known.
    """
    from realtime.cli.confirmation import (  # noqa: PLC0415 - as `run`
        is_agreed,
        live_accounts,
        run_with_accounts,
    )

    order = {
        name: given[name]
        for name in ("account_id", "notional", "limit_price", "client_order_id", "qty", "side")
        if given[name] is not None
    }
    symbol = str(given["symbol"]).upper()
    order["symbol"] = symbol
    order["type"] = "limit" if given["limit_price"] else "market"
    order["time_in_force"] = given["time_in_force"] or ("gtc" if "/" in symbol else "day")

    async def place(accounts: Any) -> int:
        if given["account_id"] is not None:
            accounts.account(given["account_id"])
        concerned = live_accounts(accounts, given["account_id"])
        amount = given["qty"] or f"${given['notional']} of"
        question = f"{given['side']} {amount} {symbol} with real money ({', '.join(concerned)})?"
        if concerned and not is_agreed(question, is_yes=given["is_yes"]):
            return 1
        placed = await accounts.place_order(**order)
        o = placed.order
        size = o.qty or f"${o.notional}"
        click.echo(f"{placed.account_id} {o.side} {size} {o.symbol} {o.type}: {o.status}  {o.id}")
        return 0

    return run_with_accounts(given["config"], place)
