"""Close everything: latched when it begins, done when the broker shows nothing, twice.

    begin ─▶ cancel all ─▶ close each position ─▶ look ─▶ not flat: again, more slowly
                                                   └────▶ flat: look again `CONFIRM_S` later ─▶ done

The latch is in the journal: a restart goes on where it was. While it holds, the account takes no
other order. Quantities come from the broker's list of the moment, and each closing order is an
order like any other: never twice. Lists may lag: a symbol whose closing order has just ended is
left alone until its position must be true, or it would be sold a second time.
"""

import asyncio
from collections.abc import Callable, Sequence

from realtime.core.decimals import number
from realtime.core.model import Order, Position, Symbol
from realtime.core.state import LAG_S
from realtime.errors import RealtimeError
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.gateway import Gateway
from realtime.orders.order_client import OrderClient
from realtime.orders.principal import Principal
from realtime.orders.results import AccountLiquidation, SymbolLiquidation
from realtime.telemetry.log import get_logger

log = get_logger()

CONFIRM_S = LAG_S
"""Between the two lists that must both be empty: REST may lag by so much."""

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Between attempts; the last one goes on. One attempt costs some five requests of 200 a minute."""

RESTART = Principal(name="restart")
"""Who goes on with a closing that the journal tells of."""


class LiquidationService:
    """All accounts that are being closed. Use as `async with`, inside the gateway's.

    `goes_on`: with what the journal says is not done. Without, those accounts stay latched only.
    """

    def __init__(self, gateway: Gateway, *, goes_on: bool = True) -> None:
        self._gateway = gateway
        self._goes_on = goes_on
        self._journal = gateway.journal
        self.accounts: dict[str, AccountLiquidation] = {}
        """account → how far; stays when done, until it is closed again"""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    async def __aenter__(self) -> "LiquidationService":
        self._group = await asyncio.TaskGroup().__aenter__()
        for label in self._unfinished():
            self._gateway.latched.add(label)
            if self._goes_on:
                log.warning("liquidation.resumed", account=label)
                self._start(label, RESTART)
        return self

    async def __aexit__(self, *_: object) -> None:
        group, self._group = self._group, None
        assert group is not None, "entered"
        for task in self._tasks.values():
            task.cancel()
        await group.__aexit__(None, None, None)

    def begin(self, labels: Sequence[str], principal: Principal) -> None:
        """Latch these accounts and begin to close them; those under way go on as they are.

        Raises `Declined` before anything happens, if one of them may not be traded.
        """
        for label in labels:
            self._gateway.order_client(label, principal)
            self._gateway.risk_checks.check_may_trade(label, principal)
        for label in labels:
            if label not in self._tasks:
                self._gateway.latched.add(label)
                self._journal.note("closing.begun", {"account": label, "principal": principal.name})
                log.warning("liquidation.started", account=label, principal=principal.name)
                self._start(label, principal)

    def release(self, labels: Sequence[str], principal: Principal) -> list[str]:
        """End closings that are not done: the accounts keep what they have. Gives whose."""
        released = []
        for label in labels:
            if label not in self._gateway.latched:
                continue
            if task := self._tasks.pop(label, None):
                task.cancel()
                self.accounts[label].state = "released"
            self._gateway.latched.discard(label)
            self._journal.note("closing.released", {"account": label, "principal": principal.name})
            log.warning("liquidation.released", account=label, principal=principal.name)
            released.append(label)
        self._changed.set()
        return released

    async def wait(self, labels: Sequence[str], wait_s: float) -> bool:
        """Wait until these are flat, or so long; whether they are."""
        try:
            async with asyncio.timeout(wait_s):
                while any(label in self._tasks for label in labels):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _unfinished(self) -> list[str]:
        latched: dict[str, None] = {}
        for line in self._gateway.restored:
            if line.account not in self._gateway.order_clients or line.account is None:
                continue
            if line.event == "closing.begun":
                latched[line.account] = None
            elif line.event in ("closing.finished", "closing.released"):
                latched.pop(line.account, None)
        return list(latched)

    def _start(self, label: str, principal: Principal) -> None:
        assert self._group is not None, "entered before it is used"
        self._gateway.latched.add(label)
        self.accounts[label] = AccountLiquidation(account_id=label, symbols={})
        account = Liquidation(self._gateway, self.accounts[label], self._changed.set, principal)
        task = self._group.create_task(
            self._run(label, account, principal), name=f"closing:{label}"
        )
        self._tasks[label] = task

    async def _run(self, label: str, closing: "Liquidation", principal: Principal) -> None:
        await closing.run()
        self._tasks.pop(label, None)
        self._gateway.latched.discard(label)
        facts = {"account": label, "attempts": closing.told.attempts, "principal": principal.name}
        log.warning("liquidation.finished", **facts)
        self._journal.note("closing.finished", facts)
        self._changed.set()


class Liquidation:
    """One account on its way to nothing."""

    def __init__(
        self,
        gateway: Gateway,
        told: AccountLiquidation,
        changed: Callable[[], None],
        principal: Principal,
    ) -> None:
        self.told = told
        self._principal = principal
        self._gateway = gateway
        self._changed = changed
        self._order_client: OrderClient = gateway.order_clients[told.account_id]
        self._ours: dict[str, str] = {}
        """our closing orders: client order id → symbol"""
        self._left_alone: dict[str, float] = {}
        """symbol → until when (loop time)"""

    async def run(self) -> None:
        """Go on until it is flat; only a cancel ends it before."""
        attempt = 0
        while True:
            try:
                if await self._is_flat():
                    self.told.state = "confirming"
                    self._changed()
                    await asyncio.sleep(CONFIRM_S)
                    if await self._is_flat():
                        break
                self.told.state = "closing"
                self.told.attempts += 1
                await self._attempt()
            except (RealtimeError, Declined, Unresolved) as error:
                self.told.last_error = str(error)
            except Exception as error:  # a mistake of ours must not unlatch what is not flat
                log.exception("liquidation.failed", account=self.told.account_id)
                self.told.last_error = type(error).__name__
            self._changed()
            await asyncio.sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
            attempt += 1
        self.told.state, self.told.last_error = "flat", None
        self._changed()

    async def _look(self) -> tuple[dict[Symbol, Position], tuple[Order, ...]]:
        working = await self._order_client.trade.fetch_open_orders()
        positions = await self._order_client.trade.fetch_positions()
        held = {p.symbol: p for p in positions if number(p.qty)}
        for order in working:
            self._order_client.learn(order)
        self.told.open_orders = len(working)
        for symbol, row in self.told.symbols.items():
            if symbol not in held:
                row.qty, row.status, row.detail = "0", "flat", None
        return held, working

    async def _is_flat(self) -> bool:
        held, working = await self._look()
        self.told.last_error = None
        return not held and not working

    async def _attempt(self) -> None:
        held, working = await self._look()
        await self._cancel([o for o in working if (o.client_order_id or "") not in self._ours])
        at_work = {self._ours[o.client_order_id or ""] for o in working if self._is_ours(o)}
        now = asyncio.get_running_loop().time()
        due = []
        for row in [self._row(position) for position in held.values()]:
            if row.symbol in at_work:
                row.status = "working"
            elif row.status == "working":
                # Its order has ended, or the list does not show it yet.
                row.status, row.detail = "closing", "waiting for the broker's list"
                self._left_alone[row.symbol] = now + LAG_S
            elif now >= self._left_alone.get(row.symbol, now):
                due.append(row)
        await asyncio.gather(*map(self._close, due))

    def _is_ours(self, order: Order) -> bool:
        return (order.client_order_id or "") in self._ours

    def _row(self, position: Position) -> SymbolLiquidation:
        symbol = str(position.symbol)
        row = self.told.symbols.setdefault(
            symbol, SymbolLiquidation(symbol=symbol, qty=position.qty, status="closing")
        )
        row.qty = position.qty
        return row

    async def _cancel(self, orders: Sequence[Order]) -> None:
        if not orders:
            return
        if not self._ours:
            await self._order_client.trade.cancel_all()
            return

        async def one(order: Order) -> None:
            try:
                await self._order_client.cancel(order.id)
            except (Declined, Unresolved) as no:  # the next look shows whether it still works
                self.told.last_error = no.message

        await asyncio.gather(*map(one, orders))

    async def _close(self, row: SymbolLiquidation) -> None:
        # An attempt that was lost goes on under its own id: it is asked for before it is sent.
        lost = row.client_order_id if row.status == "unknown" else None
        try:
            placed = await self._gateway.close_position(
                self.told.account_id, row.symbol, self._principal, client_order_id=lost
            )
        except Declined as no:
            row.status, row.detail = "refused", no.message
        except Unresolved as no:
            row.status, row.detail = "unknown", no.message
            row.client_order_id = no.client_order_id
            if no.client_order_id is not None:
                self._ours[no.client_order_id] = row.symbol
        else:
            row.status, row.detail = "working", None
            row.order_id, row.client_order_id = placed.order.id, placed.client_order_id
            self._ours[placed.client_order_id] = row.symbol
