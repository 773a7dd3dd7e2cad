"""What the library holds open: connections, readers and the gateway of a configuration."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar

import aiohttp
from msgspec import Struct

from realtime.broker.http_client import open_session
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.broker.warm_connections import keep_warm
from realtime.config.settings import Settings
from realtime.orders.trading_accounts import TradingAccount
from realtime.orders.trading_service import TradingService, open_trading_service
from realtime.runtime.account_reader import AccountReader
from realtime.runtime.environment import Environment
from realtime.runtime.risk_settings import account_risk_rules, risk_rules

T = TypeVar("T")

MIN_READ_SLOTS = 64
"""Concurrent reads; with more accounts one per account, so that slow ones delay no other."""


class OpenAccounts(Struct, frozen=True):
    """The enabled accounts: label → its reader, and what trades them all."""

    readers: Mapping[str, AccountReader]
    trading_service: TradingService


@asynccontextmanager
async def open_accounts(
    settings: Settings, environment: Environment, *, keeps_warm: bool
) -> AsyncIterator[OpenAccounts]:
    """Hold the accounts open while the block runs.

    `keeps_warm`: whether connections for orders are opened before an order needs them. Raises
    `ConfigError` for an audit log that cannot be used.
    """
    async with open_session(environment.make_connector()) as session:
        readers: dict[str, AccountReader] = {}
        accounts = _create_accounts(settings, session, environment, readers)
        async with open_trading_service(
            accounts,
            rules=risk_rules(settings.orders),
            audit_log=settings.orders.audit_log,
            clock=environment.clock,
            rng=environment.rng,
            is_daemon=False,
        ) as service:
            opened = OpenAccounts(readers, service)
            if not keeps_warm:
                yield opened
                return
            async with keep_warm(session, lambda: service.trading_accounts.connections):
                yield opened


def _create_accounts(
    settings: Settings,
    session: aiohttp.ClientSession,
    environment: Environment,
    readers: dict[str, AccountReader],
) -> dict[str, TradingAccount]:
    fleet_limiter = FleetLimiter(reads=max(MIN_READ_SLOTS, len(settings.accounts)))
    trading_accounts = {}
    for account in settings.accounts:
        if not account.enabled or account.credentials is None:
            continue
        limiter = RateLimiter(fleet_limiter, orders_at_once=account.max_connections)
        rest = RestClient(
            session, account.trading_url, account.credentials, limiter, clock=environment.clock
        )
        readers[account.label] = AccountReader(account.label, rest, environment.rng)
        trading_accounts[account.label] = TradingAccount(
            rules=account_risk_rules(account), tier=account.tier, http_client=rest.http
        )
    return trading_accounts


class ContextTask(Generic[T]):
    """Holds a context manager open in its own task, so that any task may close it.

    A program may open in one task and close in another, as in the startup and shutdown hooks of a
    web framework; the task groups inside the context must not notice.
    """

    def __init__(self, task: "asyncio.Task[None]", close: Callable[[], None]) -> None:
        self._task = task
        self._close = close

    @classmethod
    async def open(cls, context: AbstractAsyncContextManager[T]) -> "tuple[ContextTask[T], T]":
        """Enter the context; return the task and what the context yields. Raises its error."""
        opened: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        close = asyncio.Event()
        task = asyncio.create_task(_hold(context, opened, close), name="accounts")
        first: set[asyncio.Future[Any]] = {task, opened}  # Any: one of each type
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not opened.done():
                await task  # raises the error of the context
        except BaseException:  # also a cancellation: nothing may stay open
            task.cancel()
            await asyncio.wait([task])
            raise
        return cls(task, close.set), opened.result()

    async def close(self) -> None:
        """Leave the context; wait until it is left."""
        self._close()
        await self._task


async def _hold(
    context: AbstractAsyncContextManager[T], opened: "asyncio.Future[T]", close: asyncio.Event
) -> None:
    async with context as value:
        if not opened.done():
            opened.set_result(value)
        await close.wait()
