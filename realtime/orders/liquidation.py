"""Close everything: latched when it starts, done when the broker shows nothing, twice.

    start ─▶ cancel all ─▶ close each position ─▶ read ─▶ not flat: again, more slowly
                                                   └────▶ flat: read again `CONFIRM_S` later ─▶ done

The latch is in the journal: a restart continues where it was. While it holds, the account accepts
no other order. Quantities come from the broker's list of the moment, less what closes in flight
will sell (`close_tracker.py`), and each closing order is sent once, like any other.
"""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import structs

from realtime.auth.principal import Principal
from realtime.core.decimals import number
from realtime.core.model import Order, Position, Symbol
from realtime.core.state import LAG_S
from realtime.errors import RealtimeError
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.gateway import Gateway
from realtime.orders.order_client import OrderClient
from realtime.orders.results import AccountLiquidation, SymbolLiquidation
from realtime.telemetry.log import get_logger

log = get_logger()

CONFIRM_S = LAG_S
"""Between the two lists that must both be empty: REST may lag by this much."""

DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Between attempts; the last one repeats. One attempt costs some five requests of 200 a minute."""

RESTART = Principal(
    user_id="restart", accounts=None, permissions=frozenset({"account_access", "trading"})
)
"""Continues a liquidation that the journal shows as not done."""


class LiquidationService:
    """All accounts that are being closed. Use as `async with`, inside the gateway's.

    `resumes`: continue what the journal shows as not done. Otherwise those accounts stay latched.
    """

    def __init__(self, gateway: Gateway, *, resumes: bool = True) -> None:
        self._gateway = gateway
        self._resumes = resumes
        self._journal = gateway.journal
        self.accounts: dict[str, AccountLiquidation] = {}
        """account → progress; stays when done, until it is closed again"""
        self._users: dict[str, str] = {}
        """account → the principal that began its last liquidation"""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    async def __aenter__(self) -> "LiquidationService":
        self._group = await asyncio.TaskGroup().__aenter__()
        for label in sorted(self._gateway.liquidating):
            if self._resumes and self._gateway.is_owned(label):
                log.warning("liquidation.resumed", account=label)
                self._start(label, RESTART)
        return self

    async def __aexit__(self, *_: object) -> None:
        group, self._group = self._group, None
        assert group is not None, "entered"
        for task in self._tasks.values():
            task.cancel()
        await group.__aexit__(None, None, None)

    def start(self, labels: Sequence[str], principal: Principal) -> None:
        """Latch these accounts and start to close them; a liquidation in progress continues.

        Raises `Declined` before anything happens, if one of them may not be traded.
        """
        for label in labels:
            self._gateway.get_order_client(label, principal)
            self._gateway.risk_checks.check_may_trade(label, principal)
        for label in labels:
            if label not in self._tasks:
                self._gateway.liquidating.add(label)
                self._journal.note(
                    "closing.begun", {"account": label, "principal": principal.user_id}
                )
                log.warning("liquidation.started", account=label, principal=principal.user_id)
                self._start(label, principal)

    def release(self, labels: Sequence[str], principal: Principal) -> list[str]:
        """End liquidations that are not done: the accounts keep what they have. Return which."""
        released = []
        for label in labels:
            if label not in self._gateway.liquidating:
                continue
            if task := self._tasks.pop(label, None):
                task.cancel()
                self.accounts[label].state = "released"
            self._gateway.liquidating.discard(label)
            self._journal.note(
                "closing.released", {"account": label, "principal": principal.user_id}
            )
            log.warning("liquidation.released", account=label, principal=principal.user_id)
            released.append(label)
        self._changed.set()
        return released

    async def wait_until_flat(self, labels: Sequence[str], wait_s: float) -> bool:
        """Wait until these accounts are flat, for at most `wait_s`; return whether they are."""
        try:
            async with asyncio.timeout(wait_s):
                while any(label in self._tasks for label in labels):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def get_user(self, label: str) -> str:
        """Return the name of the principal that began a liquidation."""
        return self._users.get(label, RESTART.user_id)

    def resume_for(self, label: str, user_id: str) -> None:
        """Continue what a former owner of the account began."""
        if label not in self._tasks:
            self._gateway.liquidating.add(label)
            self._journal.note("closing.begun", {"account": label, "principal": user_id})
            log.warning("liquidation.resumed", account=label)
            self._start(label, structs.replace(RESTART, user_id=user_id))

    def leave(self, label: str) -> None:
        """End here what the account's next owner continues, or has ended."""
        if task := self._tasks.pop(label, None):
            task.cancel()
            self.accounts.pop(label, None)
        if label in self._gateway.liquidating:
            self._gateway.liquidating.discard(label)
            self._journal.note("closing.left", {"account": label})
        self._changed.set()

    def _start(self, label: str, principal: Principal) -> None:
        assert self._group is not None, "entered before it is used"
        # It was permitted when it started, and continues when the caller's token has ended.
        principal = structs.replace(principal, expires_at=None, token_id=None)
        self._users[label] = principal.user_id
        self.accounts[label] = AccountLiquidation(account_id=label, symbols={})
        liquidation = Liquidation(self._gateway, self.accounts[label], self._changed.set, principal)
        self._tasks[label] = self._group.create_task(
            self._liquidate(label, liquidation, principal), name=f"closing:{label}"
        )

    async def _liquidate(
        self, label: str, liquidation: "Liquidation", principal: Principal
    ) -> None:
        await liquidation.close_all()
        self._tasks.pop(label, None)
        self._gateway.liquidating.discard(label)
        facts = {
            "account": label,
            "attempts": liquidation.progress.attempts,
            "principal": principal.user_id,
        }
        log.warning("liquidation.finished", **facts)
        self._journal.note("closing.finished", facts)
        self._changed.set()


