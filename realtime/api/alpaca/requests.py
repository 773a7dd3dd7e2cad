"""What the handlers of Alpaca's routes work with: the request, its account, and what they need."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from realtime.api.alpaca.account_selection import Caller
from realtime.api.alpaca.background import Background
from realtime.api.alpaca.market_cache import MarketCache
from realtime.api.alpaca.open_requests import OpenRequests
from realtime.api.alpaca.recent_writes import RecentWrites
from realtime.api.alpaca.target import Target
from realtime.orders.interface import TradingInterface
from realtime.store.records import Record
from realtime.store.store import Store


class AlpacaOptions(Struct, frozen=True, kw_only=True):
    """How Alpaca's API is served: the section `[alpaca_api]`, and what it needs of the daemon."""

    pdt_fields: bool = False
    """Whether every account has the fields that Alpaca removed in July 2026."""
    is_idempotent: bool = False
    """Whether an equal body with the same `client_order_id` soon after gets the first order."""
    books: Mapping[str, str] = {}
    """Book → prefix of `client_order_id`: a token whose `user_id` is a book trades in it."""
    request_balances: Callable[[str], None] = lambda label: None
    """Has an account's positions and money read soon."""


class AlpacaContext(Struct, frozen=True, kw_only=True):
    """What all requests share. `clock` gives epoch seconds."""

    store: Store
    trading: TradingInterface
    options: AlpacaOptions
    recent_writes: RecentWrites
    market_cache: MarketCache
    open_requests: OpenRequests
    background: Background
    clock: Callable[[], float]
    unknown_cancels: dict[tuple[str, str], float]
    """account and order id of a cancel whose result is unknown → until when that is remembered"""


class AlpacaRequest(Struct, frozen=True, kw_only=True):
    """One request of one of Alpaca's own clients."""

    context: AlpacaContext
    caller: Caller
    method: str
    target: Target
    headers: Mapping[str, str] = {}
    """Those that are passed on to the broker."""
    accepts_gzip: bool = False
    body: bytes = b""
    parts: Mapping[str, str] = {}
    """Path parameters."""
    allows_stale: bool = False
    """Whether the broker could not be asked: then what is known is answered, and marked."""
    is_connected: Callable[[], bool] = lambda: True
    """Whether the client of a change still waits for its answer."""

    @property
    def label(self) -> str:
        """The account."""
        return self.caller.label

    @property
    def record(self) -> Record | None:
        """What is known of the account; None if it was removed meanwhile."""
        return self.context.store.get(self.caller.label)
