"""The configuration as values: types and defaults; nothing here reads a file.

Everything is frozen. Reading the files again creates new settings; the old ones never change.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from realtime.auth.keys import Key
from realtime.auth.tokens import TokenRules
from realtime.config.validators import is_loopback
from realtime.secret import Credentials, Secret

ALPACA_DOMAIN = "alpaca.markets"
LIVE_URL = "https://api.alpaca.markets"
PAPER_URL = "https://paper-api.alpaca.markets"
DATA_URL = "https://data.alpaca.markets"
DATA_STREAM_URL = "wss://stream.data.alpaca.markets"


class OrderLimits(Struct, frozen=True, kw_only=True):
    """Caps on orders of one account, or of one user; None is no cap. `max_notional` is a decimal
    string."""

    enabled: bool = True
    max_notional: str | None = None
    max_contracts: int | None = None
    max_equity_pct: str | None = None
    max_orders_per_minute: int | None = None
    symbols: tuple[str, ...] | None = None
    sides: tuple[str, ...] | None = None


class OrdersSettings(Struct, frozen=True, kw_only=True):
    """Whether orders may be placed through the daemon, and their limits. `limits` apply to each
    account, `users` to each user by the `user_id` of their tokens.

    `live`: also with real money. `audit_log`: the journal of intents and results, from which a
    restart continues.
    """

    enabled: bool = True
    live: bool = False
    audit_log: Path = Path("orders.jsonl")
    limits: OrderLimits = OrderLimits()
    users: Mapping[str, OrderLimits] = {}


class AccountSettings(Struct, frozen=True, kw_only=True):
    """One account. `trading_url` is always set, and does not end with a slash.

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
    """Where clients connect.

    `cors_origins` are the web origins whose pages may read, `hosts` more names by which clients may
    call the daemon, `account_metrics` whether `/metrics` has series for each account.
    """

    host: str = "127.0.0.1"
    port: int = 8090
    cors_origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    account_metrics: bool = False


class AuthSettings(Struct, frozen=True, kw_only=True):
    """Which tokens are accepted. `keys` are empty if they are fetched from `jwks_url`.

    `open_ops`: whether operations (metrics, documents about the interface) need no token.
    `open_reads`: whether accounts may be read without a token; trading always needs one.
    """

    rules: TokenRules = TokenRules()
    keys: tuple[Key, ...] = ()
    jwks_url: str | None = None
    open_ops: bool = False
    open_reads: bool = False


class LimitsSettings(Struct, frozen=True, kw_only=True):
    """Limits of one client. Both are bursts too: what is allowed in one second."""

    requests_per_s: int = 200
    """Per token."""
    connections_per_address: int = 256
    """Open at one time; connections from this machine are not counted."""


class LogSettings(Struct, frozen=True, kw_only=True):
    """Where the log goes and how. `file` is None for stdout."""

    level: Literal["debug", "info", "warning", "error"] | None = None
    format: Literal["json", "text"] | None = None
    file: Path | None = None


class AlpacaSettings(Struct, frozen=True, kw_only=True):
    """Connections to the broker. `startup_concurrency`: accounts that connect at the same time."""

    startup_concurrency: int = 20
    secrets_file: Path = Path("secrets.toml")


class AlpacaApiSettings(Struct, frozen=True, kw_only=True):
    """Whether Alpaca's own API is served here, for Alpaca's own clients.

    `enabled` None: on loopback only. `compat`: fields that Alpaca removed and old clients require.
    `behind_tls`: a proxy in front of this daemon ends TLS. `idempotent`: an equal body with the
    same `client_order_id` within a minute gets the first order, in place of the broker's refusal.
    """

    enabled: bool | None = None
    compat: tuple[str, ...] = ()
    idempotent: bool = False
    behind_tls: bool = False

    def is_enabled_on(self, host: str) -> bool:
        """Whether it is served at an address."""
        return is_loopback(host) if self.enabled is None else self.enabled


class HistorySettings(Struct, frozen=True, kw_only=True):
    """Where history is recorded, for how long, and how much room it may take. `url` is that of a
    database that gets a copy."""

    path: Path
    url: str | None = None
    database_schema: str = "realtime"
    database_days: int = 400
    event_days: int = 14
    ledger_days: int = 400
    max_disk_bytes: int = 20_000_000_000


Feed = Literal["auto", "sip", "iex", "delayed_sip"]
OptionFeed = Literal["auto", "opra", "indicative"]
Plan = Literal["auto", "basic", "plus"]


class MarketTls(Struct, frozen=True, kw_only=True):
    """A second listener with TLS, for clients that connect to `wss://` only."""

    port: int
    certificate_file: Path
    key_file: Path


