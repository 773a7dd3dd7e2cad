"""The gateway with all that it needs: with a store in the daemon, without one in the library.

With a store, routing knows which accounts are synced, restricted and busy, risk checks know prices,
a lost order is also found in what the stream reported, and clients see the broker's response at
once.
"""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import structs

from realtime.broker.order_api import OrderApi
from realtime.cluster.coordinator import Coordinator
from realtime.core.model import AccountLabel, Order, Position, position_symbol
from realtime.errors import NotOwner
from realtime.orders.forwarding import Forwarder
from realtime.orders.gateway import Gateway
from realtime.orders.interface import BudgetDocument
from realtime.orders.journal import Journal
from realtime.orders.kill_switch import KillSwitch
from realtime.orders.liquidation import LiquidationService
from realtime.orders.order_client import GetPosition, OrderClient
from realtime.orders.risk import RiskChecks, RiskRules
from realtime.orders.routing import Candidate, find_restriction
from realtime.orders.symbols import may_be_pair
from realtime.orders.trading_accounts import TradingAccount, TradingAccounts
from realtime.store.records import OrderInDoubt
from realtime.store.store import Store


class TradingService:
    """Gateway, kill switch, liquidations, forwarder, budgets."""

    def __init__(
        self, gateway: Gateway, liquidations: LiquidationService, trading_accounts: TradingAccounts
    ) -> None:
        self.gateway = gateway
        self.liquidations = liquidations
        self.trading_accounts = trading_accounts
        self.forwarder = Forwarder(
            trading_accounts,
            gateway.risk_checks,
            gateway.journal,
            check_halt=gateway.kill_switch.check,
            check_token=gateway.check_token,
        )

    @property
    def kill_switch(self) -> KillSwitch:
        """The kill switch."""
        return self.gateway.kill_switch

    @property
    def labels(self) -> Sequence[str]:
        """Accounts that can be traded, in the configuration's order."""
        return list(self.trading_accounts.accounts)

    def get_budget(self, label: str) -> BudgetDocument | None:
        """Return the budget of an account; None for one that is not followed."""
        account = self.trading_accounts.accounts.get(label)
        if account is None:
            return None
        return BudgetDocument(
            account_id=label, **structs.asdict(account.http_client.limiter.budget)
        )


@asynccontextmanager
async def open_trading_service(
    accounts: Mapping[str, TradingAccount],
    *,
    rules: RiskRules,
    audit_log: Path | None,
    clock: Callable[[], float],
    rng: random.Random,
    wall_clock: Callable[[], float] | None = None,
    store: Store | None = None,
    is_daemon: bool = True,
    get_generation: Callable[[], int] = lambda: 0,
    coordinator: Coordinator | None = None,
) -> AsyncIterator[TradingService]:
    """Trade for as long as the block runs. What the audit log contains holds again.

    `clock` never steps: closes and caps compare its times. `wall_clock` is for the audit log and
    for tokens that expire; None: `clock`. `is_daemon`: claims the audit log, so that a
    second daemon is refused, and continues liquidations that have not ended. Raises
    `ConfigError` for an audit log that cannot be used.
    """

    def make_client(label: str, account: TradingAccount) -> OrderClient:
        return OrderClient(
            label,
            OrderApi(account.http_client),
            on_order=account.on_order,
            find_in_state=_make_order_finder(store, label),
            get_position=_make_position_reader(store, label),
            on_doubt=_make_doubt_reporter(store, label),
        )

    def get_tier(label: str) -> str | None:
        account = trading_accounts.accounts.get(label)
        return None if account is None else account.tier

    trading_accounts = TradingAccounts(accounts, make_client)
    risk_checks = RiskChecks(
        rules,
        trading_accounts.rules,
        _make_price_reader(store),
        _make_asset_class_reader(store),
        _make_equity_reader(store),
    )
    async with (
        Gateway(
            trading_accounts.order_clients,
            risk_checks=risk_checks,
            journal=Journal(
                audit_log, wall_clock or clock, is_exclusive=is_daemon, get_tier=get_tier
            ),
            get_candidates=lambda only: _get_candidates(
                trading_accounts.accounts, store, only, coordinator
            ),
            clock=clock,
            wall_clock=wall_clock,
            rng=rng,
            get_generation=get_generation,
            coordinator=coordinator,
        ) as gateway,
        LiquidationService(gateway, resumes=is_daemon) as liquidations,
    ):
        yield TradingService(gateway, liquidations, trading_accounts)


