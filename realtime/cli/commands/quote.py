"""`realtime quote`: the latest quotes of symbols, read through a running daemon."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from realtime.cli import FAILED, SUCCESS
from realtime.cli.options import daemon_options

if TYPE_CHECKING:
    from realtime.cli.quotes import Quotes


@click.command()
@click.argument("symbols", metavar="SYMBOL...", nargs=-1, required=True)
@click.option("--feed", metavar="FEED", help="Of stocks and options: iex, sip, indicative, opra …")
@click.option("--json", "as_json", is_flag=True, help="Print the broker's own values as JSON.")
@daemon_options
def command(
    *,
    symbols: tuple[str, ...],
    feed: str | None,
    as_json: bool,
    url: str | None,
    config: Path | None,
) -> int:
    """Show the latest quotes of stocks, options and coins: AAPL, BTC/USD, AAPL261218C00200000.

    They are read through a running daemon with `[market]`, and its cache. REALTIME_TOKEN is sent if
    set. Exit code: 0 all shown, 1 a symbol has no quote, 3 no daemon responds, 5 the token is
    missing or refused.
    """
    # `--help` must not import what only the command needs.
    from realtime.cli.client import connect  # noqa: PLC0415 - as above
    from realtime.cli.quotes import print_quotes, quotes_json, read_quotes  # noqa: PLC0415

    quotes: Quotes = read_quotes(connect(url, config), symbols, feed)
    if as_json:
        click.echo(quotes_json(quotes))
    else:
        print_quotes(quotes)
    return FAILED if quotes.errors else SUCCESS
