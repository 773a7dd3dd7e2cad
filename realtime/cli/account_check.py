"""Tests one account as the daemon would use it: key, balances, positions, orders, websocket.

One request each, without retries and without changing anything. A problem becomes a finding, a
sentence and a remedy; keys are never part of either.
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
from realtime.config.keys import ENV_FILE, ENVIRONMENT
from realtime.config.settings import AccountSettings, stream_url
from realtime.core.model import Account, Position
from realtime.errors import BrokerError, LinkError, RateLimited, RealtimeError, Refused
from realtime.secret import Credentials

ACCOUNT_TIMEOUT_S = 90.0
"""Limit for one account: every request has its own, but a spent budget may add a minute."""

ORDERS_PAGE_SIZE = 500

SOCKET_IN_USE = "stop it; if it is a daemon, `realtime status` shows it"

REDIRECTS_AND_404 = frozenset({301, 302, 307, 308, 404})


class CheckFinding(Struct, frozen=True):
    """What is wrong, and what a person can do about it."""

    fact: str
    remedy: str = ""


class AccountCheckResult(Struct, kw_only=True):
    """What was read, in this order; None after the first problem."""

    label: str
    account: Account | None = None
    positions: tuple[Position, ...] | None = None
    open_orders: int | None = None
    has_more_orders: bool = False
    rest_s: float | None = None
    socket_s: float | None = None
    finding: CheckFinding | None = None


class AccountChecker:
    """Tests accounts, some at a time: a broker has limits, and measurements need them too."""

    def __init__(self, http: aiohttp.ClientSession, max_concurrent: int) -> None:
        self._http = http
        self._semaphore = asyncio.Semaphore(max_concurrent)
        self._connect_limiter = ConnectLimiter(max_concurrent)
        self._fleet_limiter = FleetLimiter()
        self._tls = ssl.create_default_context()

    async def check(self, account: AccountSettings) -> AccountCheckResult:
        """Test one account. Its errors are findings, never exceptions."""
        result = AccountCheckResult(label=account.label)
        if account.credentials is None:
            result.finding = CheckFinding("it is disabled", "set `enabled = true`")
            return result
        async with self._semaphore:
            try:
                async with asyncio.timeout(ACCOUNT_TIMEOUT_S):
                    await self._check_rest(account, account.credentials, result)
                    if result.finding is None:
                        await self._check_socket(account, account.credentials, result)
            except TimeoutError:
                fact = f"not finished within {ACCOUNT_TIMEOUT_S:.0f} s"
                result.finding = CheckFinding(fact, "try again later")
        return result

    async def _check_rest(
        self, account: AccountSettings, credentials: Credentials, result: AccountCheckResult
    ) -> None:
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(self._fleet_limiter)
        rest = RestClient(self._http, account.trading_url, credentials, limiter)
        try:
            started_at = loop.time()
            result.account = await rest.fetch_account()
            result.rest_s = loop.time() - started_at
            result.positions = await rest.fetch_positions()
            orders = await rest.fetch_orders(status="open", limit=ORDERS_PAGE_SIZE, nested=True)
            result.open_orders = len(orders)
            result.has_more_orders = len(orders) == ORDERS_PAGE_SIZE
        except RealtimeError as error:
            result.finding = _rest_finding(error, account, credentials)
        else:
            result.finding = _identity_finding(result.account, account)

    async def _check_socket(
        self, account: AccountSettings, credentials: Credentials, result: AccountCheckResult
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self._connect_limiter.slot():
                started_at = loop.time()
                url = stream_url(account.trading_url)
                stream = await TradingStream.connect(url, ssl_context=self._tls)
                try:
                    await stream.authorize(credentials)
                    await stream.listen()
                    result.socket_s = loop.time() - started_at
                finally:
                    await stream.close()
        except RealtimeError as error:
            self._connect_limiter.report(
                "rate_limited" if isinstance(error, RateLimited) else "failed"
            )
            result.finding = _socket_finding(error, account, credentials)
        else:
            self._connect_limiter.report("ok")


def find_duplicates(results: list[AccountCheckResult]) -> None:
    """Add a finding to a second label of one account: an order for both would be placed twice."""
    first: dict[str, str] = {}
    for result in results:
        if result.account is None or result.finding is not None:
            continue
        other = first.setdefault(result.account.account_number, result.label)
        if other != result.label:
            result.finding = CheckFinding(
                f"{result.account.account_number} is also the account of {other}",
                "give each label its own keys, or disable one",
            )


def _identity_finding(known: Account | None, account: AccountSettings) -> CheckFinding | None:
    expected = account.account_number
    if known is None or expected is None or known.account_number == expected:
        return None
    fact = f"the key belongs to {known.account_number}, accounts.toml expects {expected}"
    return CheckFinding(fact, "swap the keys, or correct account_number")


def _rest_finding(
    error: RealtimeError, account: AccountSettings, credentials: Credentials
) -> CheckFinding:
    match error:
        case Refused():
            return CheckFinding(f"key refused: {error.message}", _new_key(account, credentials))
        case RateLimited():
            return CheckFinding(
                f"the request limit of this key is used up: {error.message}",
                "another program uses the key too; stop it, or try again in a minute",
            )
        case LinkError(status=None):
            fact = f"{account.trading_url}: {error.message}"
            remedy = error.remedy or "is the address right, and this machine online?"
            return CheckFinding(fact, remedy)
        case LinkError() | BrokerError() if error.status in REDIRECTS_AND_404:
            return CheckFinding(f"{account.trading_url}: {error.message}", "is the address right?")
        case _:
            return CheckFinding(
                error.message, error.remedy or "the broker has a problem; try again later"
            )


def _socket_finding(
    error: RealtimeError, account: AccountSettings, credentials: Credentials
) -> CheckFinding:
    match error:
        case RateLimited():
            fact = f"another program uses this key's only websocket: {error.message}"
            return CheckFinding(fact, SOCKET_IN_USE)
        case Refused():
            fact = f"key refused on the websocket: {error.message}"
            return CheckFinding(fact, _new_key(account, credentials))
        case _:
            return CheckFinding(f"websocket: {error.message}", error.remedy or "try again later")


def _new_key(account: AccountSettings, credentials: Credentials) -> str:
    kind, other = ("paper", "live") if account.paper else ("live", "paper")
    source = credentials.source or "secrets.toml"
    label = account.label
    names = f"{variable(label, 'key_id')} and {variable(label, 'secret_key')}"
    places = {ENVIRONMENT: names, ENV_FILE: f"{names} in {ENV_FILE}"}
    place = places.get(source, f"{source} [{label}]")
    return (
        f"the key may be revoked or belong to {other} trading; create a new {kind} key, "
        f"put it into {place}"
    )
