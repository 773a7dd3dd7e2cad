"""Values of the market-data API as the library returns them: exact decimals, full names.

Times stay the broker's own text: they have nanoseconds. Absent members are None.
"""

from decimal import Decimal

from msgspec import Struct


class Bar(
    Struct,
    frozen=True,
    kw_only=True,
    rename={
        "timestamp": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v",
        "trade_count": "n", "vwap": "vw",
    },
):  # fmt: skip
    """Prices and volume of one period, which begins at `timestamp`."""

    timestamp: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trade_count: int | None = None
    vwap: Decimal | None = None


class Quote(
    Struct,
    frozen=True,
    kw_only=True,
    rename={
        "timestamp": "t", "bid_price": "bp", "bid_size": "bs", "bid_exchange": "bx",
        "ask_price": "ap", "ask_size": "as", "ask_exchange": "ax", "conditions": "c", "tape": "z",
    },
):  # fmt: skip
    """The best bid and ask. A price or size of 0 means that the side has no quote."""

    timestamp: str
    bid_price: Decimal
    bid_size: Decimal
    ask_price: Decimal
    ask_size: Decimal
    bid_exchange: str | None = None
    ask_exchange: str | None = None
    conditions: tuple[str, ...] | str = ()
    tape: str | None = None


class Trade(
    Struct,
    frozen=True,
    kw_only=True,
    rename={
        "timestamp": "t", "price": "p", "size": "s", "exchange": "x", "conditions": "c",
        "id": "i", "tape": "z", "taker_side": "tks",
    },
):  # fmt: skip
    """One trade. `taker_side` is that of coins: `B` or `S`."""

    timestamp: str
    price: Decimal
    size: Decimal
    exchange: str | None = None
    conditions: tuple[str, ...] | str = ()
    id: int | None = None
    tape: str | None = None
    taker_side: str | None = None


class Greeks(Struct, frozen=True, kw_only=True):
    """Sensitivities of an option."""

    delta: Decimal | None = None
    gamma: Decimal | None = None
    theta: Decimal | None = None
    vega: Decimal | None = None
    rho: Decimal | None = None


class Snapshot(Struct, frozen=True, kw_only=True, rename="camel"):
    """The latest values of one symbol; those of options have greeks where they can be computed."""

    latest_trade: Trade | None = None
    latest_quote: Quote | None = None
    minute_bar: Bar | None = None
    daily_bar: Bar | None = None
    prev_daily_bar: Bar | None = None
    implied_volatility: Decimal | None = None
    greeks: Greeks | None = None


class BarPage(Struct, frozen=True):
    """One page of bars, by symbol."""

    bars: dict[str, list[Bar]] = {}
    next_page_token: str | None = None