class Liquidation:
    """Closes one account; `progress` is updated, and `on_change` called, with each step."""

    def __init__(
        self,
        gateway: Gateway,
        progress: AccountLiquidation,
        on_change: Callable[[], None],
        principal: Principal,
    ) -> None:
        self.progress = progress
        self._principal = principal
        self._gateway = gateway
        self._on_change = on_change
        self._closing_orders: dict[str, str] = {}
        """our closing orders: client order id → symbol"""

    @property
    def _order_client(self) -> OrderClient:
        """The account's client of the moment: its keys may be rotated meanwhile."""
        return self._gateway.order_clients[self.progress.account_id]

    async def close_all(self) -> None:
        """Repeat until the account is flat; only a cancellation ends it earlier."""
        attempt = 0
        while True:
            try:
                if await self._is_flat():
                    self.progress.state = "confirming"
                    self._on_change()
                    await asyncio.sleep(CONFIRM_S)
                    if await self._is_flat():
                        break
                self.progress.state = "closing"
                self.progress.attempts += 1
                await self._close_once()
            except (RealtimeError, Declined, Unresolved) as error:
                self.progress.last_error = str(error)
            except Exception as error:  # a bug of ours must not unlatch what is not flat
                log.exception("liquidation.failed", account=self.progress.account_id)
                self.progress.last_error = type(error).__name__
            self._on_change()
            await asyncio.sleep(DELAYS_S[min(attempt, len(DELAYS_S) - 1)])
            attempt += 1
        self.progress.state, self.progress.last_error = "flat", None
        self._on_change()

    async def _read(self) -> tuple[dict[Symbol, Position], tuple[Order, ...]]:
        """Return open positions by symbol, and open orders."""
        order_client = self._order_client
        orders = await order_client.api.fetch_open_orders()
        positions = {p.symbol: p for p in await order_client.api.fetch_positions() if number(p.qty)}
        for order in orders:
            order_client.on_order(order)
        self.progress.open_orders = len(orders)
        for symbol, row in self.progress.symbols.items():
            if symbol not in positions:
                row.qty, row.status, row.detail = "0", "flat", None
        return positions, orders

    async def _is_flat(self) -> bool:
        positions, orders = await self._read()
        self.progress.last_error = None
        if self._gateway.executor.has_recalled(self.progress.account_id):
            self.progress.last_error = "a former owner may have sent orders that are looked up"
            return False
        return not positions and not orders

    async def _close_once(self) -> None:
        positions, orders = await self._read()
        await self._cancel([order for order in orders if not self._is_ours(order)])
        working = {
            self._closing_orders[order.client_order_id or ""]
            for order in orders
            if self._is_ours(order)
        }
        to_close = []
        for row in [self._get_row(position) for position in positions.values()]:
            if row.symbol in working:
                row.status = "working"
            else:
                to_close.append(row)
        await asyncio.gather(*map(self._close, to_close))

    def _is_ours(self, order: Order) -> bool:
        return (order.client_order_id or "") in self._closing_orders

    def _get_row(self, position: Position) -> SymbolLiquidation:
        symbol = str(position.symbol)
        row = self.progress.symbols.setdefault(
            symbol, SymbolLiquidation(symbol=symbol, qty=position.qty, status="closing")
        )
        row.qty = position.qty
        return row

    async def _cancel(self, orders: Sequence[Order]) -> None:
        if not orders:
            return
        if not self._closing_orders:
            await self._order_client.api.cancel_all()
            return

        async def cancel(order: Order) -> None:
            try:
                await self._order_client.cancel(order.id)
            except (Declined, Unresolved) as error:  # the next list shows whether it still works
                self.progress.last_error = error.message

        await asyncio.gather(*map(cancel, orders))

    async def _close(self, row: SymbolLiquidation) -> None:
        # A lost attempt continues under its own id: it is looked up before it is sent.
        lost_id = row.client_order_id if row.status == "unknown" else None
        try:
            placed = await self._gateway.close_position(
                self.progress.account_id,
                row.symbol,
                self._principal,
                client_order_id=lost_id,
                allows_less=True,
            )
        except Declined as error:
            is_waiting = error.code == "position_unsettled"
            row.status, row.detail = "closing" if is_waiting else "refused", error.message
        except Unresolved as error:
            row.status, row.detail = "unknown", error.message
            row.client_order_id = error.client_order_id
            if error.client_order_id is not None:
                self._closing_orders[error.client_order_id] = row.symbol
        else:
            row.status, row.detail = "working", None
            row.order_id, row.client_order_id = placed.order.id, placed.client_order_id
            self._closing_orders[placed.client_order_id] = row.symbol
