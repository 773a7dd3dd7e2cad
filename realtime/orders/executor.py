"""Each order once: written down, sent, and found again when the same call comes a second time.

Every order runs in a task of this object's: a caller who leaves does not leave it half done. What
the task ends with is a value, so one order's failure ends nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from msgspec import Struct, structs

from realtime.broker.order_api import OrderResponse
from realtime.core.model import Order
from realtime.errors import RealtimeError
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.idempotency import IdempotencyIndex, OrderRecord
from realtime.orders.journal import Journal
from realtime.orders.order_client import OrderClient
from realtime.orders.principal import Principal
from realtime.orders.results import Placed
from realtime.orders.routing import RoutingDecision
from realtime.telemetry.log import get_logger

log = get_logger()

FINISH_S = 1.0
"""Orders under way may take so long to finish at the end."""

MAX_PURSUITS = 500
"""Lost orders that are asked for at one time, after their callers were told."""

REMEMBERED = "remembered"

Outcome = Placed | Declined | Unresolved


class Submission(Struct, frozen=True, kw_only=True):
    """One order that is to be carried out."""

    known: OrderRecord
    principal: Principal
    route: RoutingDecision
    check: Callable[[], None]
    """Raises `Declined` if a guard objects."""
    call: Callable[[], Awaitable[OrderResponse]]
    """The one request that makes it happen."""
    facts: Mapping[str, object]
    """What the journal is to say of it."""
    is_repeat: bool
    """Whether it may have been sent before."""
    is_exit: bool
    """Whether it only takes risk away: then it goes even if it cannot be written down."""


class OrderExecutor:
    """Carries orders out. Use as `async with`."""

    def __init__(
        self,
        order_clients: Mapping[str, OrderClient],
        *,
        memory: IdempotencyIndex,
        journal: Journal,
        clock: Callable[[], float],
    ) -> None:
        self._order_clients = order_clients
        self._memory = memory
        self._journal = journal
        self._clock = clock
        self._group: asyncio.TaskGroup | None = None
        self._working: set[asyncio.Task[Outcome]] = set()
        self._pursuits: set[asyncio.Task[None]] = set()
        self.outcomes: Counter[str] = Counter()
        """What became of orders since the start: `placed`, `refused`, `unknown`."""

    async def __aenter__(self) -> Self:
        self._group = await asyncio.TaskGroup().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        group, self._group = self._group, None
        assert group is not None, "entered"
        for pursuit in self._pursuits:
            pursuit.cancel()
        if self._working:
            await asyncio.wait(self._working, timeout=FINISH_S)
        for task in self._working:
            task.cancel()
        await group.__aexit__(None, None, None)

    async def run(
        self,
        known: OrderRecord,
        principal: Principal,
        route: RoutingDecision,
        *,
        check: Callable[[], None],
        call: Callable[[], Awaitable[OrderResponse]],
        facts: Mapping[str, object],
        is_exit: bool = False,
    ) -> Placed:
        """Carry an order out; if it went before, join it or say what became of it.

        Raises `Declined` or `Unresolved`.
        """
        if known.task is None and known.state != "placed":
            submission = Submission(
                known=known,
                principal=principal,
                route=route,
                check=check,
                call=call,
                facts=facts,
                is_repeat=known.state == "unknown",
                is_exit=is_exit,
            )
            self._memory.add(known)
            known.task = self._spawn(submission)
            placed = await _result(known.task)
            return structs.replace(placed, route=route)
        return await self.again(known)

    async def before(self, known: OrderRecord) -> Placed | None:
        """What became of an order if it went before, as far as it can be found; None if it is new.

        To be asked before anything is read of what the order itself may have changed: a position
        that it closed, an order that it replaced. Raises as `again` does.
        """
        if known.state == "placed" or known.task is not None:
            return await self.again(known)
        if known.state != "unknown":
            return None
        found = await self._order_clients[known.account].look(known.client_order_id)
        if found is None:
            return None
        self.note_found(known, found.order)
        return await self.again(known)

    async def again(self, known: OrderRecord) -> Placed:
        """What became of an order that went before. Raises `Declined` or `Unresolved`."""
        if known.task is not None:
            return structs.replace(await _result(known.task), how="replayed")
        order_client = self._order_clients[known.account]
        order = order_client.seen(known.client_order_id)
        if order is None:
            answered = await order_client.resolve(
                known.client_order_id, "this order was placed before"
            )
            order = answered.order
        return Placed(
            account_id=known.account,
            client_order_id=known.client_order_id,
            order=order,
            how="replayed",
            route=RoutingDecision(account_id=known.account, strategy=REMEMBERED, among=1),
        )

    def note_found(self, known: OrderRecord, order: Order) -> None:
        """An order of which nobody knew is at the broker."""
        if known.state == "placed":
            return
        known.state, known.order_id = "placed", order.id
        facts = _names(known) | {"order_id": order.id, "status": order.status}
        log.info("order.found", **facts)
        self._order_clients[known.account].doubt(known.client_order_id, order.id)
        self._journal.note("order.found", facts)

    def _spawn(self, submission: Submission) -> "asyncio.Task[Outcome]":
        assert self._group is not None, "entered before it is used"
        name = f"order:{submission.known.account}:{submission.known.client_order_id}"
        task = self._group.create_task(self._guarded(submission), name=name)
        self._working.add(task)
        # Counted from here on, not from when it runs: the next order of a batch must see it.
        order_client = self._order_clients[submission.known.account]
        order_client.in_flight += 1

        def done(task: "asyncio.Task[Outcome]") -> None:
            order_client.in_flight -= 1
            self._working.discard(task)

        task.add_done_callback(done)
        return task

    async def _guarded(self, submission: Submission) -> Outcome:
        known, began = submission.known, self._clock()
        try:
            return await self._carry_out(submission)
        except Declined as no:
            self._note_refused(submission, no, took_s=self._clock() - began)
            return honest(known, no) if submission.is_repeat else no
        except Unresolved as lost:
            self._note_unknown(known, lost)
            return lost
        except Exception:  # a mistake of ours, maybe after the order left: it must not be a "no"
            log.exception("order.failed", account=known.account)
            known.state = "unknown"
            return Unresolved(
                "the daemon made a mistake",
                account_id=known.account,
                client_order_id=known.client_order_id,
            )
        finally:
            known.task = None

    async def _carry_out(self, submission: Submission) -> Placed:
        known, order_client = submission.known, self._order_clients[submission.known.account]
        if submission.is_repeat and (found := await order_client.look(known.client_order_id)):
            self.note_found(known, found.order)
            return self._placed(submission, found, how_asked=True, began=self._clock())
        submission.check()
        write = self._journal.note if submission.is_exit else self._journal.write
        write("order.intended", self._intent(submission))
        known.state = "unknown"  # from here on it may exist
        began = self._clock()
        answered, was_asked = await order_client.send(
            known.client_order_id,
            submission.call,
            is_ours=submission.is_repeat or known.key is not None,
        )
        return self._placed(submission, answered, how_asked=was_asked, began=began)

    def _placed(
        self, submission: Submission, answered: OrderResponse, *, how_asked: bool, began: float
    ) -> Placed:
        known, order = submission.known, answered.order
        known.state, known.order_id = "placed", order.id
        placed = Placed(
            account_id=known.account,
            client_order_id=known.client_order_id,
            order=order,
            how="asked" if how_asked else "answered",
            request_id=answered.request_id,
            took_s=round(self._clock() - began, 4),
            route=submission.route,
        )
        facts = {
            **_names(known),
            "order_id": order.id,
            "request_id": answered.request_id,
            "how": placed.how,
            "took_ms": round(placed.took_s * 1000, 1),
            "symbol": order.symbol,
            "side": order.side,
            "qty": order.qty,
            "notional": order.notional,
            "type": order.type,
            "status": order.status,
            "principal": submission.principal.name,
        }
        self.outcomes["placed"] += 1
        log.info("order.placed", **facts)
        self._journal.note("order.placed", facts)
        return placed

    def _intent(self, submission: Submission) -> dict[str, object]:
        known = submission.known
        return {
            **_names(known),
            "key": known.key,
            "print": known.print,
            "principal": submission.principal.name,
            "route": submission.route.reason,
            **submission.facts,
        }

    def _note_refused(self, submission: Submission, no: Declined, *, took_s: float) -> None:
        known, cause = submission.known, no.__cause__
        facts = {
            **_names(known),
            "code": no.code,
            "guard": no.guard,
            "message": no.message,
            "answer": cause.message if isinstance(cause, RealtimeError) else None,
            "took_ms": round(took_s * 1000, 1) if no.reached_broker else None,
            "principal": submission.principal.name,
        }
        self.outcomes["refused"] += 1
        log.warning("order.refused", **{k: v for k, v in facts.items() if v is not None})
        # A no to the second time says nothing about the first: that stays unknown.
        known.state = "unknown"
        if not submission.is_repeat:
            self._memory.forget(known)
        event = "order.refused_again" if submission.is_repeat else "order.refused"
        self._journal.note(event, facts)

    def _note_unknown(self, known: OrderRecord, lost: Unresolved) -> None:
        known.state = "unknown"
        facts = {**_names(known), "message": lost.message}
        self.outcomes["unknown"] += 1
        log.error("order.unknown", **facts)
        self._order_clients[known.account].doubt(known.client_order_id, None)
        self._journal.note("order.unknown", facts)
        if self._group is not None and len(self._pursuits) < MAX_PURSUITS:
            pursuit = self._group.create_task(
                self._pursue(known), name=f"lost:{known.account}:{known.client_order_id}"
            )
            self._pursuits.add(pursuit)
            pursuit.add_done_callback(self._pursuits.discard)

    async def _pursue(self, known: OrderRecord) -> None:
        found = await self._order_clients[known.account].pursue(known.client_order_id)
        if found is not None and known.state == "unknown":
            self.note_found(known, found.order)


def honest(known: OrderRecord, no: Declined) -> Declined | Unresolved:
    """A no to an order that may have been sent before says nothing about that: it may exist."""
    if known.state != "unknown":
        return no
    return Unresolved(
        f"it was sent before, and what became of that is not known; now: {no.message}",
        account_id=known.account,
        client_order_id=known.client_order_id,
    )


async def _result(task: "asyncio.Task[Outcome]") -> Placed:
    """Wait for an order; whoever stops waiting does not stop the order."""
    outcome = await asyncio.shield(task)
    if isinstance(outcome, Placed):
        return outcome
    raise outcome


def _names(known: OrderRecord) -> dict[str, object]:
    return {"account": known.account, "client_order_id": known.client_order_id}
