"""Reads `accounts.toml`: accounts, ports, limits. It never contains a secret."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from realtime.config import environment
from realtime.config import validators as values
from realtime.config.auth_section import AUTH, SOURCES, AuthSection
from realtime.config.cluster_section import CLUSTER, ClusterSection
from realtime.config.groups_sections import read_books, read_tiers
from realtime.config.market_section import MARKET, MarketSection
from realtime.config.notify_sections import MAX_TARGETS, NOTIFY, WEBHOOK, NotifySections
from realtime.config.problems import InvalidValue, Problem, dotted, shown
from realtime.config.settings import (
    ALPACA_DOMAIN,
    DATA_URL,
    LIVE_URL,
    PAPER_URL,
    AccountSettings,
    AlpacaApiSettings,
    HistorySettings,
    LimitsSettings,
    LogSettings,
    OrderLimits,
    OrdersSettings,
    ServerSettings,
    TierBounds,
)
from realtime.nearest import nearest

Checks = Mapping[str, Callable[[object], object]]

MAX_ACCOUNTS = 10_000

SERVER: Checks = {
    "host": values.text,
    "port": values.port,
    "cors_origins": values.origins,
    "hosts": values.host_names,
    "account_metrics": values.flag,
}
LIMITS: Checks = {
    "requests_per_s": values.whole(1, 1_000_000),
    "connections_per_address": values.whole(1, 1_000_000),
}
LOG: Checks = {
    "level": values.one_of("debug", "info", "warning", "error"),
    "format": values.one_of("json", "text"),
    "file": values.text,
}
HISTORY: Checks = {
    "enabled": values.flag,
    "path": values.text,
    "event_days": values.whole(1, 3_650),
    "ledger_days": values.whole(1, 36_500),
    "max_disk": values.size,
    "url": values.database_url,
    "database_schema": values.identifier,
    "database_days": values.whole(1, 36_500),
}
ALPACA: Checks = {
    "secrets_file": values.text,
    "startup_concurrency": values.whole(1, 1000),
    "allow_host": values.allowed_hosts,
}
ORDER_LIMITS: Checks = {
    "enabled": values.flag,
    "max_notional": values.money,
    "max_contracts": values.whole(1, 1_000_000),
    "max_equity_pct": values.percentage,
    "max_orders_per_minute": values.whole(1, 10_000),
    "symbols": values.symbols,
    "sides": values.some_of("buy", "sell"),
}
ORDERS: Checks = {
    **ORDER_LIMITS,
    "live": values.flag,
    "audit_log": values.text,
    "users": values.table,
}
ACCOUNT: Checks = {
    "name": values.text,
    "tier": values.text,
    "paper": values.flag,
    "enabled": values.flag,
    "initial_balance": values.money,
    "account_number": values.account_number,
    "max_connections": values.whole(1, 100),
    "trading_url": values.trading_url,
    "allow_host": values.allowed_hosts,
    "orders": values.table,
}
ALPACA_API: Checks = {
    "enabled": values.flag,
    "compat": values.some_of("pdt"),
    "idempotent": values.flag,
    "behind_tls": values.flag,
}
SECTIONS = (
    "server", "auth", "limits", "orders", "log", "history", "market", "webhooks", "notify",
    "books", "tiers", "alpaca", "alpaca_api", "cluster", "accounts",
)  # fmt: skip


class AccountsFile(Struct, frozen=True, kw_only=True):
    """The content of the file; the accounts have no keys yet.

    `secrets_file`, `auth`, `market` and `cluster` are None where the file has none.
    """

    server: ServerSettings
    auth: AuthSection | None
    limits: LimitsSettings
    orders: OrdersSettings
    log: LogSettings
    history: HistorySettings | None
    market: MarketSection | None
    books: Mapping[str, str]
    tiers: Mapping[str, TierBounds]
    alpaca_api: AlpacaApiSettings
    cluster: ClusterSection | None
    targets: NotifySections
    accounts: tuple[AccountSettings, ...]
    secrets_file: Path | None
    startup_concurrency: int


class AccountsFileReader:
    """Reads the tables of one file, and collects every problem."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add_problem(self, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self.file}: {message}", remedy))

    # Any: the checks determine each value's type, and the Structs that get them declare it.
    def read_table(self, table: object, checks: Checks, *path: str) -> dict[str, Any]:
        """Return the valid values of a table by key."""
        valid: dict[str, Any] = {}
        if not isinstance(table, dict):
            self.add_problem(f"{dotted(*path)}: expected a table, got {shown(table)}")
            return valid
        for key, value in table.items():
            if key not in checks:
                self.add_problem(f"{dotted(*path, key)}: unknown key", _key_remedy(key, checks))
                continue
            try:
                valid[key] = checks[key](value)
            except InvalidValue as error:
                self.add_problem(f"{dotted(*path, key)}: {error.message}", error.remedy)
        return valid


