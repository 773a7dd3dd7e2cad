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

import msgspec
from msgspec import structs

from realtime.core.decimals import number
from realtime.core.model import Order, Position
from realtime.core.state import LAG_S
from realtime.errors import (
    BrokerError,
    LinkError,
    NotSent,
    RateLimited,
    RealtimeError,
    Refused,
)
from realtime.logs import get_logger
from realtime.orders import rules
from realtime.orders.dealer import CANCELS_AT_MOST, Dealer, declined
from realtime.orders.derived import changed, closing_order
from realtime.orders.guards import Guards
from realtime.orders.halts import Halts
from realtime.orders.journal import Journal
from realtime.orders.memory import Known, Memory, derived_id, fingerprint, read_journal
from realtime.orders.once import REMEMBERED, Once
from realtime.orders.principal import ANYONE, Principal
from realtime.orders.refusal import Declined, Unresolved, malformed
from realtime.orders.results import CanceledOrder, Origin, Placed
from realtime.orders.routing import Candidate, Route, choose
from realtime.orders.ticket import Changes, Placement, Ticket, spelled, wire_body

log = get_logger()

KEY_MOST = 200
TURNS_MOST = 1000
"""Kinds of questions whose turns are remembered."""

Standing = Callable[[str | None], Sequence[Candidate]]
"""Gives how an account stands now; with None all of them, in the order of the configuration."""

AT_ONCE = 20
"""Orders of a batch that are begun before others get their turn: each costs up to a millisecond."""


