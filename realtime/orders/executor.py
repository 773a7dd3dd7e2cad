"""Each order once: checked, written to the journal, sent, and found when the same call comes again.

Every order runs in a task of this object, so a caller that leaves does not leave it half done. The
task ends with a value, so one order's failure ends nothing else.

Orders wait: for the rate limit, for a connection. So what was checked when an order was accepted is
checked again at the last moment, in `OrderExecutor._depart`: it runs when the connection is ready,
and nothing is awaited between it and the first byte. Before it, a failure is a definite refusal;
after it, only the broker knows.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from msgspec import Struct, structs

from realtime.auth.principal import Principal
from realtime.broker.http_client import Departure
from realtime.broker.order_api import OrderResponse
from realtime.cluster.alone import Alone
from realtime.cluster.coordinator import Coordinator, Intent
from realtime.core.model import Order
from realtime.errors import NotOwner, RealtimeError
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.idempotency import IdempotencyIndex, OrderRecord
from realtime.orders.journal import Journal
from realtime.orders.order_client import SEARCH_DELAYS_S, OrderClient
from realtime.orders.results import Placed
from realtime.orders.risk import RateReservation
from realtime.orders.routing import RoutingDecision
from realtime.telemetry.log import get_logger

log = get_logger()

SHUTDOWN_TIMEOUT_S = 1.0
"""How long orders in flight may take to finish when the executor ends."""

MAX_SEARCHES = 500
"""Orders of unknown status that are looked up at one time, after their callers were answered."""

REMEMBERED = "remembered"

Outcome = Placed | Declined | Unresolved


class Submission(Struct, frozen=True, kw_only=True):
    """One order that is to be sent."""

    record: OrderRecord
    principal: Principal
    route: RoutingDecision
    check: Callable[[], None]
    """Raises `Declined` if the order must not leave now. Called when it is accepted, and again at
    the last moment."""
    call: Callable[[Departure], Awaitable[OrderResponse]]
    """The one request that places it; its argument is called before bytes leave."""
    facts: Mapping[str, object]
    """Members of its journal entry."""
    reserve: Callable[[], RateReservation] | None = None
    """Takes its place in the caps per minute; None: they do not count it."""
    reduces_risk: bool = False
    """Then it leaves even if it cannot be written to the journal."""


class OrderExecutor:
    """Sends orders. Use as `async with`.

    `sync_journal` applies what other processes have written; called with the journal locked.
    `coordinator` records each order before it may leave; None: this is the only daemon.
    """

    def __init__(
        self,
        order_clients: Mapping[str, OrderClient],
        *,
        index: IdempotencyIndex,
        journal: Journal,
        sync_journal: Callable[[], None],
        clock: Callable[[], float],
        coordinator: Coordinator | None = None,
    ) -> None:
        self._order_clients = order_clients
        self._coordinator: Coordinator = coordinator or Alone()
        self._index = index
        self._journal = journal
        self._sync_journal = sync_journal
        self._clock = clock
        self._group: asyncio.TaskGroup | None = None
        self._submissions: set[asyncio.Task[Outcome]] = set()
        self._searches: set[asyncio.Task[None]] = set()
        self._recalled: dict[str, set[str]] = {}
        """account → client order ids that a former owner may have sent, and that are looked up"""
        self.outcomes: Counter[str] = Counter()
        """Orders by result since the start: `placed`, `refused`, `unknown`."""

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
        for search in self._searches:
            search.cancel()
        if self._submissions:
            await asyncio.wait(self._submissions, timeout=SHUTDOWN_TIMEOUT_S)
        for task in self._submissions:
            task.cancel()
        await group.__aexit__(None, None, None)

    async def submit(self, submission: Submission) -> Placed:
        """Send an order; if it was submitted before, join it or return what became of it.

        Awaits nothing before the order is in the index. Raises `Declined` or `Unresolved`.
        """
        record = submission.record
        if record.task is None and record.state != "placed":
            is_repeat = record.state == "unknown"
            if not is_repeat:
                record.state = "pending"
            self._index.add(record)
            record.task = self._spawn(submission, is_repeat=is_repeat)
            placed = await _wait_for(record.task)
            return structs.replace(placed, route=submission.route)
        return await self.get_result(record)

    async def find_earlier(self, record: OrderRecord) -> Placed | None:
        """Return what became of an order if it was submitted before, as far as it can be found;
        None if it is new.

        To be called before anything is read that the order itself may have changed: a position
        that it closed, an order that it replaced. Raises as `get_result` does.
        """
        if record.state == "placed" or record.task is not None:
            return await self.get_result(record)
        if record.state != "unknown":
            return None
        response = await self._order_clients[record.account].find(record.client_order_id)
        if response is None:
            return None
        self.record_found(record, response.order)
        return await self.get_result(record)

    async def get_result(self, record: OrderRecord) -> Placed:
        """Return what became of an order that was submitted before. Raises `Declined` or
        `Unresolved`."""
        if record.task is not None:
            return structs.replace(await _wait_for(record.task), how="replayed")
        order_client = self._order_clients[record.account]
        order = order_client.find_in_state(record.client_order_id)
        if order is None:
            response = await order_client.resolve(
                record.client_order_id, "this order was placed before"
            )
            order = response.order
        return Placed(
            account_id=record.account,
            client_order_id=record.client_order_id,
            order=order,
            how="replayed",
            route=RoutingDecision(account_id=record.account, strategy=REMEMBERED, among=1),
        )

    def record_found(self, record: OrderRecord, order: Order) -> None:
        """Record that an order of unknown status is at the broker."""
        if record.state == "placed":
            return
        self._mark_placed(record, order)
        facts = _get_names(record) | {"order_id": order.id, "status": order.status}
        log.info("order.found", **facts)
        self._order_clients[record.account].on_doubt(record.client_order_id, order.id)
        self._journal.note("order.found", facts)

    def has_recalled(self, account: str) -> bool:
        """Whether a former owner of the account may have sent orders whose status is unknown."""
        return bool(self._recalled.get(account))

    def recall(self, account: str, records: Sequence[OrderRecord]) -> None:
        """Look up orders that a former owner may have sent, for 20 minutes; never send them."""
        open_ids = self._recalled.setdefault(account, set())
        waiting = []
        for record in records:
            if record.task is None and record.client_order_id not in open_ids:
                self._index.add(record)
                open_ids.add(record.client_order_id)
                self._order_clients[account].on_doubt(record.client_order_id, None)
                waiting.append(record)
        if waiting and self._group is not None:
            log.warning("order.recalled", account=account, count=len(waiting))
            search = self._group.create_task(
                self._look_up_recalled(account, waiting), name=f"recall:{account}"
            )
            self._searches.add(search)
            search.add_done_callback(self._searches.discard)

    async def _look_up_recalled(self, account: str, records: Sequence[OrderRecord]) -> None:
        open_ids = self._recalled[account]
        waiting = list(records)
        try:
            for delay_s in (0.0, *SEARCH_DELAYS_S):
                await asyncio.sleep(delay_s)
                for record in waiting:
                    self._coordinator.check(account, reduces_risk=True)
                    response = await self._order_clients[account].find(record.client_order_id)
                    if response is not None:
                        self.record_found(record, response.order)
                        open_ids.discard(record.client_order_id)
                waiting = [record for record in waiting if record.state == "unknown"]
                if not waiting:
                    return
            for record in waiting:
                self._coordinator.settle(account, record.client_order_id, "not_found")
        except NotOwner:  # the next owner looks them up
            return
        finally:
            open_ids.difference_update(record.client_order_id for record in records)

    def _spawn(self, submission: Submission, *, is_repeat: bool) -> "asyncio.Task[Outcome]":
        if self._group is None:
            raise Declined("broker_unreachable", "the gateway is stopping", retry_after_s=2.0)
        record = submission.record
        name = f"order:{record.account}:{record.client_order_id}"
        task = self._group.create_task(self._run(submission, is_repeat=is_repeat), name=name)
        self._submissions.add(task)
        # Counted from here on, not from when it runs: the next order of a batch must see it.
        order_client = self._order_clients[record.account]
        order_client.in_flight += 1

        def finish(task: "asyncio.Task[Outcome]") -> None:
            order_client.in_flight -= 1
            self._submissions.discard(task)

        task.add_done_callback(finish)
        return task

    async def _run(self, submission: Submission, *, is_repeat: bool) -> Outcome:
        """Send an order and return its result as a value, whatever happens."""
        record, started_at = submission.record, self._clock()
        try:
            return await self._execute(submission, is_repeat=is_repeat)
        except Declined as error:
            self._note_refused(
                submission, error, is_repeat=is_repeat, took_s=self._clock() - started_at
            )
            return qualify_refusal(record, error) if is_repeat else error
        except Unresolved as error:
            self._note_unknown(record, error)
            return error
        except Exception:  # a bug: before the order left it is a refusal, afterwards it is not
            log.exception("order.failed", account=record.account)
            return self._to_outcome(submission, is_repeat=is_repeat)
        finally:
            record.task = None

    def _to_outcome(self, submission: Submission, *, is_repeat: bool) -> Declined | Unresolved:
        """Return the result of an order whose submission failed by a bug."""
        record = submission.record
        if record.state == "pending":
            error = Declined("order_failed", "the daemon failed before the order was sent")
            self._note_refused(submission, error, is_repeat=is_repeat, took_s=0.0)
            return error
        lost = Unresolved(
            "the daemon failed after the order was sent",
            account_id=record.account,
            client_order_id=record.client_order_id,
        )
        self._note_unknown(record, lost)
        return lost

    async def _execute(self, submission: Submission, *, is_repeat: bool) -> Placed:
        record = submission.record
        order_client = self._order_clients[record.account]
        if is_repeat and (response := await order_client.find(record.client_order_id)):
            self.record_found(record, response.order)
            return self._to_placed(
                submission, response, was_recovered=True, started_at=self._clock()
            )
        submission.check()
        reservation = None if submission.reserve is None else submission.reserve()
        started_at = self._clock()
        has_left = False

        def before_send() -> None:
            nonlocal has_left
            self._depart(submission, reservation)
            has_left = True

        async def record_intent() -> None:
            await self._coordinator.intend(_make_intent(submission))

        departure = Departure(before_send, record_intent)
        try:
            response, was_recovered = await order_client.send(
                record.client_order_id,
                lambda: submission.call(departure),
                has_left=lambda: has_left,
                is_ours=is_repeat or record.key is not None,
            )
        finally:
            if reservation is not None and not has_left:
                reservation.cancel()
        return self._to_placed(
            submission, response, was_recovered=was_recovered, started_at=started_at
        )

    def _depart(self, submission: Submission, reservation: RateReservation | None) -> None:
        """Check, write and let go: the last moment before bytes leave. Raises `Declined`.

        The journal is locked meanwhile, so a halt or a close of another process is either seen
        here, or written after this order.
        """
        record = submission.record
        try:
            with self._journal.locked():
                self._sync_journal()
                submission.check()
                if reservation is not None:
                    reservation.check(self._clock())
                self._journal.write("order.intended", self._get_intent(submission))
        except Declined as error:
            if error.code != "journal_unwritable" or not submission.reduces_risk:
                raise
            submission.check()
            self._journal.note("order.intended", self._get_intent(submission))
        self._coordinator.check(record.account, reduces_risk=submission.reduces_risk)
        record.state = "unknown"  # from here on it may exist
        record.sent_at = self._clock()
        if reservation is not None:
            reservation.confirm(record.sent_at)

    def _to_placed(
        self,
        submission: Submission,
        response: OrderResponse,
        *,
        was_recovered: bool,
        started_at: float,
    ) -> Placed:
        record, order = submission.record, response.order
        self._mark_placed(record, order)
        placed = Placed(
            account_id=record.account,
            client_order_id=record.client_order_id,
            order=order,
            how="recovered" if was_recovered else "confirmed",
            request_id=response.request_id,
            took_s=round(self._clock() - started_at, 4),
            route=submission.route,
            body=response.body,
        )
        facts = {
            **_get_names(record),
            "order_id": order.id,
            "request_id": response.request_id,
            "how": placed.how,
            "took_ms": round(placed.took_s * 1000, 1),
            "symbol": order.symbol,
            "side": order.side,
            "qty": order.qty,
            "notional": order.notional,
            "type": order.type,
            "status": order.status,
            "principal": submission.principal.user_id,
        }
        self.outcomes["placed"] += 1
        log.info("order.placed", **facts)
        self._journal.note("order.placed", facts)
        return placed

    def _mark_placed(self, record: OrderRecord, order: Order) -> None:
        record.state, record.order_id = "placed", order.id
        record.answered_at = record.answered_at or self._clock()
        self._coordinator.settle(record.account, record.client_order_id, "placed")

    def _get_intent(self, submission: Submission) -> dict[str, object]:
        record = submission.record
        return {
            **_get_names(record),
            "key": record.key,
            "fingerprint": record.fingerprint,
            "principal": submission.principal.user_id,
            "route": submission.route.reason,
            **submission.facts,
        }

    def _note_refused(
        self, submission: Submission, error: Declined, *, is_repeat: bool, took_s: float
    ) -> None:
        record, cause = submission.record, error.__cause__
        facts = {
            **_get_names(record),
            "code": error.code,
            "guard": error.guard,
            "message": error.message,
            "response": cause.message if isinstance(cause, RealtimeError) else None,
            "took_ms": round(took_s * 1000, 1) if error.reached_broker else None,
            "principal": submission.principal.user_id,
        }
        self.outcomes["refused"] += 1
        log.warning("order.refused", **{k: v for k, v in facts.items() if v is not None})
        # A refusal of a repeated order says nothing about the first: its status stays unknown.
        if is_repeat:
            record.state = "unknown"
        else:
            record.state = "refused"
            self._index.remove(record)
            self._coordinator.settle(record.account, record.client_order_id, "refused")
        event = "order.refused_again" if is_repeat else "order.refused"
        self._journal.note(event, facts)

    def _note_unknown(self, record: OrderRecord, error: Unresolved) -> None:
        record.state = "unknown"
        facts = {**_get_names(record), "message": error.message}
        self.outcomes["unknown"] += 1
        log.error("order.unknown", **facts)
        self._order_clients[record.account].on_doubt(record.client_order_id, None)
        self._journal.note("order.unknown", facts)
        if self._group is not None and len(self._searches) < MAX_SEARCHES:
            search = self._group.create_task(
                self._search(record), name=f"search:{record.account}:{record.client_order_id}"
            )
            self._searches.add(search)
            search.add_done_callback(self._searches.discard)

    async def _search(self, record: OrderRecord) -> None:
        response = await self._order_clients[record.account].search(record.client_order_id)
        if record.state != "unknown":
            return
        if response is not None:
            self.record_found(record, response.order)
        else:
            self._coordinator.settle(record.account, record.client_order_id, "not_found")


def qualify_refusal(record: OrderRecord, error: Declined) -> Declined | Unresolved:
    """Return a refusal as it is; as unknown status if the order may have been sent before."""
    if record.state != "unknown":
        return error
    return Unresolved(
        f"it was sent before, and its status is unknown; now: {error.message}",
        account_id=record.account,
        client_order_id=record.client_order_id,
    )


async def _wait_for(task: "asyncio.Task[Outcome]") -> Placed:
    """Wait for an order; a caller that stops waiting does not stop the order."""
    outcome = await asyncio.shield(task)
    if isinstance(outcome, Placed):
        return outcome
    raise outcome


def _make_intent(submission: Submission) -> Intent:
    record, facts = submission.record, submission.facts
    body = facts.get("body")
    notional = body.get("notional") if isinstance(body, Mapping) else None
    return Intent(
        account=record.account,
        client_order_id=record.client_order_id,
        fingerprint=record.fingerprint,
        key=record.key,
        principal=submission.principal.user_id,
        symbol=_text(facts.get("symbol")),
        side=_text(facts.get("side")),
        qty=_text(facts.get("qty")),
        notional=_text(notional),
        reduces_risk=submission.reduces_risk,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _get_names(record: OrderRecord) -> dict[str, object]:
    return {"account": record.account, "client_order_id": record.client_order_id}