class MarketSettings(Struct, frozen=True, kw_only=True):
    """Market data: one key, for any number of clients. Addresses do not end with a slash.

    `account` is the label of the key, `is_default_account` whether it was chosen by us. `auto`
    feeds are probed: `sip` or `opra` if the key may use it, else `iex` or `indicative`.
    `marks`: whether accounts are marked to market with its prices.
    `reserve`: stream symbols that only the daemon itself may use, of the 30 of a basic plan.
    """

    account: str
    credentials: Credentials
    data_url: str = DATA_URL
    stream_url: str = DATA_STREAM_URL
    feed: Feed = "auto"
    option_feed: OptionFeed = "auto"
    plan: Plan = "auto"
    reserve: int = 0
    marks: bool = True
    cache_url: Secret | None = None
    max_clients: int = 1000
    max_subscriptions: int = 10_000
    """Of one client: symbols over all channels."""
    tls: MarketTls | None = None
    is_default_account: bool = False


class TierBounds(Struct, frozen=True, kw_only=True):
    """Bounds of a tier that are watched and not enforced; None is no bound.

    `risk_pct` is a decimal string: the value of an order or a position in per cent of the initial
    balance. `watched`: kinds of assets that are looked at.
    """

    risk_pct: str | None = None
    max_contracts: int | None = None
    watched: tuple[str, ...] = ("stocks", "options", "crypto")


class AccountSelection(Struct, frozen=True, kw_only=True):
    """Accounts by label or tier; all of them if neither is named."""

    accounts: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()

    def selects(self, label: str, tier: str | None) -> bool:
        """Whether an account is one of them."""
        if not self.accounts and not self.tiers:
            return True
        return label in self.accounts or tier in self.tiers


class WebhookSettings(AccountSelection, frozen=True, kw_only=True):
    """One receiver of events. `secrets` has one, or two while they are exchanged; both sign.

    `allow_host` is its own host if that may be on this machine or a private network.
    """

    name: str
    url: Secret
    host: str
    secrets: tuple[Secret, ...]
    types: tuple[str, ...] = ("order",)
    allow_host: str | None = None
    authorities: str | None = None
    """Certificates (PEM) of the authorities that may sign the receiver's; None: the system's."""
    max_attempts: int = 20
    timeout_s: int = 15


class NotifySettings(AccountSelection, frozen=True, kw_only=True):
    """One target of notifications for people. `url` is apprise's.

    `min_notional` is a decimal string; fills below it are left out. `quiet` is a start and an end
    in minutes of the day in `zone`.
    """

    name: str
    url: Secret
    scheme: str
    types: tuple[str, ...]
    severity: Literal["info", "warning", "error"] = "info"
    min_notional: str | None = None
    out_of_sync_s: int = 60
    interval_s: int = 10
    quiet: tuple[int, int] | None = None
    zone: str = "America/New_York"


class ClusterTls(Struct, frozen=True, kw_only=True):
    """The certificate of the address where other members connect."""

    certificate_file: Path
    key_file: Path


class EngineSettings(Struct, frozen=True, kw_only=True):
    """The etcd that decides which daemon owns which account: the addresses of its nodes, and how
    they are authenticated."""

    addresses: tuple[str, ...]
    user: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


class ClusterSettings(Struct, frozen=True, kw_only=True):
    """This daemon as a member of a fleet of several.

    `listen` is the host and the port where other members connect; None: they cannot. `secrets` has
    one, or two while they are exchanged: the first is sent, each is accepted. `url` is this
    daemon's address for clients, for messages. `of` are the addresses of the members to follow;
    `ca_file` verifies their certificates, None: by the system's authorities.
    """

    fleet: str
    member: str
    secrets: tuple[Secret, ...]
    listen: tuple[str, int] | None = None
    url: str | None = None
    of: tuple[str, ...] = ()
    tls: ClusterTls | None = None
    ca_file: Path | None = None
    engine: EngineSettings | None = None
    """None: this daemon owns the accounts of its configuration, and no other one does."""


class Settings(Struct, frozen=True, kw_only=True):
    """All settings. `path` is the accounts file; `history`, `market` and `cluster` are None where
    they are off; `warnings` and `notices` are for the log."""

    path: Path
    accounts: tuple[AccountSettings, ...]
    server: ServerSettings = ServerSettings()
    alpaca: AlpacaSettings = AlpacaSettings()
    auth: AuthSettings | None = None
    limits: LimitsSettings = LimitsSettings()
    orders: OrdersSettings = OrdersSettings()
    log: LogSettings = LogSettings()
    history: HistorySettings | None = None
    market: MarketSettings | None = None
    books: Mapping[str, str] = {}
    """Book → prefix of `client_order_id`."""
    tiers: Mapping[str, TierBounds] = {}
    alpaca_api: AlpacaApiSettings = AlpacaApiSettings()
    webhooks: tuple[WebhookSettings, ...] = ()
    notify: tuple[NotifySettings, ...] = ()
    cluster: ClusterSettings | None = None
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def is_front(self) -> bool:
        """Whether it has no accounts of its own and only follows those of other daemons."""
        return self.cluster is not None and not self.accounts


def stream_url(trading_url: str) -> str:
    """Return the address of the trading websocket that belongs to a REST address."""
    parts = urlsplit(trading_url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/stream"