def read_accounts_file(
    tables: Mapping[str, object], file: Path, *, needs_accounts: bool = True
) -> tuple[AccountsFile, AccountsFileReader]:
    """Return the content of the file's tables; what is unusable is in the reader's `problems`."""
    reader = AccountsFileReader(file)
    for section in [name for name in tables if name not in SECTIONS]:
        reader.add_problem(
            f"{dotted(section)}: unknown key", _section_remedy(section, tables[section])
        )
    alpaca = reader.read_table(tables.get("alpaca", {}), ALPACA, "alpaca")
    secrets_file = alpaca.get("secrets_file")
    content = AccountsFile(
        server=ServerSettings(**reader.read_table(tables.get("server", {}), SERVER, "server")),
        auth=_auth(tables, reader),
        limits=LimitsSettings(**reader.read_table(tables.get("limits", {}), LIMITS, "limits")),
        orders=_orders(tables, reader, file),
        log=_log(tables, reader, file),
        history=_history(tables, reader, file),
        books=read_books(tables.get("books", {}), reader),
        tiers=read_tiers(tables.get("tiers", {}), reader),
        alpaca_api=AlpacaApiSettings(
            **reader.read_table(tables.get("alpaca_api", {}), ALPACA_API, "alpaca_api")
        ),
        cluster=_cluster(tables, reader),
        market=_market(tables, reader, file, alpaca.get("allow_host", ())),
        targets=NotifySections(
            webhooks=_tables_of("webhooks", tables, WEBHOOK, reader),
            notify=_tables_of("notify", tables, NOTIFY, reader),
        ),
        accounts=_accounts(tables.get("accounts", {}), reader, alpaca.get("allow_host", ()))
        if needs_accounts
        else (),
        secrets_file=None if secrets_file is None else Path(secrets_file),
        startup_concurrency=alpaca.get("startup_concurrency", 20),
    )
    return content, reader


def _auth(tables: Mapping[str, object], reader: AccountsFileReader) -> AuthSection | None:
    if "auth" not in tables:
        return None
    section = AuthSection(**reader.read_table(tables["auth"], AUTH, "auth"))
    if len(section.sources) != 1:
        present = ", ".join(section.sources) or "none of them"
        reader.add_problem(f"auth: one of {', '.join(SOURCES)} is expected, found {present}")
    return section


def _cluster(tables: Mapping[str, object], reader: AccountsFileReader) -> ClusterSection | None:
    if "cluster" not in tables:
        return None
    return ClusterSection(**reader.read_table(tables["cluster"], CLUSTER, "cluster"))


def _log(tables: Mapping[str, object], reader: AccountsFileReader, file: Path) -> LogSettings:
    section = reader.read_table(tables.get("log", {}), LOG, "log")
    if "file" in section:
        section["file"] = file.parent / section["file"]
    return LogSettings(**section)


def _history(
    tables: Mapping[str, object], reader: AccountsFileReader, file: Path
) -> HistorySettings | None:
    section = reader.read_table(tables.get("history", {}), HISTORY, "history")
    if not section.pop("enabled", True):
        return None
    path = file.parent / section.pop("path", "history")
    if "max_disk" in section:
        section["max_disk_bytes"] = section.pop("max_disk")
    return HistorySettings(path=path, **section)


def _market(
    tables: Mapping[str, object],
    reader: AccountsFileReader,
    file: Path,
    allowed_hosts: tuple[str, ...],
) -> MarketSection | None:
    if "market" not in tables:
        return None
    section = MarketSection(**reader.read_table(tables["market"], MARKET, "market"))
    for name in ("data_url", "stream_url"):
        host = urlsplit(getattr(section, name) or DATA_URL).hostname or ""
        if not _may_get_keys(host, (*allowed_hosts, *section.allow_host)):
            reader.add_problem(
                f"market: {name} is neither Alpaca's nor this machine's: the keys would be sent "
                f"to {host}",
                f'correct it; or, if they shall be, set `allow_host = "{host}"` beside it',
            )
    for problem in section.check_tls():
        reader.add_problem(problem.message, problem.remedy)
    return section


