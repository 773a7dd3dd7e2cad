"""The one way to move money: route, check, write to the journal, send once, report what is known.

    place ─▶ submitted before? ─▶ route ─▶ checks ─▶ rate limit ─▶ the last moment ─▶ broker
                │                                                   checks again, journal
                └── the same order again: join it, or look it up

A closing order also reserves what it sells (`close_reservations.py`).
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Self

from msgspec import structs

from realtime.auth.principal import Principal
from realtime.cluster.alone import Alone
from realtime.cluster.coordinator import Coordinator, Intent
from realtime.core.decimals import plain
from realtime.core.model import Order, position_symbol
from realtime.errors import NotOwner, RealtimeError
from realtime.orders import validation
from realtime.orders.cancellation import CancelExecutor
from realtime.orders.close_reservations import CloseReservations, Reservation
from realtime.orders.close_tracker import CloseTracker
from realtime.orders.derived_orders import build_replacement
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.orders.executor import REMEMBERED, OrderExecutor, Submission, qualify_refusal
from realtime.orders.idempotency import (
    IdempotencyIndex,
    OrderRecord,
    make_fingerprint,
    scope_key,
)
from realtime.orders.journal import Journal
from realtime.orders.journal_sync import JournalSync
from realtime.orders.kill_switch import KillSwitch
from realtime.orders.order_client import OrderClient, to_declined, to_read_refusal
from realtime.orders.order_lookup import OrderLookup
from realtime.orders.order_parts import OrderPart, split_order
from realtime.orders.order_request import (
    OrderChanges,
    OrderRequest,
    Placement,
    build_body,
    normalize_symbols,
)
from realtime.orders.results import CanceledOrder, Origin, Placed
from realtime.orders.risk import RateReservation, RiskChecks
from realtime.orders.routing import Candidate, GetCandidates, Router, RoutingDecision
from realtime.orders.symbols import is_order_id
from realtime.telemetry.log import get_logger

log = get_logger()

BATCH_CHUNK = 20
"""Orders of a batch that are started before other tasks run: each takes up to a millisecond."""


class Gateway:
    """All accounts. Use as `async with`.

    `clock` returns epoch seconds and never steps, `wall_clock` those of the machine;
    `get_generation` the generation of the rules for tokens: a token that was verified under an
    older one may have been revoked. `coordinator`: None where this is the only daemon.
    """

    def __init__(
        self,
        order_clients: Mapping[str, OrderClient],
        *,
        risk_checks: RiskChecks,
        journal: Journal,
        get_candidates: GetCandidates,
        clock: Callable[[], float],
        rng: random.Random,
        wall_clock: Callable[[], float] | None = None,
        get_generation: Callable[[], int] = lambda: 0,
        coordinator: Coordinator | None = None,
    ) -> None:
        self.order_clients = order_clients
        self.risk_checks = risk_checks
        self.journal = journal
        self.kill_switch = KillSwitch(journal, wall_clock or clock)
        self.index = IdempotencyIndex(rng)
        self.router = Router(order_clients, risk_checks, get_candidates, rng)
        self._clock = clock
        self._wall_clock = wall_clock or clock
        self._get_generation = get_generation
        self._cancels = CancelExecutor(order_clients, risk_checks, journal)
        self._close_tracker = CloseTracker(clock)
        self._journal_sync = JournalSync(
            journal,
            index=self.index,
            kill_switch=self.kill_switch,
            close_tracker=self._close_tracker,
            risk_checks=risk_checks,
            clock=clock,
            wall_clock=self._wall_clock,
        )
        self._coordinator: Coordinator = coordinator or Alone()
        self.executor = OrderExecutor(
            order_clients,
            index=self.index,
            journal=journal,
            sync_journal=self._journal_sync.sync,
            clock=clock,
            coordinator=self._coordinator,
        )
        self._closes = CloseReservations(self._close_tracker, clock, self.executor.record_found)
        self._lookup = OrderLookup(
            order_clients, index=self.index, executor=self.executor, clock=clock
        )
        self._poll: asyncio.Task[None] | None = None
        try:
            self._journal_sync.load()
        except BaseException:
            journal.close()
            raise

    async def __aenter__(self) -> Self:
        await self.executor.__aenter__()
        self._poll = asyncio.create_task(self._journal_sync.run(), name="journal")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._poll is not None:
            self._poll.cancel()
            await asyncio.wait([self._poll])
        await self.executor.__aexit__(kind, error, trace)
        self.journal.close()

    @property
    def liquidating(self) -> set[str]:
        """Accounts that are being closed: nothing new may come in between."""
        return self._journal_sync.liquidating

    def get_order_client(self, label: str, principal: Principal) -> OrderClient:
        """Return the order client of an account that a principal may see. Raises `Declined`."""
        order_client = self.order_clients.get(label)
        if order_client is None or not principal.can_see(label):
            raise Declined("unknown_account", f"no account '{label[:64]}'")
        return order_client

    def find_refusal(self, label: str, principal: Principal) -> Declined | None:
        """Return why a principal may not trade an account at all, or None."""
        try:
            self.risk_checks.check_may_trade(label, principal)
        except Declined as error:
            return error
        return None

    def get_candidates(self) -> list[Candidate]:
        """Return all accounts as routing sees them."""
        return self.router.get_candidates()

    def get_origin(self, label: str, order: Order) -> Origin:
        """Return whose order it is, as far as is known."""
        if order.client_order_id and self.index.get_by_id(label, order.client_order_id):
            return "ours"
        return "other" if self.index.is_complete and self.journal.path else "unknown"

    async def place(
        self, request: Placement, principal: Principal, *, key: str | None = None
    ) -> Placed:
        """Place an order. Raises `Declined` for a definite refusal, `Unresolved` if the status is
        unknown.

        The same `key`, or the same account and `client_order_id`, never results in a second order.
        """
        return await self._place(request, principal, scope_key(key, principal))

    async def place_all(
        self,
        requests: Sequence[Placement | Declined],
        principal: Principal,
        *,
        key: str | None = None,
    ) -> list[Placed | Declined | Unresolved]:
        """Place many orders, all accounts in parallel; return a result for each, in their order.

        Whatever happens to one order, every other one has its result. Raises `Declined` only for
        a key that is none, before anything is sent.
        """
        scope_key(key, principal)

        async def place(
            index: int, request: Placement | Declined
        ) -> Placed | Declined | Unresolved:
            if isinstance(request, Declined):
                return request
            try:
                return await self._place(request, principal, scope_key(key, principal, index=index))
            except (Declined, Unresolved) as error:
                return error
            except Exception:  # a bug; the executor reports what fails after an order was accepted
                log.exception("order.failed", account=request.account_id)
                return Declined("order_failed", "the daemon failed before the order was sent")

        tasks = []
        async with asyncio.TaskGroup() as group:
            for index, request in enumerate(requests):
                tasks.append(group.create_task(place(index, request), name=f"batch:{index}"))
                if index % BATCH_CHUNK == BATCH_CHUNK - 1:
                    await asyncio.sleep(0)
        return [task.result() for task in tasks]

    async def replace(
        self,
        label: str,
        order_id: str,
        changes: OrderChanges,
        principal: Principal,
        *,
        key: str | None = None,
    ) -> Placed:
        """Replace an order; return its successor. Raises as `place` does."""
        validation.check_changes(changes)
        order_client = self.get_order_client(label, principal)
        _check_order_id(order_id)
        key = scope_key(key, principal)
        fingerprint = make_fingerprint("replace", order_id, build_body(changes))
        record = self.index.identify(label, changes.client_order_id, key, fingerprint)
        if placed := await self.executor.find_earlier(record):
            return placed
        self.risk_checks.check_may_trade(label, principal)
        try:
            order = await self._read_order(order_client, order_id)
            request = build_replacement(order, changes)
            self._check_replaced_close(label, order, request)
        except Declined as error:
            raise qualify_refusal(record, error) from error
        record = self.index.identify(label, changes.client_order_id, key, fingerprint)
        body = build_body(structs.replace(changes, client_order_id=record.client_order_id))
        self._count_reduction(record, request)
        return await self.executor.submit(
            Submission(
                record=record,
                principal=principal,
                route=RoutingDecision(account_id=label, strategy="exact", among=1),
                check=self._make_check(label, request, principal),
                reserve=partial(self._reserve, label, principal),
                call=lambda departure: order_client.api.replace(order_id, body, departure),
                facts={"replaces": order_id, "body": body, **_get_size_facts(request)},
            )
        )

    async def cancel(self, label: str, order_id: str, principal: Principal) -> None:
        """Cancel an order. Raises `Declined`, or `Unresolved` if the status is unknown."""
        self.get_order_client(label, principal)
        _check_order_id(order_id)
        await self._cancels.cancel(label, order_id, principal)

    async def cancel_all(self, labels: Sequence[str], principal: Principal) -> list[CanceledOrder]:
        """Cancel every open order of these accounts in parallel; a failure stays in its account."""
        for label in labels:
            self.get_order_client(label, principal)
        return await self._cancels.cancel_all(labels, principal)

    async def close_position(
        self,
        label: str,
        symbol: str,
        principal: Principal,
        *,
        qty: Decimal | None = None,
        percentage: Decimal | None = None,
        key: str | None = None,
        client_order_id: str | None = None,
        allows_less: bool = False,
    ) -> Placed:
        """Close a position, or part of it, by an order of ours: so it too is never sent twice.

        The quantity comes from the broker; at most what earlier closes leave is sold.
        `allows_less`: close what is certainly left, where all of it is not known. The kill switch
        does not stop it. Raises as `place` does.
        """
        order_client = self.get_order_client(label, principal)
        self.risk_checks.check_may_trade(label, principal)
        key = scope_key(key, principal)
        fingerprint = make_fingerprint("close", label, symbol, str(qty), str(percentage))
        record = self.index.identify(label, client_order_id, key, fingerprint)
        if placed := await self.executor.find_earlier(record):
            return placed
        try:
            held = await self._closes.read_position(order_client, symbol)
            # The same call may have come again meanwhile: then it is joined.
            record = self.index.identify(label, client_order_id, key, fingerprint)
            if record.task is not None or record.state == "placed":
                return await self.executor.get_result(record)
            request, reservation = self._closes.build_close(
                order_client, record, held, qty=qty, percentage=percentage, allows_less=allows_less
            )
        except Declined as error:
            raise qualify_refusal(record, error) from error
        check = partial(self._check_close, label, principal)
        return await self._submit_close(record, principal, (reservation,), request, check)

    async def find(self, label: str, client_order_id: str, principal: Principal) -> Order | None:
        """Return the order of this id, from the state or from the broker; None if there is none.

        Raises `Declined` if it cannot be looked up, `Unresolved` if the order was sent and is
        not found.
        """
        self.get_order_client(label, principal)
        return await self._lookup.find(label, client_order_id)

    def recall(self, account: str, intents: Sequence[Intent]) -> None:
        """Take over what a former owner of an account may have sent: it is looked up, counted in
        caps and closes as if it had been placed, and never sent from here."""
        now = self._clock()
        records = []
        for intent in intents:
            record = self.index.get_by_id(account, intent.client_order_id) or OrderRecord(
                account=account,
                client_order_id=intent.client_order_id,
                fingerprint=intent.fingerprint,
                key=intent.key,
                sent_at=now,
            )
            records.append(record)
            if not intent.reduces_risk:
                self.risk_checks.count(account, intent.principal, at=now)
            if intent.symbol is not None and intent.side in ("buy", "sell"):
                part = OrderPart(
                    symbol=position_symbol(intent.symbol),
                    side="sell" if intent.side == "sell" else "buy",
                    qty=None if intent.qty is None else Decimal(intent.qty),
                    is_close=intent.reduces_risk,
                )
                self._close_tracker.add(record, part, is_close=part.is_close)
        self.executor.recall(account, records)

    def is_owned(self, label: str) -> bool:
        """Whether this daemon trades the account, and no other one does."""
        if label not in self.order_clients:
            return False
        try:
            self._coordinator.check(label)
        except NotOwner:
            return False
        return True

    def _check_owner(self, label: str, principal: Principal) -> None:
        """Raise `Declined` if another daemon owns an account that the principal may see."""
        if label in self.order_clients and principal.can_see(label):
            try:
                self._coordinator.check(label)
            except NotOwner as error:
                raise to_declined(error, label) from error

    def check_token(self, principal: Principal) -> None:
        """Raise `Declined` if the caller's token has expired, or may have been revoked."""
        if principal.expires_at is not None and principal.expires_at <= self._wall_clock():
            raise Declined(
                "token_expired", "the token expired before the order was sent", guard="token"
            )
        if principal.token_id is not None and principal.generation != self._get_generation():
            raise Declined(
                "token_invalid",
                "the rules for tokens changed before the order was sent",
                remedy="send it again",
                guard="token",
            )

    async def _place(self, request: Placement, principal: Principal, key: str | None) -> Placed:
        request = normalize_symbols(request)
        asset_class = self.risk_checks.asset_class_of(request.symbol or "")
        validation.check(request, asset_class)
        fingerprint = make_fingerprint(
            build_body(request),
            request.account_id,
            request.routing_key,
            request.tier,
            request.labels,
        )
        if request.account_id is not None:
            self._check_owner(request.account_id, principal)
        known = self.index.get_by_key(key)
        route = (
            self.router.route(request, principal)
            if known is None
            else RoutingDecision(account_id=known.account, strategy=REMEMBERED, among=1)
        )
        label = route.account_id
        try:
            return await self._place_at(label, request, principal, key, fingerprint, route)
        except Declined as error:
            error.account_id = label
            raise

    async def _place_at(
        self,
        label: str,
        request: Placement,
        principal: Principal,
        key: str | None,
        fingerprint: str,
        route: RoutingDecision,
    ) -> Placed:
        order_client = self.get_order_client(label, principal)
        record = self.index.identify(label, request.client_order_id, key, fingerprint)
        if any(part.is_close for part in split_order(request)):
            return await self._place_close(record, principal, request, route)
        body = build_body(structs.replace(request, client_order_id=record.client_order_id))
        self._count_reduction(record, request)
        return await self.executor.submit(
            Submission(
                record=record,
                principal=principal,
                route=route,
                check=self._make_check(label, request, principal),
                reserve=partial(self._reserve, label, principal),
                call=lambda departure: order_client.api.submit(body, departure),
                facts={"body": body, **_get_size_facts(request)},
            )
        )

    async def _place_close(
        self,
        record: OrderRecord,
        principal: Principal,
        request: Placement,
        route: RoutingDecision,
    ) -> Placed:
        """Place an order that its caller marked as closing, or a leg of it: it never turns the
        position."""
        label = record.account
        if placed := await self.executor.find_earlier(record):
            return placed
        order_client = self.get_order_client(label, principal)
        check_new = self._make_check(label, request, principal)
        parts = [part for part in split_order(request) if part.is_close]
        try:
            check_new()
            positions = await self._closes.read_positions(
                order_client, [part.symbol for part in parts]
            )
            record = self.index.identify(
                label, record.client_order_id, record.key, record.fingerprint
            )
            if record.task is not None or record.state == "placed":
                return await self.executor.get_result(record)
            reservations = [
                self._closes.check_close(order_client, record, held, part)
                for held, part in zip(positions, parts, strict=True)
            ]
        except Declined as error:
            raise qualify_refusal(record, error) from error
        return await self._submit_close(
            record, principal, reservations, request, check_new, route=route
        )

    async def _submit_close(
        self,
        record: OrderRecord,
        principal: Principal,
        reservations: Sequence[Reservation],
        request: OrderRequest,
        check: Callable[[], None],
        route: RoutingDecision | None = None,
    ) -> Placed:
        """Reserve and send a close; `route` None: one of our own, which the caps do not count."""
        label = record.account
        order_client = self.order_clients[label]
        symbols = [reservation.held.position.symbol for reservation in reservations]
        for reservation in reservations:
            self._closes.reserve(record, reservation)
        self._count_reduction(record, request)
        body = build_body(structs.replace(request, client_order_id=record.client_order_id))

        def check_close() -> None:
            check()
            for symbol in symbols:
                self._closes.check(record, symbol)

        return await self.executor.submit(
            Submission(
                record=record,
                principal=principal,
                route=route or RoutingDecision(account_id=label, strategy="exact", among=1),
                check=check_close,
                reserve=None if route is None else partial(self._reserve, label, principal),
                call=lambda departure: order_client.api.submit(body, departure),
                facts={
                    "closes": None if request.legs else symbols[0],
                    "body": body,
                    **_get_size_facts(request),
                },
                reduces_risk=route is None,
            )
        )

    def _make_check(
        self, label: str, request: OrderRequest, principal: Principal
    ) -> Callable[[], None]:
        """Return the check of a new order: everything that may change while it waits."""
        generation = self._cancels.generations[label]

        def check() -> None:
            self.check_token(principal)
            self.risk_checks.check_may_trade(label, principal)
            self.kill_switch.check(label)
            if label in self.liquidating:
                raise Declined(
                    "account_closing",
                    f"account {label} is being closed: nothing new may come in between",
                    remedy="wait until it is flat, or DELETE /orders/closing",
                    guard="closing",
                )
            self.router.check_restriction(label)
            if self._cancels.generations[label] != generation:
                raise Declined(
                    "canceled_before_sent",
                    f"all orders of {label} were canceled while this one waited",
                    remedy="send it again if it is still wanted",
                    guard="cancel_all",
                )
            self.risk_checks.check(label, request, principal)

        return check

    def _check_close(self, label: str, principal: Principal) -> None:
        self.check_token(principal)
        self.risk_checks.check_may_trade(label, principal)

    def _reserve(self, label: str, principal: Principal) -> RateReservation:
        return self.risk_checks.reserve(label, principal, now=self._clock())

    def _count_reduction(self, record: OrderRecord, request: OrderRequest) -> None:
        """Count an order that may reduce a position, for closes that come while it is in flight."""
        if record.task is None and record.state != "placed":
            for part in split_order(request):
                self._close_tracker.add(record, part, is_close=False)

    def _check_replaced_close(self, label: str, order: Order, request: OrderRequest) -> None:
        """Raise `Declined` if a closing order would become larger: its position may be smaller."""
        is_close = any(
            (part.position_intent or "").endswith("_to_close")
            or self._close_tracker.is_closing(
                label, position_symbol(part.symbol or ""), order.client_order_id
            )
            for part in (order, *(order.legs or ()))
        )
        if is_close and request.qty is not None and request.qty > Decimal(order.qty or 0):
            raise malformed(
                "a closing order cannot be made larger; close the rest by another order",
                field="qty",
            )

    async def _read_order(self, order_client: OrderClient, order_id: str) -> Order:
        try:
            response = await order_client.api.find_by_id(order_id)
        except RealtimeError as error:
            raise to_read_refusal(error) from error
        if response is None:
            raise _unknown_order(order_id, reached_broker=True)
        return response.order


def _get_size_facts(request: OrderRequest) -> dict[str, object]:
    """Return what the journal needs to count an order after a restart, or in another process."""
    facts: dict[str, object] = {
        "symbol": request.symbol,
        "side": request.side,
        "qty": None if request.qty is None else plain(request.qty),
    }
    if request.legs:
        facts["legs"] = [
            {
                "symbol": part.symbol,
                "side": part.side,
                "qty": None if part.qty is None else plain(part.qty),
                "ratio": plain(part.ratio),
                "is_close": part.is_close,
            }
            for part in split_order(request)
        ]
    return facts


def _check_order_id(order_id: str) -> None:
    """Raise `Declined` for a text that is no order id: it never becomes a path at the broker."""
    if not is_order_id(order_id):
        raise _unknown_order(order_id, reached_broker=False)


def _unknown_order(order_id: str, *, reached_broker: bool) -> Declined:
    message = f"order not found for {order_id[:64]}"
    return Declined(
        "broker_knows_not",
        message,
        alpaca={"code": 40410000, "message": message},
        reached_broker=reached_broker,
    )
