"""Parameters and documents of the market-data routes."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from realtime.market.rest.status import RestStatus
from realtime.market.stream.status import StreamsStatus

MAX_BATCH = 1000

Text = Annotated[str, Meta(min_length=1, max_length=64)]
Moment = Annotated[
    Text | None, Meta(description="A date (New York) or RFC 3339; both ends are inclusive.")
]
Currency = Annotated[
    Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None, Meta(description="ISO 4217; USD by default.")
]
RoutingKey = Annotated[
    Annotated[str, Meta(min_length=1, max_length=200)] | None,
    Meta(description="Accepted, and without effect on prices."),
]
StockFeed = Annotated[
    Literal["sip", "iex", "delayed_sip", "boats", "overnight", "otc"] | None,
    Meta(description="By default the best feed that the data key may use. Never another one."),
]
OptionFeed = Annotated[
    Literal["opra", "indicative"] | None,
    Meta(description="By default the best feed that the data key may use. Never another one."),
]


class StockQuery(Struct, frozen=True, kw_only=True):
    """Parameters of the latest values of a stock."""

    feed: StockFeed = None
    currency: Currency = None
    routing_key: RoutingKey = None


class OptionQuery(Struct, frozen=True, kw_only=True):
    """Parameters of the latest values of an option."""

    feed: OptionFeed = None
    routing_key: RoutingKey = None


class CryptoQuery(Struct, frozen=True, kw_only=True):
    """Parameters of the latest values of a coin."""

    routing_key: RoutingKey = None


class BarsQuery(Struct, frozen=True, kw_only=True):
    """Parameters of bars."""

    timeframe: Annotated[
        Text, Meta(description="`1Min` to `59Min`, `1Hour` …, `1Day`, `1Week`, `1Month` …")
    ] = "1Day"
    start: Annotated[
        Text | None,
        Meta(description="A date (New York) or RFC 3339. Without it: the newest bars."),
    ] = None
    end: Moment = None
    limit: Annotated[
        int, Meta(ge=1, le=10_000, description="Bars of a page; the token has the next page.")
    ] = 100
    sort: Annotated[Literal["asc", "desc"] | None, Meta(description="By time.")] = None
    page_token: Annotated[
        Annotated[str, Meta(min_length=1, max_length=1000)] | None,
        Meta(description="`next_page_token` of the page before."),
    ] = None
    routing_key: RoutingKey = None


class StockBarsQuery(BarsQuery, frozen=True, kw_only=True):
    """Parameters of the bars of a stock."""

    adjustment: Annotated[
        Annotated[str, Meta(pattern="^(raw|split|dividend|spin-off|all)(,[a-z-]+)*$")],
        Meta(description="`raw`, `split`, `dividend`, `spin-off`, `all`; or several with commas."),
    ] = "raw"
    asof: Annotated[
        Annotated[str, Meta(pattern=r"^(-|\d{4}-\d{2}-\d{2})$")] | None,
        Meta(description="The date whose names apply; `-` maps none. Today by default."),
    ] = None
    feed: Annotated[
        Literal["sip", "iex", "boats", "otc"] | None,
        Meta(description="`sip` by default, which ends 15 minutes ago without the paid plan."),
    ] = None
    currency: Currency = None


class BatchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The symbols of a batch."""

    symbols: Annotated[
        tuple[Annotated[str, Meta(max_length=64)], ...], Meta(min_length=1, max_length=MAX_BATCH)
    ]
    feed: str | None = None
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None
    routing_key: str | None = None


class SymbolProblem(Struct, frozen=True, kw_only=True):
    """Why a symbol of a batch has no value; the codes are those of problems."""

    code: str
    detail: str


class BatchDocument(Struct, frozen=True, kw_only=True):
    """Quotes by symbol, as the broker writes them, and why others are missing."""

    quotes: dict[str, object]
    errors: dict[str, SymbolProblem]
    feed: str | None
    as_of: str | None
    """When the oldest of them was read."""
    stale: tuple[str, ...]
    """Symbols whose older value was accepted (`max-stale`)."""


class SymbolValue(Struct, frozen=True, kw_only=True):
    """The latest quote, trade or snapshot of a symbol, as the broker's own routes return it."""

    symbol: str
    quote: object = None
    trade: object = None


class BarsPage(Struct, frozen=True, kw_only=True):
    """Bars of a symbol, as the broker's own routes return them."""

    symbol: str
    bars: list[object]
    next_page_token: str | None


class InvalidateQuery(Struct, frozen=True, kw_only=True):
    """Which cached responses are removed."""

    prefix: Annotated[
        Annotated[str, Meta(max_length=400)],
        Meta(
            description="Of their path, such as `/v2/stocks/bars` or `/stocks/AAPL`; all if empty."
        ),
    ] = ""


class InvalidateDocument(Struct, frozen=True, kw_only=True):
    """How many responses were removed."""

    prefix: str
    removed: int


class MarketStatus(Struct, frozen=True, kw_only=True):
    """The state of market data."""

    account: str
    """The label of the data key."""
    rest: RestStatus
    streams: StreamsStatus | None
    """None: streams are not relayed here."""