def _tables_of(
    section: str, tables: Mapping[str, object], checks: Checks, reader: AccountsFileReader
) -> tuple[dict[str, Any], ...]:
    """Return the valid values of each table of a list of tables."""
    rows = tables.get(section, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        reader.add_problem(f"{section}: expected tables", f"write [[{section}]], in two brackets")
        return ()
    if len(rows) > MAX_TARGETS:
        reader.add_problem(f"{section}: expected at most {MAX_TARGETS}, got {len(rows)}")
        return ()
    return tuple(
        reader.read_table(row, checks, f"{section}[{number}]") for number, row in enumerate(rows, 1)
    )


def _orders(tables: Mapping[str, object], reader: AccountsFileReader, file: Path) -> OrdersSettings:
    section = reader.read_table(tables.get("orders", {}), ORDERS, "orders")
    limits = {name: section.pop(name) for name in ORDER_LIMITS if name in section}
    enabled = limits.pop("enabled", True)
    audit_log = file.parent / section.pop("audit_log", "orders.jsonl")
    users = {
        name: OrderLimits(**reader.read_table(table, ORDER_LIMITS, "orders", "users", name))
        for name, table in section.pop("users", {}).items()
    }
    return OrdersSettings(
        enabled=enabled,
        audit_log=audit_log,
        limits=OrderLimits(**limits),
        users=users,
        **section,
    )


def _accounts(
    tables: object, reader: AccountsFileReader, allowed_hosts: tuple[str, ...]
) -> tuple[AccountSettings, ...]:
    if not isinstance(tables, dict):
        reader.add_problem(f"accounts: expected tables, got {shown(tables)}")
        return ()
    if not tables:
        reader.add_problem("no account", "add one: [accounts.<label>]")
    if len(tables) > MAX_ACCOUNTS:
        reader.add_problem(f"accounts: expected at most {MAX_ACCOUNTS}, got {len(tables)}")
        return ()
    _check_labels(list(tables), reader)
    return tuple(_account(label, table, reader, allowed_hosts) for label, table in tables.items())


def _account(
    label: str, table: object, reader: AccountsFileReader, allowed_hosts: tuple[str, ...]
) -> AccountSettings:
    if not values.LABEL.fullmatch(label):
        reader.add_problem(
            f"{dotted('accounts', label)}: not a label",
            "1–64 letters (A–Z, a–z), digits, _ or -, beginning with a letter or digit",
        )
    fields = reader.read_table(table, ACCOUNT, "accounts", label)
    orders = fields.get("orders", {})
    fields["orders"] = OrderLimits(
        **reader.read_table(orders, ORDER_LIMITS, "accounts", label, "orders")
    )
    paper = fields.get("paper", True)
    url = fields.setdefault("trading_url", PAPER_URL if paper else LIVE_URL)
    host = urlsplit(url).hostname or ""
    if not _may_get_keys(host, (*allowed_hosts, *fields.pop("allow_host", ()))):
        reader.add_problem(
            f"{dotted('accounts', label)}: trading_url is neither Alpaca's nor this machine's: "
            f"the keys would be sent to {host}",
            f'correct it; or, if they shall be, set `allow_host = "{host}"` beside it',
        )
    if paper and host == urlsplit(LIVE_URL).hostname:
        reader.add_problem(
            f"{dotted('accounts', label)}: trading_url is the live broker, but paper is true",
            "set `paper = false` to trade real money, or remove trading_url",
        )
    if not paper and host == urlsplit(PAPER_URL).hostname:
        reader.add_problem(
            f"{dotted('accounts', label)}: trading_url is the paper broker, but paper is false",
            "remove one of the two",
        )
    return AccountSettings(label=label, **fields)


def _may_get_keys(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether keys may be sent to a host: Alpaca's, this machine, or one that the file names."""
    is_alpaca = host == ALPACA_DOMAIN or host.endswith(f".{ALPACA_DOMAIN}")
    return is_alpaca or values.is_loopback(host) or host in allowed


def _check_labels(labels: list[str], reader: AccountsFileReader) -> None:
    by_stem: dict[str, str] = {}
    for label in labels:
        stem = environment.stem(label)
        other = by_stem.setdefault(stem, label)
        if other == label or not values.LABEL.fullmatch(label):
            continue
        if other.lower() == label.lower():
            problem = Problem(f'labels "{other}" and "{label}" differ only in case', "rename one")
        else:
            both = environment.variable(label, "key_id")
            problem = Problem(f'labels "{other}" and "{label}" both read {both}', "rename one")
        reader.problems.append(problem)


def _key_remedy(key: str, checks: Checks) -> str:
    if key.lower().removeprefix("api_") in ("key", "key_id", "secret", "secret_key"):
        return "keys go into secrets.toml or the environment, never here"
    meant = nearest(key, checks)
    return f"did you mean `{meant}`?" if meant else f"known here: {', '.join(checks)}"


def _section_remedy(section: str, value: object) -> str:
    meant = nearest(section, SECTIONS)
    hints = [f"did you mean `{meant}`?"] if meant else []
    if isinstance(value, dict) and not any(isinstance(inner, dict) for inner in value.values()):
        hints.append(f"an account is a table [{dotted('accounts', section)}]")
    return " ".join(hints) or f"known here: {', '.join(SECTIONS)}"
