"""`accounts.toml`: which accounts, which port. Never a secret."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from realtime.config import environment
from realtime.config import validators as values
from realtime.config.auth_section import AUTH, SOURCES, AuthSection
from realtime.config.problems import InvalidValue, Problem, dotted, nearest, shown
from realtime.config.settings import (
    LIVE_URL,
    PAPER_URL,
    AccountSettings,
    HistorySettings,
    LimitsSettings,
    LogSettings,
    OrderLimits,
    OrdersSettings,
    ServerSettings,
)

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
}
ALPACA: Checks = {"secrets_file": values.text, "startup_concurrency": values.whole(1, 1000)}
ORDER_LIMITS: Checks = {
    "enabled": values.flag,
    "max_notional": values.money,
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
    "orders": values.table,
}
SECTIONS = ("server", "auth", "limits", "orders", "log", "history", "alpaca", "accounts")


class AccountsFile(Struct, frozen=True, kw_only=True):
    """The file's content; accounts still without keys. `secrets_file` is None where not written,
    `auth` where there is no such section."""

    server: ServerSettings
    auth: AuthSection | None
    limits: LimitsSettings
    orders: OrdersSettings
    log: LogSettings
    history: HistorySettings | None
    accounts: tuple[AccountSettings, ...]
    secrets_file: Path | None
    startup_concurrency: int


class AccountsFileReader:
    """One reading of one file: takes tables apart, keeps every problem met on the way."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def report(self, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self.file}: {message}", remedy))

    # Any: the checks have settled each value's type, and the Structs they go into name it again.
    def take(self, table: object, checks: Checks, *path: str) -> dict[str, Any]:
        """Give the valid values of a table by key."""
        taken: dict[str, Any] = {}
        if not isinstance(table, dict):
            self.report(f"{dotted(*path)}: expected a table, got {shown(table)}")
            return taken
        for key, value in table.items():
            if key not in checks:
                self.report(f"{dotted(*path, key)}: unknown key", _meant(key, checks))
                continue
            try:
                taken[key] = checks[key](value)
            except InvalidValue as wrong:
                self.report(f"{dotted(*path, key)}: {wrong.message}", wrong.remedy)
        return taken


def read_accounts_file(
    tables: Mapping[str, object], file: Path
) -> tuple[AccountsFile, AccountsFileReader]:
    """Take the file's tables apart. What could not be used is in the reading's `problems`."""
    reading = AccountsFileReader(file)
    for section in [name for name in tables if name not in SECTIONS]:
        reading.report(f"{dotted(section)}: unknown key", _meant_section(section, tables[section]))
    alpaca = reading.take(tables.get("alpaca", {}), ALPACA, "alpaca")
    secrets_file = alpaca.get("secrets_file")
    content = AccountsFile(
        server=ServerSettings(**reading.take(tables.get("server", {}), SERVER, "server")),
        auth=_auth(tables, reading),
        limits=LimitsSettings(**reading.take(tables.get("limits", {}), LIMITS, "limits")),
        orders=_orders(tables, reading, file),
        log=_log(tables, reading, file),
        history=_history(tables, reading, file),
        accounts=_accounts(tables.get("accounts", {}), reading),
        secrets_file=None if secrets_file is None else Path(secrets_file),
        startup_concurrency=alpaca.get("startup_concurrency", 20),
    )
    return content, reading


def _auth(tables: Mapping[str, object], reading: AccountsFileReader) -> AuthSection | None:
    if "auth" not in tables:
        return None
    section = AuthSection(**reading.take(tables["auth"], AUTH, "auth"))
    if len(section.sources) != 1:
        named = ", ".join(section.sources) or "none of them"
        reading.report(f"auth: one of {', '.join(SOURCES)} is expected, found {named}")
    return section


def _log(tables: Mapping[str, object], reading: AccountsFileReader, file: Path) -> LogSettings:
    written = reading.take(tables.get("log", {}), LOG, "log")
    if "file" in written:
        written["file"] = file.parent / written["file"]
    return LogSettings(**written)


