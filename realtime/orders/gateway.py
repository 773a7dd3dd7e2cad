"""The one way to move money: route, guard, write down, send once, tell the truth.

place ─▶ known already? ─▶ route ─▶ guards ─▶ journal: intended ─▶ dealer ─▶ journal: placed
             │                                                       │
             └── the same order again: join it, or ask for it        └── refused · unknown
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Self

from msgspec import structs

from realtime.core.model import Order
from realtime.errors import RealtimeError
from realtime.orders import validation as rules
from realtime.orders.cancellation import CancelExecutor
from realtime.orders.derived_orders import changed, closing_order
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.orders.executor import REMEMBERED, OrderExecutor, honest
from realtime.orders.holdings import Holdings
from realtime.orders.idempotency import (
    IdempotencyIndex,
    OrderRecord,
    derived_id,
    fingerprint,
    read_journal,
)
from realtime.orders.journal import Journal
from realtime.orders.kill_switch import KillSwitch
from realtime.orders.order_client import OrderClient, unasked
from realtime.orders.order_request import OrderChanges, OrderRequest, Placement, spelled, wire_body
from realtime.orders.principal import ANYONE, Principal
from realtime.orders.results import CanceledOrder, Origin, Placed
from realtime.orders.risk import RiskChecks
from realtime.orders.router import Router, Standing
from realtime.orders.routing import Candidate, RoutingDecision

MAX_KEY = 200

AT_ONCE = 20
"""Orders of a batch that are begun before others get their turn: each costs up to a millisecond."""


class Gateway:
    """All accounts. Use as `async with`."""

    def __init__(
        self,
        order_clients: Mapping[str, OrderClient],
        *,
        risk_checks: RiskChecks,
        journal: Journal,
        standing: Standing,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.order_clients = order_clients
        self.risk_checks = risk_checks
        self.journal = journal
        self.kill_switch = KillSwitch(journal, clock)
        self.memory = IdempotencyIndex()
        self.latched: set[str] = set()
        """Accounts that are being closed: nothing new may come in between."""
        self.router = Router(order_clients, risk_checks, standing, rng)
        self._clock = clock
        self._rng = rng
        self._cancels = CancelExecutor(order_clients, risk_checks, journal)
        self._holdings = Holdings(clock)
        self.once = OrderExecutor(order_clients, memory=self.memory, journal=journal, clock=clock)
        self.restored = read_journal(self.memory, journal)
        """Lines of the journal that are about something else than orders."""
        self.kill_switch.load(self.restored)

    async def __aenter__(self) -> Self:
        await self.once.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.once.__aexit__(kind, error, trace)
        self.journal.close()

    def order_client(self, label: str, principal: Principal) -> OrderClient:
        """The dealer of an account that they may use. Raises `Declined`."""
        found = self.order_clients.get(label)
        if found is None or not principal.may_use(label):
            raise Declined("unknown_account", f"no account '{label[:64]}'")
        return found

    def why_not(self, label: str, principal: Principal) -> Declined | None:
        """Why they may not trade an account at all, or None if they may."""
        try:
            self.risk_checks.check_may_trade(label, principal)
        except Declined as no:
            return no
        return None

    def candidates(self) -> list[Candidate]:
        """How the accounts stand for routing."""
        return self.router.candidates()

    def origin(self, label: str, order: Order) -> Origin:
        """Whose order it is, as far as can be told."""
        if order.client_order_id and self.memory.of_id(label, order.client_order_id):
            return "ours"
        return "other" if self.memory.is_complete and self.journal.path else "unknown"

    async def place(
        self, wish: Placement, principal: Principal = ANYONE, *, key: str | None = None
    ) -> Placed:
        """Place an order. Raises `Declined` for a decided no, `Unresolved` if nobody knows.

        The same `key`, or the same account and `client_order_id`, never gives a second order.
        """
        wish = spelled(wish)
        rules.check(wish)
        key = _scoped(key, principal)
        asked = fingerprint(
            wire_body(wish), wish.account_id, wish.routing_key, wish.tier, wish.labels
        )
        before = self.memory.of_key(key)
        route = (
            self.router.route(wish, principal)
            if before is None
            else RoutingDecision(account_id=before.account, strategy=REMEMBERED, among=1)
        )
        known = self._identify(route.account_id, wish.client_order_id, key, asked)
        order_client = self.order_client(known.account, principal)
        body = wire_body(structs.replace(wish, client_order_id=known.client_order_id))
        return await self.once.run(
            known,
            principal,
            route,
            check=lambda: self._check_new(order_client.label, wish, principal),
            call=lambda: order_client.trade.submit(body),
            facts={"body": body},
        )

    async def place_all(
        self,
        wishes: Sequence[Placement | Declined],
        principal: Principal = ANYONE,
        *,
        key: str | None = None,
    ) -> list[Placed | Declined | Unresolved]:
        """Place many at once, all accounts in parallel; an answer for each, in their order."""

        async def one(at: int, wish: Placement | Declined) -> Placed | Declined | Unresolved:
            if isinstance(wish, Declined):
                return wish
            try:
                return await self.place(wish, principal, key=None if key is None else f"{key}#{at}")
            except (Declined, Unresolved) as no:
                return no

        begun = []
        async with asyncio.TaskGroup() as tasks:
            for at, wish in enumerate(wishes):
                begun.append(tasks.create_task(one(at, wish), name=f"batch:{at}"))
                if at % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
        return [task.result() for task in begun]

    async def replace(
        self,
        label: str,
        order_id: str,
        changes: OrderChanges,
        principal: Principal = ANYONE,
        *,
        key: str | None = None,
    ) -> Placed:
        """Replace an order; the answer is its successor. Raises as `place` does."""
        rules.check_changes(changes)
        order_client = self.order_client(label, principal)
        key = _scoped(key, principal)
        asked = fingerprint("replace", order_id, wire_body(changes))
        known = self._identify(label, changes.client_order_id, key, asked)
        if before := await self.once.before(known):
            return before
        self.risk_checks.check_may_trade(label, principal)
        try:
            becomes = await self._becomes(order_client, order_id, changes)
        except Declined as no:
            raise honest(known, no) from no
        known = self._identify(label, changes.client_order_id, key, asked)
        body = wire_body(structs.replace(changes, client_order_id=known.client_order_id))
        return await self.once.run(
            known,
            principal,
            RoutingDecision(account_id=label, strategy="exact", among=1),
            check=lambda: self._check_new(label, becomes, principal),
            call=lambda: order_client.trade.replace(order_id, body),
            facts={"replaces": order_id, "body": body},
        )

    async def cancel(self, label: str, order_id: str, principal: Principal = ANYONE) -> None:
        """Cancel an order. Raises `Declined`, or `Unresolved` if nobody knows."""
        self.order_client(label, principal)
        await self._cancels.one(label, order_id, principal)

    async def cancel_all(
        self, labels: Sequence[str], principal: Principal = ANYONE
    ) -> list[CanceledOrder]:
        """Cancel every open order of these accounts, all in parallel; one's trouble is its own."""
        for label in labels:
            self.order_client(label, principal)
        return await self._cancels.all_of(labels, principal)

    async def close_position(
        self,
        label: str,
        symbol: str,
        principal: Principal = ANYONE,
        *,
        qty: Decimal | None = None,
        percentage: Decimal | None = None,
        key: str | None = None,
        client_order_id: str | None = None,
    ) -> Placed:
        """Close a position, or part of it, by an order of ours: so it too is never sent twice.

        The quantity comes from the broker. The kill switch does not stop it.
        """
        order_client = self.order_client(label, principal)
        self.risk_checks.check_may_trade(label, principal)
        key = _scoped(key, principal)
        asked = fingerprint("close", label, symbol, str(qty), str(percentage))
        known = self._identify(label, client_order_id, key, asked)
        if before := await self.once.before(known):
            return before
        try:
            position = await self._holdings.position(order_client, symbol)
            wish = closing_order(position, qty=qty, percentage=percentage)
        except Declined as no:
            raise honest(known, no) from no
        known = self._identify(label, client_order_id, key, asked)
        self._holdings.closes(order_client, position)
        body = wire_body(structs.replace(wish, client_order_id=known.client_order_id))
        return await self.once.run(
            known,
            principal,
            RoutingDecision(account_id=label, strategy="exact", among=1),
            check=lambda: self.risk_checks.check_may_trade(label, principal),
            call=lambda: order_client.trade.submit(body),
            facts={"closes": symbol, "body": body},
            is_exit=True,
        )

    async def find(
        self, label: str, client_order_id: str, principal: Principal = ANYONE
    ) -> Order | None:
        """The order of this id, asked of the broker; None if there is none.

        Raises `Declined` if it cannot be asked, `Unresolved` if it was sent and is not to be found.
        """
        order_client = self.order_client(label, principal)
        try:
            found = await order_client.trade.find_by_client_order_id(client_order_id)
        except RealtimeError as error:
            if told := order_client.seen(client_order_id):
                return told
            raise unasked(error) from error
        known = self.memory.of_id(label, client_order_id)
        if found is None:
            told = order_client.seen(client_order_id)
            if told is None and known is not None and known.state == "unknown":
                raise Unresolved(
                    "it was sent; the broker does not know it, or not yet",
                    account_id=label,
                    client_order_id=client_order_id,
                )
            return told
        order_client.learn(found.order)
        if known is not None and known.state == "unknown":
            self.once.note_found(known, found.order)
        return found.order

    def _identify(
        self, label: str, client_order_id: str | None, key: str | None, asked: str
    ) -> OrderRecord:
        """The order that this call is about: one that went before, or a new one.

        Raises `Declined` if the key or the id came with another call. Nothing may be awaited
        between this and `Once.run`.
        """
        known = self.memory.of_key(key)
        if known is None and client_order_id is not None:
            known = self.memory.of_id(label, client_order_id)
        if known is None:
            if client_order_id is None:
                fresh = f"rt-{self._rng.getrandbits(128):032x}"
                client_order_id = fresh if key is None else derived_id(key, label)
            return OrderRecord(
                account=label,
                client_order_id=client_order_id,
                print=asked,
                key=key,
                state="pending",
            )
        if known.print != asked:
            raise malformed(
                "client_order_id must be unique"
                if known.key != key
                else "this Idempotency-Key came with another call before"
            )
        return known

    def _check_new(self, label: str, ticket: OrderRequest, principal: Principal) -> None:
        self.risk_checks.check_may_trade(label, principal)
        self.kill_switch.check(label)
        if label in self.latched:
            raise Declined(
                "account_closing",
                f"account {label} is being closed: nothing new may come in between",
                remedy="wait until it is flat, or DELETE /orders/closing",
                guard="closing",
            )
        self.risk_checks.check(label, ticket, principal, now=self._clock())

    async def _becomes(
        self, order_client: OrderClient, order_id: str, changes: OrderChanges
    ) -> OrderRequest:
        """What an order will be after the changes: the guards judge that, not the difference."""
        try:
            found = await order_client.trade.find_by_id(order_id)
        except RealtimeError as error:
            raise unasked(error) from error
        if found is None:
            raise Declined(
                "broker_knows_not",
                f"order not found for {order_id[:64]}",
                alpaca={"code": 40410000, "message": f"order not found for {order_id[:64]}"},
                reached_broker=True,
            )
        return changed(found.order, changes)


def _scoped(key: str | None, principal: Principal) -> str | None:
    """One caller's keys are not another's."""
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        raise malformed(f"Idempotency-Key: 1–{MAX_KEY} printable letters")
    return f"{principal.name}\t{key}"  # no key holds a tab: so each pair has its own
