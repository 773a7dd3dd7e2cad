"""Many accounts from a program of one's own, without the daemon: the same gateway, the same rules.

    async with realtime.Accounts.from_config("accounts.toml") as accounts:
        print(await accounts.get_positions())
        placed = await accounts.place_order(
            account_id="alpha", symbol="AAPL", qty=10, side="buy", type="market",
            time_in_force="day",
        )

What asks all accounts asks them in parallel and gives, for each, its result or its error.
"""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aiohttp

from realtime.auth.principal import Principal
from realtime.broker.http_client import open_session
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.broker.warm_connections import keep_warm
from realtime.config import Settings, load
from realtime.config.problems import nearest
from realtime.core.model import Account, Order, Position
from realtime.errors import ConfigError, RealtimeError
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.numbers import parse_number
from realtime.orders.order_request import OrderChanges, Placement, read_value
from realtime.orders.results import AccountLiquidation, Placed
from realtime.orders.trading_accounts import TradingAccount
from realtime.orders.trading_service import TradingService, open_trading_service
from realtime.runtime.risk_settings import account_risk_rules, risk_rules

T = TypeVar("T")

LIBRARY = Principal(
    user_id="library", accounts=None, permissions=frozenset({"account_access", "trading"})
)
"""How this program stands in the audit log."""

MakeConnector = Callable[[], aiohttp.BaseConnector]


class Accounts:
    """All enabled accounts of a configuration. Use as `async with`.

    `keeps_warm`: whether connections for orders are opened before one needs them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        principal: Principal = LIBRARY,
        keeps_warm: bool = True,
        make_connector: MakeConnector | None = None,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self._principal = principal
        self._keeps_warm = keeps_warm
        self._make_connector = make_connector or (lambda: aiohttp.TCPConnector(limit=0))
        self._clock = clock
        self._rng = rng or random.Random(os.urandom(32))
        self._open = AsyncExitStack()
        self._rests: dict[str, RestClient] = {}
        self._trading_service: TradingService | None = None

    @classmethod
    def from_config(
        cls, path: str | Path | None = None, *, environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Read `accounts.toml` and the keys as the daemon does. Raises `ConfigError`."""
        return cls(load(None if path is None else Path(path), environ=environ))

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            http = await opening.enter_async_context(open_session(self._make_connector()))
            trading_service = await opening.enter_async_context(
                open_trading_service(
                    self._take_seats(http),
                    rules=risk_rules(self.settings.orders),
                    audit_log=self.settings.orders.audit_log,
                    clock=self._clock,
                    rng=self._rng,
                    is_daemon=False,
                )
            )
            if self._keeps_warm:
                wanted = lambda: trading_service.trading_accounts.connections  # noqa: E731 - asked anew every time
                await opening.enter_async_context(keep_warm(http, wanted))
            self._trading_service, self._open = trading_service, opening.pop_all()
        return self

    def _take_seats(self, http: aiohttp.ClientSession) -> dict[str, TradingAccount]:
        fleet, trading_accounts = FleetLimiter(), {}
        for account in self.settings.accounts:
            if account.enabled and account.credentials is not None:
                limiter = RateLimiter(fleet, orders_at_once=account.max_connections)
                rest = RestClient(
                    http, account.trading_url, account.credentials, limiter, clock=self._clock
                )
                self._rests[account.label] = rest
                trading_accounts[account.label] = TradingAccount(
                    rules=account_risk_rules(account), tier=account.tier, http_client=rest.http
                )
        return trading_accounts

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    @property
    def trading_service(self) -> TradingService:
        """Gateway, kill switch, closings, budgets."""
        assert self._trading_service is not None, "use Accounts with `async with`"
        return self._trading_service

    @property
    def labels(self) -> list[str]:
        """The enabled accounts."""
        return list(self._rests)

    def account(self, label: str) -> "OneAccount":
        """One of them. Raises `ConfigError`."""
        if label not in self._rests:
            raise unknown_account(label, self._rests)
        return OneAccount(self, label, self._rests[label])

    async def get_accounts(self) -> dict[str, Account | RealtimeError]:
        """Every account's figures."""
        return await self._each(lambda rest: rest.fetch_account())

    async def get_positions(self) -> dict[str, tuple[Position, ...] | RealtimeError]:
        """Every account's positions."""
        return await self._each(lambda rest: rest.fetch_positions())

    async def verify_credentials(self) -> dict[str, str | RealtimeError]:
        """Every account's number at the broker, or why its key is not taken."""

        async def number(rest: RestClient) -> str:
            return (await rest.fetch_account()).account_number

        return await self._each(number)

    async def place_order(self, *, key: str | None = None, **order: object) -> Placed:
        """Place an order: Alpaca's fields, and `account_id` or the words of routing.

        Raises `Declined` for a decided no, `Unresolved` if nobody knows: then the same `key` or
        `client_order_id` asks again and never gives a second order.
        """
        wish = read_value(order, Placement)
        return await self.trading_service.gateway.place(wish, self._principal, key=key)

    async def place_orders(
        self, orders: Iterable[Mapping[str, object]], *, key: str | None = None
    ) -> list[Placed | Declined | Unresolved]:
        """Place many at once; an answer for each, in their order."""
        wishes = [_read(dict(order)) for order in orders]
        return await self.trading_service.gateway.place_all(wishes, self._principal, key=key)

    async def replace_order(
        self, account: str, order_id: str, *, key: str | None = None, **changes: object
    ) -> Placed:
        """Replace an order: Alpaca's fields; gives its successor. Raises as `place_order`."""
        read = read_value(changes, OrderChanges)
        return await self.trading_service.gateway.replace(
            account, order_id, read, self._principal, key=key
        )

    async def cancel_order(self, account: str, order_id: str) -> None:
        """Cancel an order. Raises `Declined` or `Unresolved`."""
        await self.trading_service.gateway.cancel(account, order_id, self._principal)

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
        return await self.trading_service.gateway.close_position(
            account,
            symbol,
            self._principal,
            qty=_parse(qty, "qty"),
            percentage=_parse(percentage, "percentage"),
            key=key,
        )

    async def close_all_positions(
        self, account: str | None = None, *, wait_s: float = 60.0
    ) -> dict[str, AccountLiquidation | Declined]:
        """Cancel and close all of one account, or of every one; how far that is by `wait_s`, or why
        an account may not be traded at all.

        Whoever is not flat by then stays latched in the audit log and takes no other order, until
        this is called again, or a daemon starts, and comes to the end; or `release_closing`.
        """
        liquidations = self.trading_service.liquidations
        labels = self.labels if account is None else [account]
        refused = {
            label: self.trading_service.gateway.find_refusal(label, self._principal)
            for label in labels
        }
        begun = [label for label in labels if refused[label] is None]
        liquidations.start(begun, self._principal)
        await liquidations.wait_until_flat(begun, wait_s)
        return {label: refused[label] or liquidations.accounts[label] for label in labels}

    def release_closing(self, account: str | None = None) -> list[str]:
        """End closings that are not done, of one account or of every one; gives whose. They keep
        what they have and take orders again."""
        labels = self.labels if account is None else [account]
        return self.trading_service.liquidations.release(labels, self._principal)

    async def _each(
        self, ask: Callable[[RestClient], Awaitable[T]]
    ) -> dict[str, T | RealtimeError]:
        async def one(rest: RestClient) -> T | RealtimeError:
            try:
                return await ask(rest)
            except RealtimeError as error:
                return error

        answers = await asyncio.gather(*map(one, self._rests.values()))
        return dict(zip(self._rests, answers, strict=True))