class Gateway:
    """All accounts. Use as `async with`."""

    def __init__(
        self,
        dealers: Mapping[str, Dealer],
        *,
        guards: Guards,
        journal: Journal,
        standing: Standing,
        clock: Callable[[], float],
        chance: random.Random,
    ) -> None:
        self.dealers = dealers
        self.guards = guards
        self.journal = journal
        self.halts = Halts(journal, clock)
        self.memory = Memory()
        self.latched: set[str] = set()
        """Accounts that are being closed: nothing new may come in between."""
        self._standing = standing
        self._clock = clock
        self._chance = chance
        self._turns: dict[object, int] = {}
        """what was asked for → how often; the longest unasked first"""
        self._closed_at: dict[tuple[str, str], float] = {}
        """account and symbol → when a position was last closed through here"""
        self.once = Once(dealers, memory=self.memory, journal=journal, clock=clock)
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

    def dealer(self, label: str, who: Principal) -> Dealer:
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

    def candidates(self, only: str | None = None) -> list[Candidate]:
        """How the accounts stand for routing, or how one of them does."""
        return [self._candidate(each) for each in self._standing(only)]

    def _candidate(self, stands: Candidate) -> Candidate:
        dealer = self.dealers.get(stands.label)
        return Candidate(
            label=stands.label,
            tier=stands.tier,
            is_live=stands.is_live,
            open_orders=stands.open_orders,
            is_enabled=dealer is not None and self.guards.why_disabled(stands.label) is None,
            in_flight=0 if dealer is None else dealer.in_flight,
        )

    def route(self, wish: Placement, who: Principal) -> Route:
        """Choose the account of an order. Raises `Declined`."""
        # Each kind of question has its own turns: two that alternate must not share them, or each
        # would only ever see every other account.
        asked = (wish.strategy, wish.tier, wish.labels, who.accounts)
        turn = self._turns.pop(asked, 0)
        candidates = self.candidates(wish.account_id)
        route = choose(wish, candidates, who, turn=turn, draw=self._chance.random())
        self._turns[asked] = turn + 1
        if len(self._turns) > TURNS_MOST:
            del self._turns[next(iter(self._turns))]
        if route.strategy != "exact":
            log.info("order.routed", account=route.account_id, reason=route.reason)
        return route

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
            self.route(wish, who)
            if before is None
            else Route(account_id=before.account, strategy=REMEMBERED, among=1)
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
        changes: Changes,
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
        becomes = await self._becomes(dealer, order_id, changes)
        known = self._identify(label, changes.client_order_id, key, asked)
        body = wire_body(structs.replace(changes, client_order_id=known.client_order_id))
        return await self.once.run(
            known,
            who,
            Route(account_id=label, strategy="exact", among=1),
            check=lambda: self._check_new(label, becomes, who),
            call=lambda: dealer.trade.replace(order_id, body),
            facts={"replaces": order_id, "body": body},
        )

    async def cancel(self, label: str, order_id: str, who: Principal = ANYONE) -> None:
        """Cancel an order. Raises `Declined`, or `Unresolved` if nobody knows."""
        dealer = self.dealer(label, who)
        self.guards.check_may_trade(label, who)
        facts = {"account": label, "order_id": order_id, "who": who.name}
        self.journal.note("cancel.intended", facts)
        try:
            await dealer.cancel(order_id)
        except (Declined, Unresolved) as no:
            self.journal.note("cancel.failed", {**facts, "message": no.message})
            raise
        self.journal.note("cancel.accepted", facts)
        log.info("order.cancel_accepted", account=label, order_id=order_id, who=who.name)

    async def cancel_all(
        self, labels: Sequence[str], who: Principal = ANYONE
    ) -> list[CanceledOrder]:
        """Cancel every open order of these accounts, all in parallel; one's trouble is its own."""
        for label in labels:
            self.dealer(label, who)

        async def one(label: str) -> list[CanceledOrder]:
            try:
                self.guards.check_may_trade(label, who)
                self.journal.note("cancel.intended", {"account": label, "who": who.name})
                items = await self._cancel_all(label)
            except (Declined, Unresolved) as no:
                status = 504 if isinstance(no, Unresolved) else 503
                said = {"message": no.message}
                return [CanceledOrder(account_id=label, order_id="", status=status, body=said)]
            self.journal.note("cancel.accepted", {"account": label, "count": len(items)})
            return items

        return [item for items in await asyncio.gather(*map(one, labels)) for item in items]

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
        position = await self._position(dealer, symbol)
        known = self._identify(label, client_order_id, key, asked)
        wish = closing_order(position, qty=qty, percentage=percentage)
        self._closed_at[label, position.symbol] = self._clock()
        body = wire_body(structs.replace(wish, client_order_id=known.client_order_id))
        return await self.once.run(
            known,
            who,
            Route(account_id=label, strategy="exact", among=1),
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
            raise _unasked(error) from error
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
    ) -> Known:
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
            return Known(
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

    def _check_new(self, label: str, ticket: Ticket, who: Principal) -> None:
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

    async def _becomes(self, dealer: Dealer, order_id: str, changes: Changes) -> Ticket:
        """What an order will be after the changes: the guards judge that, not the difference."""
        try:
            found = await dealer.trade.by_id(order_id)
        except RealtimeError as error:
            raise _unasked(error) from error
        if found is None:
            raise Declined(
                "broker_knows_not",
                f"order not found for {order_id[:64]}",
                alpaca={"code": 40410000, "message": f"order not found for {order_id[:64]}"},
                reached_broker=True,
            )
        return changed(found.order, changes)

    async def _position(self, dealer: Dealer, symbol: str) -> Position:
        try:
            held = await dealer.trade.positions()
        except RealtimeError as error:
            raise _unasked(error) from error
        wanted = symbol.replace("/", "").upper()
        for position in held:
            if position.symbol == wanted or position.asset_id == symbol:
                return self._settled(dealer, position)
        raise Declined(
            "broker_knows_not",
            f"position does not exist: {symbol[:32]}",
            alpaca={"code": 40410000, "message": "position does not exist"},
            reached_broker=True,
        )

    def _settled(self, dealer: Dealer, position: Position) -> Position:
        """A position from the broker's list, if nothing speaks against it: the list may lag a fill
        by seconds, and what is sold already must not be sold again. Raises `Declined`."""
        told = dealer.held(position.symbol) if dealer.held is not None else None
        closed_at = self._closed_at.get((dealer.label, position.symbol), -LAG_S)
        if told is None and self._clock() - closed_at >= LAG_S:
            return position
        if told is not None and number(told.qty) == number(position.qty):
            return position
        raise Declined(
            "position_unsettled",
            f"the broker's list says {position.qty} {position.symbol}, "
            + (f"its stream {told.qty}" if told else "and it was closed a moment ago"),
            remedy="the list may lag by ten seconds: ask again",
            retry_after_s=LAG_S,
        )

    async def _cancel_all(self, label: str) -> list[CanceledOrder]:
        """Cancel all of one account; a lost answer is sent again, for it does no harm."""
        reason = ""
        for _ in range(CANCELS_AT_MOST):
            try:
                items = await self.dealers[label].trade.cancel_all()
            except (NotSent, RateLimited, Refused, BrokerError) as error:
                raise declined(error, label) from error
            except LinkError as error:
                reason = error.message
                continue
            return [
                CanceledOrder(
                    account_id=label,
                    order_id=item.order_id,
                    status=item.status,
                    body=msgspec.json.decode(item.body),
                )
                for item in items
            ]
        raise Unresolved(f"{reason}; orders may still work", account_id=label, client_order_id=None)


def _scoped(key: str | None, who: Principal) -> str | None:
    """One caller's keys are not another's."""
    if key is None:
        return None
    if not 0 < len(key) <= KEY_MOST or not key.isprintable():
        raise malformed(f"Idempotency-Key: 1–{KEY_MOST} printable letters")
    return f"{who.name}\t{key}"  # no key holds a tab: so each pair has its own


def _unasked(error: RealtimeError) -> Declined:
    """A question that could not be asked: nothing was sent that could do anything."""
    if isinstance(error, (NotSent, RateLimited, Refused, BrokerError)):
        return declined(error, "")
    return Declined("broker_unreachable", error.message, retry_after_s=2.0)
