"""What the configuration says, as values: the types, their defaults, and nothing that reads a file.

Everything here is frozen. A re-read of the files makes new settings; nobody edits the old ones.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from realtime.auth.keys import Key
from realtime.auth.tokens import TokenRules
from realtime.secret import Credentials

LIVE_URL = "https://api.alpaca.markets"
PAPER_URL = "https://paper-api.alpaca.markets"


class OrderLimits(Struct, frozen=True, kw_only=True):
    """Caps on orders of one account, or of one user; None is no cap. `max_notional` is a decimal
    string."""

    enabled: bool = True
    max_notional: str | None = None
    max_orders_per_minute: int | None = None
    symbols: tuple[str, ...] | None = None
    sides: tuple[str, ...] | None = None


class OrdersSettings(Struct, frozen=True, kw_only=True):
    """Whether orders may go through the daemon, and up to what. `limits` are of each account,
    `users` of each user by the `user_id` of their tokens.

    `live`: also with real money. `audit_log`: the file of intents and answers, which is also the
    memory over a restart.
    """

    enabled: bool = True
    live: bool = False
    audit_log: Path = Path("orders.jsonl")
    limits: OrderLimits = OrderLimits()
    users: Mapping[str, OrderLimits] = {}


class AccountSettings(Struct, frozen=True, kw_only=True):
    """One account. `trading_url` is always set, without a slash at its end.

    `initial_balance` is a decimal string; `credentials` is None only where `enabled` is False.
    """

    label: str
    trading_url: str
    name: str | None = None
    tier: str | None = None
    paper: bool = True
    enabled: bool = True
    initial_balance: str | None = None
    account_number: str | None = None
    max_connections: int = 4
    orders: OrderLimits = OrderLimits()
    credentials: Credentials | None = None


class ServerSettings(Struct, frozen=True, kw_only=True):
    """Where readers connect.

    `cors_origins` are the web origins whose pages may read, `hosts` further names by which readers
    may call the daemon, `account_metrics` whether `/metrics` has lines for each account.
    """

    host: str = "127.0.0.1"
    port: int = 8090
    cors_origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    account_metrics: bool = False


class AuthSettings(Struct, frozen=True, kw_only=True):
    """Which tokens are believed. `keys` are empty where they are fetched from `jwks_url`.

    `open_ops`: whether operations (metrics, documents about the interface) want no token.
    """

    rules: TokenRules = TokenRules()
    keys: tuple[Key, ...] = ()
    jwks_url: str | None = None
    open_ops: bool = False


class LimitsSettings(Struct, frozen=True, kw_only=True):
    """How much one reader may ask. Both are bursts as well: what is allowed in one second."""

    requests_per_s: int = 200
    """Of one token."""
    connections_per_address: int = 256
    """Open at one time; this machine's own addresses are not counted."""


class LogSettings(Struct, frozen=True, kw_only=True):
    """Where the log goes and how. `file` is None for stdout."""

    level: Literal["debug", "info", "warning", "error"] | None = None
    format: Literal["json", "text"] | None = None
    file: Path | None = None


class AlpacaSettings(Struct, frozen=True, kw_only=True):
    """The way to the broker. `startup_concurrency`: accounts that may connect at one time."""

    startup_concurrency: int = 20
    secrets_file: Path = Path("secrets.toml")


class HistorySettings(Struct, frozen=True, kw_only=True):
    """Where history is recorded, for how long, and how much room it may take."""

    path: Path
    event_days: int = 14
    ledger_days: int = 400
    max_disk_bytes: int = 20_000_000_000


class Settings(Struct, frozen=True, kw_only=True):
    """All of it. `history` is None where it is off; `path` is the accounts file; `warnings` are
    sentences worth a log line each."""

    path: Path
    accounts: tuple[AccountSettings, ...]
    server: ServerSettings = ServerSettings()
    alpaca: AlpacaSettings = AlpacaSettings()
    auth: AuthSettings | None = None
    limits: LimitsSettings = LimitsSettings()
    orders: OrdersSettings = OrdersSettings()
    log: LogSettings = LogSettings()
    history: HistorySettings | None = None
    warnings: tuple[str, ...] = ()


def stream_url(trading_url: str) -> str:
    """Give the address of the trading websocket that belongs to a REST address."""
    parts = urlsplit(trading_url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/stream"