def _history(
    tables: Mapping[str, object], reading: AccountsFileReader, file: Path
) -> HistorySettings | None:
    written = reading.take(tables.get("history", {}), HISTORY, "history")
    if not written.pop("enabled", True):
        return None
    path = file.parent / written.pop("path", "history")
    if "max_disk" in written:
        written["max_disk_bytes"] = written.pop("max_disk")
    return HistorySettings(path=path, **written)


def _orders(
    tables: Mapping[str, object], reading: AccountsFileReader, file: Path
) -> OrdersSettings:
    written = reading.take(tables.get("orders", {}), ORDERS, "orders")
    limits = {name: written.pop(name) for name in ORDER_LIMITS if name in written}
    enabled = limits.pop("enabled", True)
    audit_log = file.parent / written.pop("audit_log", "orders.jsonl")
    users = {
        name: OrderLimits(**reading.take(table, ORDER_LIMITS, "orders", "users", name))
        for name, table in written.pop("users", {}).items()
    }
    return OrdersSettings(
        enabled=enabled,
        audit_log=audit_log,
        limits=OrderLimits(**limits),
        users=users,
        **written,
    )


def _accounts(tables: object, reading: AccountsFileReader) -> tuple[AccountSettings, ...]:
    if not isinstance(tables, dict):
        reading.report(f"accounts: expected tables, got {shown(tables)}")
        return ()
    if not tables:
        reading.report("no account", "add one: [accounts.<label>]")
    if len(tables) > MAX_ACCOUNTS:
        reading.report(f"accounts: expected at most {MAX_ACCOUNTS}, got {len(tables)}")
        return ()
    _compare_labels(list(tables), reading)
    return tuple(_account(label, table, reading) for label, table in tables.items())


def _account(label: str, table: object, reading: AccountsFileReader) -> AccountSettings:
    if not values.LABEL.fullmatch(label):
        reading.report(
            f"{dotted('accounts', label)}: not a label",
            "1–64 letters (A–Z, a–z), digits, _ or -, beginning with a letter or digit",
        )
    fields = reading.take(table, ACCOUNT, "accounts", label)
    own = fields.get("orders", {})
    fields["orders"] = OrderLimits(**reading.take(own, ORDER_LIMITS, "accounts", label, "orders"))
    paper = fields.get("paper", True)
    url = fields.setdefault("trading_url", PAPER_URL if paper else LIVE_URL)
    host = urlsplit(url).hostname
    if paper and host == urlsplit(LIVE_URL).hostname:
        reading.report(
            f"{dotted('accounts', label)}: trading_url is the live broker, but paper is true",
            "write `paper = false` to trade real money, or leave trading_url out",
        )
    if not paper and host == urlsplit(PAPER_URL).hostname:
        reading.report(
            f"{dotted('accounts', label)}: trading_url is the paper broker, but paper is false",
            "leave one of the two out",
        )
    return AccountSettings(label=label, **fields)


def _compare_labels(labels: list[str], reading: AccountsFileReader) -> None:
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
        reading.problems.append(problem)


def _meant(key: str, checks: Checks) -> str:
    if key.lower().removeprefix("api_") in ("key", "key_id", "secret", "secret_key"):
        return "keys go into secrets.toml or the environment, never here"
    found = nearest(key, checks)
    return f"did you mean `{found}`?" if found else f"known here: {', '.join(checks)}"


def _meant_section(section: str, value: object) -> str:
    found = nearest(section, SECTIONS)
    hints = [f"did you mean `{found}`?"] if found else []
    if isinstance(value, dict) and not any(isinstance(inner, dict) for inner in value.values()):
        hints.append(f"an account is written [{dotted('accounts', section)}]")
    return " ".join(hints) or f"known here: {', '.join(SECTIONS)}"