def _get_candidates(
    accounts: Mapping[str, TradingAccount],
    store: Store | None,
    only: str | None,
    coordinator: Coordinator | None,
) -> list[Candidate]:
    if only is not None:
        return [_make_candidate(only, accounts[only], store)] if only in accounts else []
    return [
        _make_candidate(label, account, store)
        for label, account in accounts.items()
        if coordinator is None or _is_owned(coordinator, label)
    ]


def _is_owned(coordinator: Coordinator, label: str) -> bool:
    try:
        coordinator.check(label)
    except NotOwner:
        return False
    return True


def _make_candidate(label: str, account: TradingAccount, store: Store | None) -> Candidate:
    record = None if store is None else store.get(label)
    if record is None:
        return Candidate(label=label, tier=account.tier)
    return Candidate(
        label=label,
        tier=account.tier,
        is_synced=record.link.is_synced,
        restriction=find_restriction(record.state.account),
        open_orders=record.state.open_orders,
    )


def _make_order_finder(store: Store | None, label: str) -> Callable[[str], Order | None]:
    def find_order(client_order_id: str) -> Order | None:
        record = None if store is None else store.get(label)
        if record is None:
            return None
        orders = record.state.orders.values()
        return next((o for o in orders if o.client_order_id == client_order_id), None)

    return find_order


def _make_doubt_reporter(store: Store | None, label: str) -> Callable[[str, str | None], None]:
    def report_doubt(client_order_id: str, order_id: str | None) -> None:
        if store is not None:
            doubt = OrderInDoubt(client_order_id=client_order_id, order_id=order_id)
            store.report_doubt(AccountLabel(label), doubt)

    return report_doubt


def _make_position_reader(store: Store | None, label: str) -> GetPosition | None:
    """Return a reader of the positions of a synced account; without a store only REST knows them.

    While positions are provisional, a fill is known that they may not contain yet.
    """
    if store is None:
        return None

    def get_position(symbol: str) -> Position | None:
        record = store.get(label)
        if record is None or not record.link.is_synced or "positions" in record.state.provisional:
            return None
        name = position_symbol(symbol)
        return record.state.positions.get(name) or Position(symbol=name, qty="0")

    return get_position


def _make_price_reader(store: Store | None) -> Callable[[str], str | None]:
    """Return a reader of prices: those of positions of any synced account, seconds old."""

    def get_price(symbol: str) -> str | None:
        for record in store or ():
            if not record.link.is_synced:
                continue
            position = record.state.positions.get(position_symbol(symbol))
            if position is not None and position.current_price is not None:
                return position.current_price
        return None

    return get_price


def _make_equity_reader(store: Store | None) -> Callable[[str], str | None]:
    """Return a reader of an account's equity; None while the account is not synced."""

    def get_equity(label: str) -> str | None:
        record = None if store is None else store.get(label)
        if record is None or not record.link.is_synced or record.state.account is None:
            return None
        return record.state.account.equity

    return get_equity


def _make_asset_class_reader(store: Store | None) -> Callable[[str], str | None]:
    """Return a reader of the broker's asset class, for symbols that may be a coin or a stock."""

    def get_asset_class(symbol: str) -> str | None:
        if not may_be_pair(symbol):
            return None
        for record in store or ():
            position = record.state.positions.get(position_symbol(symbol))
            if position is not None:
                return position.asset_class
        return None

    return get_asset_class
