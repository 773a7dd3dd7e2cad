"""Trying one account as the daemon would use it: key, balances, positions, orders, socket.

Once each, nothing is retried and nothing is changed. What goes wrong becomes a finding, a sentence
and a remedy; keys never stand in either.
"""

import asyncio
import ssl

import aiohttp
from msgspec import Struct

from realtime.broker.connect_limiter import ConnectLimiter
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.broker.trading_stream import TradingStream
from realtime.config.environment import variable
from realtime.config.keys import ENVIRONMENT
from realtime.config.settings import AccountSettings, stream_url
from realtime.core.model import Account
from realtime.errors import BrokerError, LinkError, RateLimited, RealtimeError, Refused
from realtime.secret import Credentials

ACCOUNT_S = 90.0
"""Limit of one account: every call has its own, but a spent budget may add a minute of waiting."""

ORDERS_PAGE = 500

SOCKET_HELD = "stop it; is a daemon running? `realtime status` says"


class CheckFinding(Struct, frozen=True):
    """What is wrong, and what a person can do about it."""

    fact: str
    remedy: str = ""


class AccountCheckResult(Struct, kw_only=True):
    """What was found out, in the order of finding it; the rest is None."""

    label: str
    account: Account | None = None
    positions: int | None = None
    open_orders: int | None = None
    has_more_orders: bool = False
    rest_s: float | None = None
    socket_s: float | None = None
    finding: CheckFinding | None = None


class AccountChecker:
    """Tries accounts, many at once but not all: a broker has limits, and so have measurements."""

    def __init__(self, http: aiohttp.ClientSession, at_once: int) -> None:
        self._http = http
        self._slots = asyncio.Semaphore(at_once)
        self._connect_limiter = ConnectLimiter(at_once)
        self._fleet = FleetLimiter()
        self._tls = ssl.create_default_context()

    async def examine(self, account: AccountSettings) -> AccountCheckResult:
        """Try one account. Never raises for the account's sake."""
        found = AccountCheckResult(label=account.label)
        async with self._slots:
            try:
                async with asyncio.timeout(ACCOUNT_S):
                    await self._try_rest(account, found)
                    if found.finding is None:
                        await self._try_socket(account, found)
            except TimeoutError:
                found.finding = CheckFinding(
                    f"not done within {ACCOUNT_S:.0f} s", "try again later"
                )
        return found

    async def _try_rest(self, account: AccountSettings, found: AccountCheckResult) -> None:
        loop = asyncio.get_running_loop()
        rest = RestClient(self._http, account.trading_url, _keys(account), RateLimiter(self._fleet))
        try:
            began = loop.time()
            found.account = await rest.fetch_account()
            found.rest_s = loop.time() - began
            found.positions = len(await rest.fetch_positions())
            orders = await rest.fetch_orders(status="open", limit=ORDERS_PAGE, nested=True)
            found.open_orders = len(orders)
            found.has_more_orders = len(orders) == ORDERS_PAGE
        except RealtimeError as error:
            found.finding = _of_rest(error, account)
        else:
            found.finding = _of_identity(found.account, account)

    async def _try_socket(self, account: AccountSettings, found: AccountCheckResult) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self._connect_limiter.slot():
                began = loop.time()
                url = stream_url(account.trading_url)
                stream = await TradingStream.connect(url, ssl_context=self._tls)
                try:
                    await stream.authorize(_keys(account))
                    await stream.listen()
                    found.socket_s = loop.time() - began
                finally:
                    await stream.close()
        except RealtimeError as error:
            self._connect_limiter.report(
                "rate_limited" if isinstance(error, RateLimited) else "failed"
            )
            found.finding = _of_socket(error, account)
        else:
            self._connect_limiter.report("ok")


def same_account_twice(all_found: list[AccountCheckResult]) -> None:
    """Two labels with keys of one account: an order meant for both would be placed twice."""
    first: dict[str, str] = {}
    for found in all_found:
        if found.account is None or found.finding is not None:
            continue
        other = first.setdefault(found.account.account_number, found.label)
        if other != found.label:
            found.finding = CheckFinding(
                f"{found.account.account_number} is the account of {other} too",
                "give each its own keys, or disable one",
            )


def _keys(account: AccountSettings) -> Credentials:
    assert account.credentials is not None, f"{account.label} is enabled and has no keys"
    return account.credentials


def _of_identity(known: Account | None, account: AccountSettings) -> CheckFinding | None:
    expected = account.account_number
    if known is None or expected is None or known.account_number == expected:
        return None
    fact = f"key belongs to {known.account_number}, accounts.toml says {expected}"
    return CheckFinding(fact, "swap the keys, or correct account_number")


def _of_rest(error: RealtimeError, account: AccountSettings) -> CheckFinding:
    match error:
        case Refused():
            return CheckFinding(f"key refused: {error.message}", _new_key(account))
        case RateLimited():
            return CheckFinding(
                f"this key's requests are used up: {error.message}",
                "another program uses the key too; stop it, or try again in a minute",
            )
        case LinkError(status=None):
            fact = f"{account.trading_url}: {error.message}"
            return CheckFinding(fact, "is the address right, and this machine online?")
        case (
            LinkError(status=404 | 301 | 302 | 307 | 308)
            | BrokerError(status=404 | 301 | 302 | 307 | 308)
        ):
            return CheckFinding(f"{account.trading_url}: {error.message}", "is the address right?")
        case _:
            return CheckFinding(
                error.message, error.remedy or "the broker is unwell; try again later"
            )


def _of_socket(error: RealtimeError, account: AccountSettings) -> CheckFinding:
    match error:
        case RateLimited():
            fact = f"another program holds this key's only socket: {error.message}"
            return CheckFinding(fact, SOCKET_HELD)
        case Refused():
            return CheckFinding(f"key refused on the socket: {error.message}", _new_key(account))
        case _:
            return CheckFinding(f"socket: {error.message}", error.remedy or "try again later")


def _new_key(account: AccountSettings) -> str:
    kind, other = ("paper", "live") if account.paper else ("live", "paper")
    source = _keys(account).source or "secrets.toml"
    label = account.label
    place = (
        f"{variable(label, 'key_id')} and {variable(label, 'secret_key')}"
        if source == ENVIRONMENT
        else f"{source} [{label}]"
    )
    return (
        f"the key may be revoked or belong to {other} trading; make a new {kind} key, "
        f"put it into {place}"
    )
