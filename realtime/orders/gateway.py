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

KEY_MOST = 200

AT_ONCE = 20
"""Orders of a batch that are begun before others get their turn: each costs up to a millisecond."""


class Gateway:
    """All accounts. Use as `async with`."""

    def __init__(
        self,
        dealers: Mapping[str, OrderClient],
        *,
        guards: RiskChecks,
        journal: Journal,
        standing: Standing,
        clock: Callable[[], float],
        chance: random.Random,
    ) -> None:
        self.dealers = dealers
        self.guards = guards
        self.journal = journal
        self.halts = KillSwitch(journal, clock)
        self.memory = IdempotencyIndex()
        self.latched: set[str] = set()
        """Accounts that are being closed: nothing new may come in between."""
        self.router = Router(dealers, guards, standing, chance)
        self._clock = clock
        self._chance = chance
        self._cancels = CancelExecutor(dealers, guards, journal)
        self._holdings = Holdings(clock)
        self.once = OrderExecutor(dealers, memory=self.memory, journal=journal, clock=clock)
        self.restored = read_journal(self.memory, journal)
        """Lines of the journal that are about something else than orders."""
        self.halts.load(self.restored)

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

    def dealer(self, label: str, who: Principal) -> OrderClient:
        """The dealer of an account that they may use. Raises `Declined`."""
        found = self.dealers.get(label)
        if found is None or not who.may_use(label):
            raise Declined("unknown_account", f"no account '{label[:64]}'")
        return found

    def why_not(self, label: str, who: Principal) -> Declined | None:
        """Why they may not trade an account at all, or None if they may."""
        try:
            self.guards.check_may_trade(label, who)
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
        self, wish: Placement, who: Principal = ANYONE, *, key: str | None = None
    ) -> Placed:
        """Place an order. Raises `Declined` for a decided no, `Unresolved` if nobody knows.

        The same `key`, or the same account and `client_order_id`, never gives a second order.
        """
        wish = spelled(wish)
        rules.check(wish)
        key = _scoped(key, who)
        asked = fingerprint(
            wire_body(wish), wish.account_id, wish.routing_key, wish.tier, wish.labels
        )
        before = self.memory.of_key(key)
        route = (
            self.router.route(wish, who)
            if before is None
            else RoutingDecision(account_id=before.account, strategy=REMEMBERED, among=1)
        )
        known = self._identify(route.account_id, wish.client_order_id, key, asked)
        dealer = self.dealer(known.account, who)
        body = wire_body(structs.replace(wish, client_order_id=known.client_order_id))
        return await self.once.run(
            known,
            who,
            route,
            check=lambda: self._check_new(dealer.label, wish, who),
            call=lambda: dealer.trade.submit(body),
            facts={"body": body},
        )

    async def place_all(
        self,
        wishes: Sequence[Placement | Declined],
        who: Principal = ANYONE,
        *,
        key: str | None = None,
    ) -> list[Placed | Declined | Unresolved]:
        """Place many at once, all accounts in parallel; an answer for each, in their order."""

        async def one(at: int, wish: Placement | Declined) -> Placed | Declined | Unresolved:
            if isinstance(wish, Declined):
                return wish
            try:
                return await self.place(wish, who, key=None if key is None else f"{key}#{at}")
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
        who: Principal = ANYONE,
        *,
        key: str | None = None,
    ) -> Placed:
        """Replace an order; the answer is its successor. Raises as `place` does."""
        rules.check_changes(changes)
        dealer = self.dealer(label, who)
        key = _scoped(key, who)
        asked = fingerprint("replace", order_id, wire_body(changes))
        known = self._identify(label, changes.client_order_id, key, asked)
        if before := await self.once.before(known):
            return before
        self.guards.check_may_trade(label, who)
        try:
            becomes = await self._becomes(dealer, order_id, changes)
        except Declined as no:
            raise honest(known, no) from no
        known = self._identify(label, changes.client_order_id, key, asked)
        body = wire_body(structs.replace(changes, client_order_id=known.client_order_id))
        return await self.once.run(
            known,
            who,
            RoutingDecision(account_id=label, strategy="exact", among=1),
            check=lambda: self._check_new(label, becomes, who),
            call=lambda: dealer.trade.replace(order_id, body),
            facts={"replaces": order_id, "body": body},
        )

    async def cancel(self, label: str, order_id: str, who: Principal = ANYONE) -> None:
        """Cancel an order. Raises `Declined`, or `Unresolved` if nobody knows."""
        self.dealer(label, who)
        await self._cancels.one(label, order_id, who)

    async def cancel_all(
        self, labels: Sequence[str], who: Principal = ANYONE
    ) -> list[CanceledOrder]:
        """Cancel every open order of these accounts, all in parallel; one's trouble is its own."""
        for label in labels:
            self.dealer(label, who)
        return await self._cancels.all_of(labels, who)

    async def close_position(
        self,
        label: str,
        symbol: str,
        who: Principal = ANYONE,
        *,
        qty: Decimal | None = None,
        percentage: Decimal | None = None,
        key: str | None = None,
        client_order_id: str | None = None,
    ) -> Placed:
        """Close a position, or part of it, by an order of ours: so it too is never sent twice.

        The quantity comes from the broker. The kill switch does not stop it.
        """
        dealer = self.dealer(label, who)
        self.guards.check_may_trade(label, who)
        key = _scoped(key, who)
        asked = fingerprint("close", label, symbol, str(qty), str(percentage))
        known = self._identify(label, client_order_id, key, asked)
        if before := await self.once.before(known):
            return before
        try:
            position = await self._holdings.position(dealer, symbol)
            wish = closing_order(position, qty=qty, percentage=percentage)
        except Declined as no:
            raise honest(known, no) from no
        known = self._identify(label, client_order_id, key, asked)
        self._holdings.closes(dealer, position)
        body = wire_body(structs.replace(wish, client_order_id=known.client_order_id))
        return await self.once.run(
            known,
            who,
            RoutingDecision(account_id=label, strategy="exact", among=1),
            check=lambda: self.guards.check_may_trade(label, who),
            call=lambda: dealer.trade.submit(body),
            facts={"closes": symbol, "body": body},
            is_exit=True,
        )

    async def find(self, label: str, client_order_id: str, who: Principal = ANYONE) -> Order | None:
        """The order of this id, asked of the broker; None if there is none.

        Raises `Declined` if it cannot be asked, `Unresolved` if it was sent and is not to be found.
        """
        dealer = self.dealer(label, who)
        try:
            found = await dealer.trade.by_client_order_id(client_order_id)
        except RealtimeError as error:
            if told := dealer.seen(client_order_id):
                return told
            raise unasked(error) from error
        known = self.memory.of_id(label, client_order_id)
        if found is None:
            told = dealer.seen(client_order_id)
            if told is None and known is not None and known.state == "unknown":
                raise Unresolved(
                    "it was sent; the broker does not know it, or not yet",
                    account_id=label,
                    client_order_id=client_order_id,
                )
            return told
        dealer.learn(found.order)
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
                fresh = f"rt-{self._chance.getrandbits(128):032x}"
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

    def _check_new(self, label: str, ticket: OrderRequest, who: Principal) -> None:
        self.guards.check_may_trade(label, who)
        self.halts.check(label)
        if label in self.latched:
            raise Declined(
                "account_closing",
                f"account {label} is being closed: nothing new may come in between",
                remedy="wait until it is flat, or DELETE /orders/closing",
                guard="closing",
            )
        self.guards.check(label, ticket, who, now=self._clock())

    async def _becomes(
        self, dealer: OrderClient, order_id: str, changes: OrderChanges
    ) -> OrderRequest:
        """What an order will be after the changes: the guards judge that, not the difference."""
        try:
            found = await dealer.trade.by_id(order_id)
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


def _scoped(key: str | None, who: Principal) -> str | None:
    """One caller's keys are not another's."""
    if key is None:
        return None
    if not 0 < len(key) <= KEY_MOST or not key.isprintable():
        raise malformed(f"Idempotency-Key: 1–{KEY_MOST} printable letters")
    return f"{who.name}\t{key}"  # no key holds a tab: so each pair has its own