class OneAccount:
    """One account of `Accounts`."""

    def __init__(self, accounts: Accounts, label: str, rest: RestClient) -> None:
        self.label = label
        self._accounts = accounts
        self._rest = rest

    async def get_account(self) -> Account:
        """Its figures."""
        return await self._rest.fetch_account()

    async def get_positions(self) -> tuple[Position, ...]:
        """Its positions."""
        return await self._rest.fetch_positions()

    async def get_orders(self, limit: int = 100) -> tuple[Order, ...]:
        """Its newest orders, up to 500."""
        return await self._rest.fetch_orders(limit=limit)

    async def place_order(self, *, key: str | None = None, **order: object) -> Placed:
        """Place an order here; as `Accounts.place_order`."""
        return await self._accounts.place_order(key=key, **{**order, "account_id": self.label})

    async def replace_order(
        self, order_id: str, *, key: str | None = None, **changes: object
    ) -> Placed:
        """Replace an order; as `Accounts.replace_order`."""
        return await self._accounts.replace_order(self.label, order_id, key=key, **changes)

    async def cancel_order(self, order_id: str) -> None:
        """Cancel an order."""
        await self._accounts.cancel_order(self.label, order_id)

    async def close_position(
        self, symbol: str, *, qty: str | None = None, percentage: str | None = None
    ) -> Placed:
        """Close a position, or a part of it."""
        return await self._accounts.close_position(
            self.label, symbol, qty=qty, percentage=percentage
        )


def unknown_account(label: str, known: Iterable[str]) -> ConfigError:
    """What to say of a label that no enabled account has."""
    meant = nearest(label, known)
    remedy = f"did you mean {meant}?" if meant else "accounts.toml names them, and enables them"
    return ConfigError(f"no account '{label[:64]}'", remedy=remedy)


def _read(order: Mapping[str, object]) -> Placement | Declined:
    try:
        return read_value(order, Placement)
    except Declined as no:
        return no


def _parse(value: str | Decimal | None, field: str) -> Decimal | None:
    return None if value is None else parse_number(str(value), field)
