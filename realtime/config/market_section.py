"""`[market]`: whose key reads market data, from where, and what the plan allows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from realtime.config import validators as values
from realtime.config.environment import keys_in_environment
from realtime.config.problems import Problem
from realtime.config.settings import (
    ALPACA_DOMAIN,
    DATA_STREAM_URL,
    DATA_URL,
    AccountSettings,
    Feed,
    MarketSettings,
    MarketTls,
    OptionFeed,
    Plan,
)
from realtime.secret import Credentials, Secret

PERSONAL = "personal"
"""The label of a key that is set in the environment without `account`."""

MARKET: Mapping[str, Callable[[object], object]] = {
    "account": values.label,
    "feed": values.one_of("auto", "sip", "iex", "delayed_sip"),
    "option_feed": values.one_of("auto", "opra", "indicative"),
    "plan": values.one_of("auto", "basic", "plus"),
    "reserve": values.whole(0, 30),
    "marks": values.flag,
    "cache_url": values.redis_url,
    "data_url": values.trading_url,
    "stream_url": values.stream_url,
    "allow_host": values.allowed_hosts,
    "max_clients": values.whole(1, 100_000),
    "max_subscriptions": values.whole(1, 1_000_000),
    "tls_port": values.port,
    "tls_certificate_file": values.text,
    "tls_key_file": values.text,
}

SANDBOX_DOMAIN = "sandbox.alpaca.markets"
DATA_HOST = "data."
TLS_KEYS = ("tls_port", "tls_certificate_file", "tls_key_file")

FindKey = Callable[[str], tuple[Credentials | None, list[Problem]]]
"""The credentials of a label that is not an account; problems name what is missing."""


class MarketSection(Struct, frozen=True, kw_only=True):
    """The section as it is in the file."""

    account: str | None = None
    feed: Feed = "auto"
    option_feed: OptionFeed = "auto"
    plan: Plan = "auto"
    reserve: int = 0
    marks: bool = True
    cache_url: str | None = None
    data_url: str | None = None
    stream_url: str | None = None
    allow_host: tuple[str, ...] = ()
    max_clients: int = 1000
    max_subscriptions: int = 10_000
    tls_port: int | None = None
    tls_certificate_file: str | None = None
    tls_key_file: str | None = None

    def key_label(self, environ: Mapping[str, str]) -> str | None:
        """Return the label that the section or the environment names; None: there is none."""
        if self.account is not None:
            return self.account
        return PERSONAL if keys_in_environment(PERSONAL, environ) else None

    def check_tls(self) -> list[Problem]:
        """Return the problem of a TLS listener that is configured in part."""
        absent = [name for name in TLS_KEYS if getattr(self, name) is None]
        if not absent or len(absent) == len(TLS_KEYS):
            return []
        return [Problem(f"market: TLS needs {', '.join(absent)} too", "set all three, or none")]


def read_market(
    section: MarketSection,
    accounts: tuple[AccountSettings, ...],
    environ: Mapping[str, str],
    *,
    beside: Path,
    find_key: FindKey,
) -> tuple[MarketSettings | None, list[Problem]]:
    """Return the settings. The accounts have their keys already."""
    label = section.key_label(environ)
    account = _account(label, accounts)
    if account is not None:
        label, credentials = account.label, account.credentials
    if label is None:
        fact = "market: no account whose key could be used: none is enabled with `paper = true`"
        return None, [Problem(fact, "set `account`, or ALPACA_PERSONAL_KEY_ID and its secret")]
    if account is None or credentials is None:
        credentials, problems = find_key(label)
        if credentials is None:
            return None, problems
    data_url, stream_url = _addresses(section, account)
    return MarketSettings(
        account=label,
        credentials=credentials,
        data_url=data_url,
        stream_url=stream_url,
        cache_url=None if section.cache_url is None else Secret(section.cache_url),
        tls=_tls(section, beside),
        is_default_account=section.key_label(environ) is None,
        feed=section.feed,
        option_feed=section.option_feed,
        plan=section.plan,
        reserve=section.reserve,
        marks=section.marks,
        max_clients=section.max_clients,
        max_subscriptions=section.max_subscriptions,
    ), []


def _account(label: str | None, accounts: tuple[AccountSettings, ...]) -> AccountSettings | None:
    """Return the account of a label; without a label the first enabled paper account."""
    for account in accounts:
        if account.label == label or (label is None and account.paper and account.enabled):
            return account
    return None


def _addresses(section: MarketSection, account: AccountSettings | None) -> tuple[str, str]:
    """Return the addresses of REST and streams.

    A simulator or proxy serves trading and data on one address.
    """
    data_url = section.data_url
    if data_url is None:
        data_url = DATA_URL if account is None else _data_url(account.trading_url)
    return data_url, section.stream_url or _stream_url(data_url)


def _data_url(trading_url: str) -> str:
    host = urlsplit(trading_url).hostname or ""
    if host.endswith(f".{SANDBOX_DOMAIN}"):
        return f"https://{DATA_HOST}{SANDBOX_DOMAIN}"
    return DATA_URL if host.endswith(f".{ALPACA_DOMAIN}") else trading_url


def _stream_url(data_url: str) -> str:
    if data_url == DATA_URL:
        return DATA_STREAM_URL
    parts = urlsplit(data_url)
    if (parts.hostname or "").endswith(f".{ALPACA_DOMAIN}"):
        return f"wss://stream.{parts.netloc}"
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}{parts.path}"


def _tls(section: MarketSection, beside: Path) -> MarketTls | None:
    # Any: three keys of one table, all set or none (`check_tls`)
    files: list[Any] = [getattr(section, name) for name in TLS_KEYS]
    if None in files:
        return None
    port, certificate, key = files
    return MarketTls(
        port=port, certificate_file=beside.parent / certificate, key_file=beside.parent / key
    )
