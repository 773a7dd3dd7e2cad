"""The accounts that this daemon owns: claimed, followed, handed over, released.

One task compares what the coordinator reports with what this daemon follows, after every change and
twice a second, and takes the steps between them. The engine decides; what this task does late or
twice does no harm. An account becomes owned in this order:

    claimed, or received ─▶ orders stopped ─▶ open intents recalled ─▶ orders allowed, connected

and leaves in this one:

    orders stopped ─▶ those in flight answered ─▶ handed over in the engine ─▶ stream closed
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from realtime.cluster.claims import (
    MOVES_AT_ONCE,
    Ownerless,
    Situation,
    choose_claims,
    choose_moves,
    choose_taker,
    find_deputy,
    find_ownerless,
)
from realtime.cluster.etcd_coordinator import EtcdCoordinator
from realtime.errors import EngineUnreachable, EtcdRefusal, NotOwner, NotSent, RealtimeError
from realtime.orders.trading_service import TradingService
from realtime.runtime.account_registry import NO_OWNER, AccountRegistry
from realtime.runtime.halt_sync import HaltSync
from realtime.telemetry.log import get_logger

log = get_logger()

TICK_S = 0.5
"""How often is looked without a change."""

MOVES_INTERVAL_S = 5.0
"""How often is looked for accounts that belong to another member."""

IN_FLIGHT_TIMEOUT_S = 2.0
"""How long a hand-over waits for orders in flight. One that takes longer is recorded in the engine:
the next owner looks it up."""

IN_FLIGHT_INTERVAL_S = 0.01

CUT_OFF_S = 30.0
"""How long streams are kept without the engine: longer, and another daemon may wait for them."""

SLOT_S = 110.0
"""How long the broker may count a connection that was never closed: 90 s by reports of clients."""

CLAIMS_AT_ONCE = 50

DEPUTY_READ_INTERVAL_S = 10.0
"""Between reads of an account whose owner is suspected, five requests each."""

DEPUTY_READS_AT_ONCE = 32

STARTING_BUDGET = 50
"""A quarter of the requests of a minute, after a take-over: what the former owner has spent in it
is not known."""


class Peers(Struct, frozen=True, kw_only=True):
    """What this daemon knows of the others without the engine."""

    suspected: Callable[[], Iterable[str]] = tuple
    """Names of members that do not answer here."""
    may_reach_engine: Callable[[], bool] = lambda: True
    """Whether some peer may reach the engine, as far as is known here: False only if every peer
    reports that it cannot."""
    handle_owned: Callable[[str, int], None] = lambda account, epoch: None
    """Called with account and epoch before an account is connected here."""
    handle_handed: Callable[[str, str, int], None] = lambda account, owner, epoch: None
    """Called with account, next owner and epoch after the last change of an account here."""


class Ownership:
    """One for the daemon. Run `run` while the coordinator is joined."""

    def __init__(
        self,
        coordinator: EtcdCoordinator,
        registry: AccountRegistry,
        trading: TradingService,
        *,
        name: str,
        peers: Peers,
    ) -> None:
        self._coordinator = coordinator
        self._registry = registry
        self._trading = trading
        self._name = name
        self._peers = peers
        self._halts = HaltSync(coordinator, trading.kill_switch)
        self._ready: set[str] = set()
        """Owned accounts whose open intents were recalled."""
        self._ownerless: dict[str, Ownerless] = {}
        self._taken_from: dict[str, str] = {}
        """account → the member from which it was taken over, until it is connected"""
        self._members: frozenset[str] = frozenset()
        self._members_since = 0.0
        self._joined_at: float | None = None
        self._moves_at = 0.0
        self._deputy_reads: dict[str, float] = {}
        """account → loop time of the last read as its deputy"""
        self._changed = asyncio.Event()
        self.is_draining = False
        self.is_cut_off = False
        """The engine was not reached for so long that the streams were released."""
        self.taken_over = 0
        self.handed_over = 0
        self.moving = 0
        """Accounts that still belong to another member."""

    @property
    def has_owners(self) -> bool:
        """Whether every account has an owner."""
        owners = self._coordinator.owners
        return all(label in owners for label in self._registry.enabled)

    @property
    def owned(self) -> list[str]:
        """The accounts that this daemon owns."""
        return [label for label in self._registry.enabled if self._coordinator.owns(label)]

    @property
    def enabled(self) -> list[str]:
        """The accounts of this daemon's configuration that may be connected."""
        return self._registry.enabled

    def go_alone(self, principal: str) -> None:
        """Own every account without the engine, until it answers again. Only a person can know that
        no other daemon runs.

        Raises `NotSent` if the engine answers: then it decides.
        """
        if self._coordinator.lease.holds():
            raise NotSent("the engine answers: it decides which daemon owns which account")
        self._coordinator.go_alone()
        facts = {"principal": principal, "message": "without the engine"}
        self._trading.gateway.journal.note("cluster.alone", facts)
        log.error("member.alone", principal=principal, accounts=len(self.enabled))
        self._changed.set()

    async def drain(self, principal: str = "") -> None:
        """Hand over all accounts, some at a time, and claim none until the daemon ends.

        Raises `EngineUnreachable`.
        """
        self.is_draining = True
        self._moves_at = 0.0
        await self._coordinator.update_member(is_draining=True)
        log.warning("member.draining", accounts=len(self.owned), principal=principal)
        self._changed.set()

    async def run(self) -> None:
        """Follow what the coordinator reports, until cancelled."""
        unsubscribe = self._coordinator.subscribe(self._handle_change)
        self._handle_change()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._halts.run(), name="halts")
                tasks.create_task(self._run_deputy(), name="deputy")
                while True:
                    self._changed.clear()
                    await self._update()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(TICK_S):
                            await self._changed.wait()
        finally:
            unsubscribe()

    def _handle_change(self) -> None:
        """Called with every change, before anything else can happen: an account that has just
        become ours has no new order before its open intents are known."""
        for label in self._registry.enabled:
            if self._coordinator.owns(label):
                if label not in self._ready:
                    self._coordinator.stop_orders(label, "it is being taken over; try again")
            else:
                self._ready.discard(label)
        self._changed.set()

    async def _update(self) -> None:
        now = asyncio.get_running_loop().time()
        self._note_members(now)
        try:
            await self._keep_after_lost_lease()
            await self._release_lost()
            await self._follow_owned()
            await self._claim(now)
            await self._move(now)
            await self._sync_closings()
        except (EngineUnreachable, EtcdRefusal) as error:
            log.debug("engine.step_failed", reason=error.message)

    def _note_members(self, now: float) -> None:
        members = frozenset(self._coordinator.members)
        if members != self._members:
            for name in sorted(members - self._members - {self._name}):
                log.info("member.seen", member=name)
            for name in sorted(self._members - members - {self._name}):
                log.warning("member.gone", member=name)
            self._members, self._members_since = members, now
        if self._name not in members:
            self._joined_at = None
        elif self._joined_at is None:
            self._joined_at = now

    async def _keep_after_lost_lease(self) -> None:
        """Claim again what was followed under a lease that has ended, before anything is closed:
        if no other daemon was first, the stream goes on."""
        coordinator = self._coordinator
        if not coordinator.lease.holds():
            return
        labels = [
            label
            for label in self._registry.enabled
            if self._registry.is_followed(label)
            and not coordinator.owns(label)
            and (assignment := coordinator.assignments.get(label)) is not None
            and assignment.owner == self._name
        ]
        await self._claim_all(labels, "kept after the lease had ended")

    async def _release_lost(self) -> None:
        """Close the streams of accounts that other daemons own, or may want."""
        coordinator = self._coordinator
        lease = coordinator.lease
        unrenewed_s = -lease.remaining_s
        followed = [x for x in self._registry.enabled if self._registry.is_followed(x)]
        if lease.holds() or coordinator.is_alone:
            self.is_cut_off = False
            lost = [label for label in followed if not coordinator.owns(label)]
        elif unrenewed_s > CUT_OFF_S and self._peers.may_reach_engine():
            lost = followed
            if not self.is_cut_off:
                log.error("member.cut_off", seconds=round(unrenewed_s, 1), accounts=len(lost))
            self.is_cut_off = True
        else:
            # Another owner may be reported although this daemon cannot renew its lease.
            lost = [label for label in followed if self._is_owned_elsewhere(label)]
        if lost:
            await asyncio.gather(*(self._release(label) for label in lost))

    def _is_owned_elsewhere(self, label: str) -> bool:
        assignment = self._coordinator.assignments.get(label)
        return assignment is not None and assignment.owner not in (None, self._name)

    async def _release(self, label: str) -> None:
        assignment = self._coordinator.assignments.get(label)
        owner = None if assignment is None else assignment.owner
        elsewhere = owner is not None and owner != self._name
        reason = f"{owner} owns it" if elsewhere else "no contact with the engine"
        await self._registry.release(label, reason=reason, owner=owner if elsewhere else None)
        self._trading.liquidations.leave(label)
        self._ready.discard(label)
        log.warning("account.released", account=label, owner=owner if elsewhere else None)
        if assignment is not None:
            name = str(owner) if elsewhere else NO_OWNER
            self._peers.handle_handed(label, name, assignment.epoch)

    async def _follow_owned(self) -> None:
        """Recall what may be open of newly owned accounts, then connect them."""
        if not self._coordinator.lease.holds() and not self._coordinator.is_alone:
            return
        labels = [
            label
            for label in self.owned
            if label not in self._ready or not self._registry.is_followed(label)
        ]
        for start in range(0, len(labels), CLAIMS_AT_ONCE):
            await asyncio.gather(*map(self._follow, labels[start : start + CLAIMS_AT_ONCE]))

    async def _follow(self, label: str) -> None:
        coordinator = self._coordinator
        if label not in self._ready:
            intents = [] if coordinator.is_alone else await coordinator.recall(label)
            if not coordinator.owns(label):
                return
            if intents:
                self._trading.gateway.recall(label, intents)
            closing = coordinator.get_closing(label)
            if closing is not None:
                self._trading.liquidations.resume_for(label, closing)
            else:
                self._trading.liquidations.leave(label)
            self._ready.add(label)
            coordinator.allow_orders(label)
        if not self._registry.is_followed(label):
            former = self._taken_from.pop(label, None)
            now = asyncio.get_running_loop().time()
            until = now if former is None else now + SLOT_S
            assignment = coordinator.assignments.get(label)
            epoch = 0 if assignment is None else assignment.epoch
            self._peers.handle_owned(label, epoch)
            self._registry.follow(label, taken_slot_until=until)
            if former is not None:
                self._registry.set_budget(label, STARTING_BUDGET)
            log.info("account.owned", account=label, former=former)

    # claims and hand-overs

    def _get_situation(self, now: float) -> Situation | None:
        if self._joined_at is None:
            return None
        return Situation(
            name=self._name,
            members=self._coordinator.members,
            assignments=self._coordinator.assignments,
            owners=self._coordinator.owners,
            accounts=self._registry.enabled,
            joined_at=self._joined_at,
            members_since=self._members_since,
            now=now,
        )

    async def _claim(self, now: float) -> None:
        situation = self._get_situation(now)
        if situation is None or not self._coordinator.lease.holds():
            return
        self._ownerless = find_ownerless(situation, self._ownerless)
        labels = choose_claims(situation, self._ownerless)
        await self._claim_all(labels, "claimed")

    async def _claim_all(self, labels: Sequence[str], reason: str) -> None:
        for start in range(0, len(labels), CLAIMS_AT_ONCE):
            part = labels[start : start + CLAIMS_AT_ONCE]
            await asyncio.gather(*(self._claim_one(label, reason) for label in part))

    async def _claim_one(self, label: str, reason: str) -> None:
        state = self._ownerless.get(label)
        former = None if state is None else state.former
        if former not in (None, self._name):
            reason = f"taken over from {former}"
        assignment = await self._coordinator.claim(label, reason=reason)
        if assignment is not None and former not in (None, self._name):
            self._taken_from[label] = str(former)
            self.taken_over += 1
            log.warning("account.taken_over", account=label, former=former)

    async def _move(self, now: float) -> None:
        """Hand over what belongs to other members."""
        if now < self._moves_at or not self._coordinator.lease.holds():
            return
        situation = self._get_situation(now)
        if situation is None:
            return
        owned = self.owned
        moves: Mapping[str, str]
        if self.is_draining:
            self._moves_at = now
            takers = {x: choose_taker(x, self._name, situation.members) for x in owned}
            moves = {label: taker for label, taker in takers.items() if taker is not None}
            moves = dict(list(moves.items())[:MOVES_AT_ONCE])
        else:
            self._moves_at = now + MOVES_INTERVAL_S
            moves = choose_moves(situation, owned)
        for label in [x for x in self._coordinator.owned_accounts if x not in self._registry]:
            with suppress(NotOwner):  # it was removed from the configuration here
                await self._coordinator.hand_over(label, None, reason="not configured here")
        self.moving = len(moves)
        if moves:
            reason = "drained" if self.is_draining else "rebalanced"
            await asyncio.gather(*(self._hand_over(x, to, reason) for x, to in moves.items()))
            self._changed.set()

    async def _hand_over(self, label: str, to: str, reason: str) -> None:
        """Hand one account over. A liquidation goes with it: the next owner continues it."""
        coordinator = self._coordinator
        coordinator.stop_orders(label, f"it is being handed over to {to}; try again")
        try:
            await self._wait_for_in_flight(label)
            assignment = await coordinator.hand_over(label, to, reason=f"{reason} by {self._name}")
        except (NotOwner, EngineUnreachable, EtcdRefusal) as error:
            log.warning("account.hand_over_failed", account=label, to=to, reason=error.message)
            if label in self._ready:
                coordinator.allow_orders(label)
            return
        await self._registry.release(label, reason=f"handed over to {to}", owner=to)
        self._trading.liquidations.leave(label)
        self._ready.discard(label)
        self.handed_over += 1
        log.info("account.handed_over", account=label, to=to)
        self._peers.handle_handed(label, to, assignment.epoch)

    async def _wait_for_in_flight(self, label: str) -> None:
        clients = self._trading.trading_accounts.order_clients
        with suppress(TimeoutError):
            async with asyncio.timeout(IN_FLIGHT_TIMEOUT_S):
                while clients[label].in_flight:  # noqa: ASYNC110 - a count has no event
                    await asyncio.sleep(IN_FLIGHT_INTERVAL_S)

    async def _sync_closings(self) -> None:
        """Record which owned accounts are being closed: a later owner continues that."""
        coordinator = self._coordinator
        if coordinator.is_alone:
            return
        for label in self.owned:
            if label not in self._ready:
                continue
            is_closing = label in self._trading.gateway.liquidating
            if is_closing != (coordinator.get_closing(label) is not None):
                user_id = self._trading.liquidations.get_user(label) if is_closing else None
                await coordinator.set_closing(label, user_id)

    # deputy

    async def _run_deputy(self) -> None:
        """Read the accounts of suspected owners by REST, until they are owned again.

        Reading needs no lease: two daemons that both read an account only cost requests.
        """
        while True:
            await asyncio.sleep(TICK_S)
            labels = self._find_suspected_accounts()
            for start in range(0, len(labels), DEPUTY_READS_AT_ONCE):
                part = labels[start : start + DEPUTY_READS_AT_ONCE]
                await asyncio.gather(*map(self._read_as_deputy, part))

    def _find_suspected_accounts(self) -> list[str]:
        """Return the accounts to read now."""
        members = self._coordinator.members
        suspected = set(self._peers.suspected())
        now = asyncio.get_running_loop().time()
        labels = []
        for label in self._registry.enabled:
            assignment = self._coordinator.assignments.get(label)
            owner = None if assignment is None else assignment.owner
            if owner is None or owner == self._name or self._registry.is_followed(label):
                continue
            if self._coordinator.owners.get(label) == owner and owner not in suspected:
                self._deputy_reads.pop(label, None)
                continue
            if find_deputy(label, owner, members) != self._name and not self.is_cut_off:
                continue
            read_at = self._deputy_reads.get(label)
            if read_at is None or now - read_at >= DEPUTY_READ_INTERVAL_S:
                labels.append(label)
        return labels

    async def _read_as_deputy(self, label: str) -> None:
        self._deputy_reads[label] = asyncio.get_running_loop().time()
        try:
            await self._registry.read_now(label)
        except RealtimeError as error:
            log.debug("deputy.read_failed", account=label, reason=error.message)
