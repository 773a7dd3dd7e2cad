"""Parameters of the broker's own market-data paths, for the description of the interface.

They are passed on as they came, also those that are not listed here: the broker checks them.
Source: the broker's OpenAPI document of the market-data API.
"""

from typing import Annotated

from msgspec import Meta, Struct

Symbols = Annotated[str | None, Meta(description="Separated by commas.")]
Start = Annotated[str | None, Meta(description="A date or RFC 3339, inclusive.")]
End = Annotated[str | None, Meta(description="A date or RFC 3339, inclusive; now by default.")]
Limit = Annotated[str | None, Meta(description="Items of a page, over all symbols.")]
PageToken = Annotated[str | None, Meta(description="`next_page_token` of the page before.")]
Sort = Annotated[str | None, Meta(description="`asc` or `desc`, by time.")]
Feed = Annotated[str | None, Meta(description="`sip`, `iex` …; the broker's default if left out.")]
OptionFeed = Annotated[str | None, Meta(description="`opra` or `indicative`.")]
Currency = Annotated[str | None, Meta(description="ISO 4217; USD by default.")]
Timeframe = Annotated[str | None, Meta(description="`1Min`, `1Hour`, `1Day`, `1Week`, `1Month` …")]
Top = Annotated[str | None, Meta(description="How many.")]
Tape = Annotated[str | None, Meta(description="`A`, `B` or `C`.")]
Since = Annotated[str | None, Meta(description="Only values that changed since, RFC 3339.")]
Day = Annotated[str | None, Meta(description="A date.")]
Strike = Annotated[str | None, Meta(description="A price.")]
Word = Annotated[str | None, Meta(description="As in the broker's documentation.")]


class AnyPath(Struct, frozen=True, kw_only=True):
    """No parameters, or any."""


class Range(Struct, frozen=True, kw_only=True):
    """Parameters of history."""

    start: Start = None
    end: End = None
    limit: Limit = None
    page_token: PageToken = None
    sort: Sort = None


class StockRange(Range, frozen=True, kw_only=True):
    """Trades, quotes or auctions of one stock."""

    asof: Day = None
    feed: Feed = None
    currency: Currency = None


class StockBarRange(StockRange, frozen=True, kw_only=True):
    """Bars of one stock."""

    timeframe: Timeframe = None
    adjustment: Word = None


class StocksRange(StockRange, frozen=True, kw_only=True):
    """Trades, quotes or auctions of stocks."""

    symbols: Symbols = None


class StocksBarRange(StockBarRange, frozen=True, kw_only=True):
    """Bars of stocks."""

    symbols: Symbols = None


class StockLatest(Struct, frozen=True, kw_only=True):
    """Latest values of one stock."""

    feed: Feed = None
    currency: Currency = None


class StocksLatest(StockLatest, frozen=True, kw_only=True):
    """Latest values of stocks."""

    symbols: Symbols = None


class Conditions(Struct, frozen=True, kw_only=True):
    """Codes of conditions."""

    tape: Tape = None


class SymbolsRange(Range, frozen=True, kw_only=True):
    """Trades or quotes of coins or options."""

    symbols: Symbols = None


class SymbolsBarRange(SymbolsRange, frozen=True, kw_only=True):
    """Bars of coins or options."""

    timeframe: Timeframe = None


class CoinsLatest(Struct, frozen=True, kw_only=True):
    """Latest values of coins."""

    symbols: Symbols = None


class OptionsLatest(CoinsLatest, frozen=True, kw_only=True):
    """Latest values of options."""

    feed: OptionFeed = None


class OptionSnapshots(OptionsLatest, frozen=True, kw_only=True):
    """Snapshots of options."""

    limit: Limit = None
    page_token: PageToken = None
    updated_since: Since = None


class OptionChain(Struct, frozen=True, kw_only=True):
    """Snapshots of the options of one underlying."""

    feed: OptionFeed = None
    limit: Limit = None
    page_token: PageToken = None
    updated_since: Since = None
    type: Word = None
    strike_price_gte: Strike = None
    strike_price_lte: Strike = None
    expiration_date: Day = None
    expiration_date_gte: Day = None
    expiration_date_lte: Day = None
    root_symbol: Word = None


class News(Range, frozen=True, kw_only=True):
    """News articles."""

    symbols: Symbols = None
    include_content: Word = None
    exclude_contentless: Word = None


class Movers(Struct, frozen=True, kw_only=True):
    """The largest changes."""

    top: Top = None


class MostActives(Movers, frozen=True, kw_only=True):
    """The most traded."""

    by: Word = None


class CorporateActions(Range, frozen=True, kw_only=True):
    """Splits, dividends, mergers …"""

    symbols: Symbols = None
    cusips: Symbols = None
    types: Symbols = None
    region: Word = None
    ids: Symbols = None


class Rates(Range, frozen=True, kw_only=True):
    """Exchange rates, or values of indices."""

    currency_pairs: Symbols = None
    symbols: Symbols = None
    timeframe: Timeframe = None


class Isins(Struct, frozen=True, kw_only=True):
    """Bonds."""

    isins: Symbols = None


class IsinQuotes(Isins, frozen=True, kw_only=True):
    """Quotes of bonds."""

    trade_size: Word = None


class Logo(Struct, frozen=True, kw_only=True):
    """A picture."""

    placeholder: Word = None
