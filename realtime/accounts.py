"""Many accounts from your own program, without the daemon: the same gateway, the same checks.

    async with realtime.Accounts.from_config("accounts.toml") as accounts:
        print(await accounts.get_positions())
        placed = await accounts.place_order(
            account_id="alpha", symbol="AAPL", qty=10, side="buy", type="market",
            time_in_force="day",
        )

Or, for a program that opens it when it starts: `accounts = await Accounts.open("accounts.toml")`,
later `await accounts.close()`. Reads of all accounts run in parallel, and each account has a result
or an error within the time limit. Nothing is printed; the log goes to the logger `realtime` of
`logging`, or to structlog if the program has configured it.
"""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

import aiohttp

from realtime.auth.principal import Principal
from realtime.config import Settings, load
from realtime.core.model import Account, Order, Position
from realtime.errors import ConfigError, RealtimeError
from realtime.market_data import (
    MarketConnection,
    MarketReads,
    find_market_settings,
    make_environment,
)
from realtime.nearest import nearest
from realtime.orders.errors import Declined
from realtime.orders.numbers import parse_number
from realtime.orders.order_request import OrderChanges, Placement
from realtime.orders.results import AccountLiquidation, Placed
from realtime.orders.trading_service import TradingService
from realtime.runtime.account_reader import READ_TIMEOUT_S, AccountReader
from realtime.runtime.market import Market
from realtime.runtime.open_accounts import ContextTask, OpenAccounts, open_accounts
from realtime.runtime.order_fields import OrderResults, read_fields, try_read_order

T = TypeVar("T")

LIBRARY = Principal(
    user_id="library", accounts=None, permissions=frozenset({"account_access", "trading"})
)
"""The principal of this program in the audit log."""


class NotOpen(RealtimeError):
    """`Accounts` is used before it was opened, or after it was closed."""

    def __init__(self) -> None:
        remedy = "use `async with Accounts.from_config(...)`, or `await Accounts.open(...)`"
        super().__init__("Accounts is not open", remedy=remedy)


