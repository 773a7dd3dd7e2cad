"""Settings of the market data: plans, connection rules and faults that tests switch on.

Each uncertain fact about the broker is a setting here (`POST /_sim/market_data`).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Plan = Literal["basic", "plus"]
Limit = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
QuoteShape = Literal["crossed", "locked", "no_bid", "no_ask"]

# Requests per minute, symbols per equities stream, quotes per options stream, of each plan.
REQUESTS_PER_MINUTE = {"basic": 200, "plus": 10_000}
MAX_STREAM_SYMBOLS = {"basic": 30, "plus": 1_000_000}
MAX_OPTION_QUOTES = {"basic": 200, "plus": 1_000}


class MissingBars(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bars of a symbol that history omits; `start` and `end` are RFC 3339, both inclusive."""

    symbol: str
    start: str
    end: str


class MarketDataSettings(msgspec.Struct, kw_only=True):
    """What `GET /_sim/market_data` returns; `plans` holds accounts that differ from `plan`."""

    plan: Plan = "basic"
    plans: dict[str, Plan] = {}
    header_auth: bool = True
    bad_key_status: Literal[401, 403] = 401
    # Streams.
    second_connection: Literal["406", "accept"] = "406"
    slot_release_s: Seconds = 3.0
    greeting_delay_s: Seconds = 0.0
    deflate: bool = False
    deaf: bool = False
    silent_symbols: list[str] = []
    ignored_above: Limit | None = None  # names per connection; more are acked and stay silent
    subscribe_error: Literal[405, 409, 410] | None = None
    drop_every: Limit | None = None  # n-th trades that streams do not get
    iex_delay_s: Seconds = 0.0  # the stream of `iex` is this much late; its times are true
    cut_in_frame: bool = False  # the next frame; then it is off again
    # Data.
    halted_symbols: list[str] = []
    no_trades: list[str] = []  # quotes go on
    quotes: dict[str, QuoteShape] = {}
    # REST pages.
    page_size: Limit | None = None
    repeat_page_token: bool = False
    failing_page: Limit | None = None  # this page of a request is answered with 500
    missing_bars: list[MissingBars] = []

    def plan_of(self, label: str | None) -> Plan:
        """Return the plan of an account; without an account the default."""
        return self.plan if label is None else self.plans.get(label, self.plan)
