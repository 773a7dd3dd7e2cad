"""The gateway put together for a fleet: with a store beside it in the daemon, without in a library.

With a store, routing knows who is live and how busy, guards know prices, a lost order is also found
in what the stream told, and what the broker answers is seen by readers at once.
"""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import structs

from realtime.broker.order_api import OrderApi
from realtime.core.model import AccountLabel, Order, Position, position_symbol
from realtime.orders.gateway import Gateway
from realtime.orders.interface import BudgetDocument
from realtime.orders.journal import Journal
from realtime.orders.kill_switch import KillSwitch
from realtime.orders.liquidation import LiquidationService
from realtime.orders.order_client import Held, OrderClient
from realtime.orders.risk import RiskChecks, RiskRules
from realtime.orders.routing import Candidate
from realtime.orders.trading_accounts import TradingAccount, TradingAccounts
from realtime.store.store import OrderInDoubt, Store


class TradingService:
    """Gateway, kill switch, closings, budgets."""

    def __init__(
        self, gateway: Gateway, liquidations: LiquidationService, trading_accounts: TradingAccounts
    ) -> None:
        self.gateway = gateway
        self.liquidations = liquidations
        self.trading_accounts = trading_accounts

    @property
    def kill_switch(self) -> KillSwitch:
        """The kill switch."""
        return self.gateway.kill_switch

    @property
    def labels(self) -> Sequence[str]:
        """Accounts that can be traded, in the order of the configuration."""
        return list(self.trading_accounts.taken)

    def budget(self, label: str) -> BudgetDocument | None:
        """The budget of an account; None for one that nobody asks the broker about."""
        trading_account = self.trading_accounts.taken.get(label)
        if trading_account is None:
            return None
        return BudgetDocument(
            account_id=label, **structs.asdict(trading_account.channel.limiter.budget)
        )


@asynccontextmanager
async def open_trading_service(
    trading_accounts: Mapping[str, TradingAccount],
    *,
    rules: RiskRules,
    audit_log: Path | None,
    clock: Callable[[], float],
    rng: random.Random,
    store: Store | None = None,
    goes_on_closing: bool = True,
) -> AsyncIterator[TradingService]:
    """Trade for as long as the block runs. What the audit log says of before holds again."""

    def deal(label: str, trading_account: TradingAccount) -> OrderClient:
        return OrderClient(
            label,
            OrderApi(trading_account.channel),
            learn=trading_account.learn,
            seen=_seen_in(store, label),
            held=_held_in(store, label),
            doubt=_doubt_in(store, label),
        )

    taken = TradingAccounts(trading_accounts, deal)
    risk_checks = RiskChecks(rules, taken.permits, _prices(store))
    async with (
        Gateway(
            taken.order_clients,
            risk_checks=risk_checks,
            journal=Journal(audit_log, clock),
            standing=lambda only: _standing(taken.taken, store, only),
            clock=clock,
            rng=rng,
        ) as gateway,
        LiquidationService(gateway, goes_on=goes_on_closing) as liquidations,
    ):
        yield TradingService(gateway, liquidations, taken)


def _standing(
    trading_accounts: Mapping[str, TradingAccount], store: Store | None, only: str | None
) -> list[Candidate]:
    if only is not None:
        return [_candidate(only, trading_accounts[only], store)] if only in trading_accounts else []
    return [
        _candidate(label, trading_account, store)
        for label, trading_account in trading_accounts.items()
    ]


def _candidate(label: str, trading_account: TradingAccount, store: Store | None) -> Candidate:
    record = None if store is None else store.get(label)
    if record is None:
        return Candidate(label=label, tier=trading_account.tier)
    return Candidate(
        label=label,
        tier=trading_account.tier,
        is_synced=record.link.is_synced,
        open_orders=record.state.open_orders,
    )


def _seen_in(store: Store | None, label: str) -> Callable[[str], Order | None]:
    def seen(client_order_id: str) -> Order | None:
        record = None if store is None else store.get(label)
        if record is None:
            return None
        orders = record.state.orders.values()
        return next((o for o in orders if o.client_order_id == client_order_id), None)

    return seen


def _doubt_in(store: Store | None, label: str) -> Callable[[str, str | None], None]:
    def doubt(client_order_id: str, order_id: str | None) -> None:
        if store is not None:
            told = OrderInDoubt(client_order_id=client_order_id, order_id=order_id)
            store.doubt(AccountLabel(label), told)

    return doubt


def _held_in(store: Store | None, label: str) -> Held | None:
    """Positions of a live account; without a store, or while it is not live, only REST tells."""
    if store is None:
        return None

    def held(symbol: str) -> Position | None:
        record = store.get(label)
        if record is None or not record.link.is_synced:
            return None
        return record.state.positions.get(position_symbol(symbol)) or Position(
            symbol=position_symbol(symbol), qty="0"
        )

    return held


def _prices(store: Store | None) -> Callable[[str], str | None]:
    """Prices as positions tell them: of whichever live account holds the symbol, seconds old."""

    def price_of(symbol: str) -> str | None:
        for record in store or ():
            if not record.link.is_synced:
                continue
            position = record.state.positions.get(position_symbol(symbol))
            if position is not None and position.current_price is not None:
                return position.current_price
        return None

    return price_of
