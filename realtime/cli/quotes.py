"""Quotes of a running daemon, by class of asset, as a table and as JSON."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from realtime.cli import CommandError
from realtime.cli.client import DaemonClient, DaemonError
from realtime.cli.formatting import UNKNOWN, clean, format_duration
from realtime.market.symbols import AssetClass, class_of
from realtime.market.values import Quote


class SymbolError(Struct, frozen=True):
    """Why a symbol has no quote."""

    code: str
    detail: str


class Batch(Struct, frozen=True):
    """The daemon's response for one class of assets; values keep their bytes."""

    quotes: dict[str, msgspec.Raw]
    errors: dict[str, SymbolError]
    feed: str | None


class Quotes(Struct, frozen=True):
    """The responses of all classes."""

    quotes: dict[str, msgspec.Raw]
    errors: dict[str, SymbolError]
    feeds: dict[str, str]
    """Symbol → feed; coins have none."""


def read_quotes(daemon: DaemonClient, symbols: Iterable[str], feed: str | None) -> Quotes:
    """Read quotes, one request for each class of assets. Raises `CommandError`, `LinkError`."""
    by_class: dict[AssetClass, list[str]] = {}
    for symbol in symbols:
        by_class.setdefault(class_of(symbol), []).append(symbol)
    result = Quotes({}, {}, {})
    for asset_class, names in by_class.items():
        body = {"symbols": names, **({"feed": feed} if feed and asset_class != "crypto" else {})}
        try:
            batch = daemon.post(f"/{asset_class}/quotes/batch", Batch, body=body)
        except DaemonError as error:
            if error.code != "unknown_route":
                raise
            raise CommandError(
                "the daemon has no market data",
                remedy="add the section [market] to accounts.toml, and restart it",
            ) from error
        result.quotes.update(batch.quotes)
        result.errors.update(batch.errors)
        if batch.feed is not None:
            result.feeds.update(dict.fromkeys(batch.quotes, batch.feed))
    return result


def quotes_json(quotes: Quotes) -> str:
    """Return all responses as one document."""
    return msgspec.json.encode(quotes).decode()


def print_quotes(quotes: Quotes, now: datetime | None = None) -> None:
    """Print a table on stdout, and the reason of each symbol without a quote below it."""
    table = Table(box=None, pad_edge=False)
    table.add_column("SYMBOL")
    for name in ("BID", "SIZE", "ASK", "SIZE", "SPREAD"):
        table.add_column(name, justify="right")
    table.add_column("FEED")
    table.add_column("AGE", justify="right")
    for symbol, raw in quotes.quotes.items():
        quote = msgspec.json.decode(raw, type=Quote)
        table.add_row(
            clean(symbol),
            _price(quote.bid_price),
            f"{quote.bid_size:f}",
            _price(quote.ask_price),
            f"{quote.ask_size:f}",
            _spread(quote),
            clean(quotes.feeds.get(symbol, UNKNOWN)),
            _age(quote.timestamp, now or datetime.now(UTC)),
        )
    console = Console(highlight=False)
    if quotes.quotes:
        console.print(table)
    for symbol, error in quotes.errors.items():
        console.print(Text(f"{clean(symbol)}: {clean(error.detail)}"))


def _price(price: Decimal) -> str:
    """A price of 0 means that the side has no quote."""
    return f"{price:,f}" if price else UNKNOWN


def _spread(quote: Quote) -> str:
    return (
        f"{quote.ask_price - quote.bid_price:f}" if quote.bid_price and quote.ask_price else UNKNOWN
    )


def _age(timestamp: str, now: datetime) -> str:
    try:
        at = datetime.fromisoformat(timestamp)
    except ValueError:
        return UNKNOWN
    return format_duration((now - at).total_seconds())