class Accounts(MarketReads):
    """All enabled accounts of a configuration. Use as `async with`, or with `open` and `close`.
    It reads and streams market data too; that is connected with its first use.

    `keeps_warm`: whether connections for orders are opened before an order needs them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        principal: Principal = LIBRARY,
        keeps_warm: bool = True,
        make_connector: Callable[[], aiohttp.BaseConnector] | None = None,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self._principal = principal
        self._keeps_warm = keeps_warm
        self._environment = make_environment(
            clock, rng, make_connector or (lambda: aiohttp.TCPConnector(limit=0))
        )
        self._market = MarketConnection(lambda: find_market_settings(settings), self._environment)
        self._context: ContextTask[OpenAccounts] | None = None
        self._accounts: OpenAccounts | None = None

    @classmethod
    def from_config(
        cls, path: str | Path | None = None, *, environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Read `accounts.toml` and the keys as the daemon does. Raises `ConfigError`."""
        return cls(load(None if path is None else Path(path), environ=environ))

    @classmethod
    async def open(
        cls, path: str | Path | None = None, *, environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Read the configuration as `from_config`, and open it until `close`."""
        return await cls.from_config(path, environ=environ).__aenter__()

    async def close(self) -> None:
        """Close all connections; orders on their way are waited for. May be called again."""
        context, self._context, self._accounts = self._context, None, None
        if context is not None:
            await self._market.close()
            await context.close()

    async def __aenter__(self) -> Self:
        if self._context is not None:
            raise RealtimeError("Accounts is open already", remedy="use one object per `open`")
        context = open_accounts(self.settings, self._environment, keeps_warm=self._keeps_warm)
        self._context, self._accounts = await ContextTask.open(context)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def _open(self) -> OpenAccounts:
        if self._accounts is None:
            raise NotOpen
        return self._accounts

    async def _get_market(self) -> Market:
        _ = self._open
        return await self._market.get()

    @property
    def trading_service(self) -> TradingService:
        """Gateway, kill switch, liquidations and budgets. Raises `NotOpen`."""
        return self._open.trading_service

    @property
    def labels(self) -> list[str]:
        """The enabled accounts. Raises `NotOpen`."""
        return list(self._open.readers)

    def account(self, label: str) -> "OneAccount":
        """Return one account. Raises `ConfigError` for an unknown label."""
        readers = self._open.readers
        if label not in readers:
            raise unknown_account(label, readers)
        return OneAccount(self, readers[label])

    async def get_accounts(
        self, *, timeout: float = READ_TIMEOUT_S
    ) -> dict[str, Account | RealtimeError]:
        """Read every account. An error is the result of its account, within `timeout` seconds."""
        return await self._read_all(lambda reader: reader.get_account(timeout))

    async def get_positions(
        self, symbol: str | None = None, *, timeout: float = READ_TIMEOUT_S
    ) -> dict[str, tuple[Position, ...] | RealtimeError]:
        """Read the positions of every account, or those in one symbol; as `get_accounts`."""
        return await self._read_all(lambda reader: reader.get_positions(symbol, timeout))

    async def get_orders(
        self,
        *,
        status: Literal["open", "closed", "all"] = "all",
        limit: int = 100,
        symbols: Sequence[str] = (),
        side: Literal["buy", "sell"] | None = None,
        after: datetime | str | None = None,
        until: datetime | str | None = None,
        nested: bool = True,
        timeout: float = READ_TIMEOUT_S,
    ) -> dict[str, tuple[Order, ...] | RealtimeError]:
        """Read orders of every account, each as `OneAccount.get_orders`; as `get_accounts`."""
        return await self._read_all(
            lambda reader: reader.get_orders(
                status=status,
                limit=limit,
                symbols=symbols,
                side=side,
                after=after,
                until=until,
                nested=nested,
                timeout=timeout,
            )
        )

    async def verify_credentials(
        self, *, timeout: float = READ_TIMEOUT_S
    ) -> dict[str, str | RealtimeError]:
        """Read every account's number at the broker, or why its key is refused."""

        async def get_number(reader: AccountReader) -> str:
            return (await reader.get_account(timeout)).account_number

        return await self._read_all(get_number)

    async def place_order(self, *, key: str | None = None, **order: object) -> Placed:
        """Place an order: Alpaca's fields, and `account_id` or routing fields.

        Raises `Declined` for a definite refusal, `Unresolved` if the status is unknown: then the
        same `key` or `client_order_id` looks the order up and never places a second one.
        """
        gateway = self.trading_service.gateway
        return await gateway.place(read_fields(order, Placement), self._principal, key=key)

    async def place_orders(
        self, orders: Iterable[Mapping[str, object]], *, key: str | None = None
    ) -> OrderResults:
        """Place many orders at once; return a result for each, in their order and by account."""
        gateway = self.trading_service.gateway
        requests = [try_read_order(order) for order in orders]
        return OrderResults(await gateway.place_all(requests, self._principal, key=key))

    async def replace_order(
        self, account: str, order_id: str, *, key: str | None = None, **changes: object
    ) -> Placed:
        """Replace an order: Alpaca's fields; return its successor. Raises as `place_order`."""
        gateway = self.trading_service.gateway
        with _declined_for(account):
            read = read_fields(changes, OrderChanges)
            return await gateway.replace(account, order_id, read, self._principal, key=key)

    async def cancel_order(self, account: str, order_id: str) -> None:
        """Cancel an order. Raises `Declined` or `Unresolved`."""
        gateway = self.trading_service.gateway
        with _declined_for(account):
            await gateway.cancel(account, order_id, self._principal)

    async def close_position(
        self,
        account: str,
        symbol: str,
        *,
        qty: str | Decimal | None = None,
        percentage: str | Decimal | None = None,
        key: str | None = None,
    ) -> Placed:
        """Close a position, or a part of it. Raises `Declined` or `Unresolved`."""
        gateway = self.trading_service.gateway
        with _declined_for(account):
            return await gateway.close_position(
                account,
                symbol,
                self._principal,
                qty=_parse_number(qty, "qty"),
                percentage=_parse_number(percentage, "percentage"),
                key=key,
            )

    async def close_all_positions(
        self, account: str | None = None, *, wait_s: float = 60.0
    ) -> dict[str, AccountLiquidation | Declined]:
        """Cancel all orders and close all positions of one account, or of every one.

        Returns the progress after `wait_s` at most, or why an account may not be traded. An account
        that is not flat by then stays latched in the audit log and takes no other order, until this
        is called again, or a daemon starts, and completes it; or until `release_closing`.
        """
        service = self.trading_service
        labels = self.labels if account is None else [account]
        refused = {label: self._find_refusal(label) for label in labels}
        started = [label for label in labels if refused[label] is None]
        service.liquidations.start(started, self._principal)
        await service.liquidations.wait_until_flat(started, wait_s)
        return {label: refused[label] or service.liquidations.accounts[label] for label in labels}

    def release_closing(self, account: str | None = None) -> list[str]:
        """End liquidations that are not complete, of one account or of every one; return whose.

        They keep what they have and take orders again.
        """
        labels = self.labels if account is None else [account]
        return self.trading_service.liquidations.release(labels, self._principal)

    def _find_refusal(self, label: str) -> Declined | None:
        refusal = self.trading_service.gateway.find_refusal(label, self._principal)
        if refusal is not None:
            refusal.account_id = label
        return refusal

    async def _read_all(
        self, read: Callable[[AccountReader], Awaitable[T]]
    ) -> dict[str, T | RealtimeError]:
        async def read_one(reader: AccountReader) -> T | RealtimeError:
            try:
                return await read(reader)
            except RealtimeError as error:
                return error

        readers = self._open.readers
        results = await asyncio.gather(*map(read_one, readers.values()))
        return dict(zip(readers, results, strict=True))


class OneAccount:
    """One account of `Accounts`."""

    def __init__(self, accounts: Accounts, reader: AccountReader) -> None:
        self.label = reader.label
        self.get_account = reader.get_account
        self.get_positions = reader.get_positions
        self.get_orders = reader.get_orders
        self._accounts = accounts

    async def place_order(self, *, key: str | None = None, **order: object) -> Placed:
        """Place an order here; as `Accounts.place_order`."""
        return await self._accounts.place_order(key=key, **{**order, "account_id": self.label})

    async def replace_order(
        self, order_id: str, *, key: str | None = None, **changes: object
    ) -> Placed:
        """Replace an order; as `Accounts.replace_order`."""
        return await self._accounts.replace_order(self.label, order_id, key=key, **changes)

    async def cancel_order(self, order_id: str) -> None:
        """Cancel an order; as `Accounts.cancel_order`."""
        await self._accounts.cancel_order(self.label, order_id)

    async def close_position(
        self,
        symbol: str,
        *,
        qty: str | Decimal | None = None,
        percentage: str | Decimal | None = None,
        key: str | None = None,
    ) -> Placed:
        """Close a position, or a part of it; as `Accounts.close_position`."""
        return await self._accounts.close_position(
            self.label, symbol, qty=qty, percentage=percentage, key=key
        )


def unknown_account(label: str, known: Iterable[str]) -> ConfigError:
    """Return the error for a label that no enabled account has."""
    meant = nearest(label, known)
    remedy = f"did you mean {meant}?" if meant else "accounts.toml names and enables them"
    return ConfigError(f"no account '{label[:64]}'", remedy=remedy)


@contextmanager
def _declined_for(account_id: str) -> Iterator[None]:
    """Add the account to a refusal."""
    try:
        yield
    except Declined as error:
        error.account_id = account_id
        raise


def _parse_number(value: str | Decimal | None, field: str) -> Decimal | None:
    return None if value is None else parse_number(str(value), field)
