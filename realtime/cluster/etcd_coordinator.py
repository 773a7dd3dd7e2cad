"""The coordinator over etcd: lease, members, claims, hand-overs, halts. See `Coordinator`.

etcd keeps keys strictly serializable under pauses, crashes, clock skew and partitions; its locks
alone are not safe (Jepsen, etcd 3.4.3). So ownership is not a lock: every order is recorded by a
transaction that proves it (`etcd_intents.py`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from msgspec import structs

from realtime.cluster.coordinator import Assignment, Intent, IntentOutcome, Latch, Member
from realtime.cluster.etcd_intents import IntentLog
from realtime.cluster.etcd_keys import (
    FORMAT,
    AssignmentValue,
    Keys,
    decode,
    encode,
    next_epoch,
)
from realtime.cluster.etcd_lease import LEASE_TTL_S, Lease
from realtime.cluster.etcd_types import (
    Compare,
    Delete,
    EtcdClient,
    Get,
    Operation,
    Put,
    Transaction,
    TransactionResult,
    flatten,
)
from realtime.cluster.etcd_view import AssignmentState, FleetView
from realtime.errors import (
    ConfigError,
    EngineAnswerLost,
    EngineUnreachable,
    EtcdCompacted,
    EtcdRefusal,
    NotOwner,
)
from realtime.telemetry.log import get_logger

log = get_logger()

JOIN_RETRY_S = 0.5
"""Between attempts to join while etcd does not answer."""

NAME_WAIT_S = LEASE_TTL_S + 2.0
"""How long to wait for the lease of a former run of this daemon, that was killed, to end."""

LEAVE_TIMEOUT_S = 1.5
"""The process must end within 5 s of a signal; without this the lease ends by itself."""

WATCH_RETRY_S = 0.2

MAX_ATTEMPTS = 5
"""Of a change whose condition failed because the key was written meanwhile, such as by a halt."""


class EtcdCoordinator:
    """One daemon's side. `run` identifies this run; `boottime` is a clock that never stops, and
    `wall_clock` epoch seconds, to be shown only."""

    def __init__(
        self,
        client: EtcdClient,
        *,
        fleet: str,
        name: str,
        run: str,
        boottime: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._keys = Keys(fleet)
        self._name = name
        self._wall_clock = wall_clock
        self._member = Member(name=name)
        self._is_alone = False
        self._stopped: dict[str, str] = {}
        """account → why no new order of it may leave, although it is owned"""
        self.view = FleetView(self._keys)
        self.lease = Lease(client, boottime)
        self.intents = IntentLog(
            client,
            self._keys,
            self.view,
            self.lease,
            name=name,
            run=run,
            format_now=self._format_now,
        )

    # membership

    @asynccontextmanager
    async def join(self, member: Member) -> AsyncIterator[None]:
        """Be a member while the block runs; see `Coordinator.join`."""
        self._member = member
        try:
            await self._join_once()
        except EngineUnreachable as error:  # it is tried again in the background
            log.warning("member.join_failed", reason=error.message)
        except EtcdRefusal as error:
            remedy = "correct engine, user and TLS files in [cluster]"
            raise ConfigError(error.message, remedy=remedy) from error
        tasks = [
            asyncio.create_task(run, name=f"engine:{name}")
            for name, run in (
                ("lease", self._stay_member()),
                ("watch", self._follow()),
                ("recorder", self.intents.run_recorder()),
                ("settler", self.intents.run_settler()),
            )
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._leave()

    async def _leave(self) -> None:
        """Write what is not settled, and end the lease: others may claim at once."""
        with suppress(EngineUnreachable, EtcdRefusal, TimeoutError):
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await self.intents.flush()
                await self.lease.revoke()

    async def _join_once(self) -> None:
        await self._check_format()
        waited_until = asyncio.get_running_loop().time() + NAME_WAIT_S
        while True:
            await self.lease.grant()
            self._is_alone = False
            if await self._put_member(is_new=True):
                break
            lease, self.lease.id = self.lease.id, 0
            await self._client.revoke(lease)
            if asyncio.get_running_loop().time() > waited_until:
                raise ConfigError(
                    f"another daemon of the fleet is named {self._name}",
                    remedy="set another [cluster] member",
                )
            await asyncio.sleep(JOIN_RETRY_S)
        self.view.apply_listing(await self._client.get(self._keys.state, is_prefix=True))
        log.info("member.joined", member=self._name, members=len(self.view.members))

    async def _check_format(self) -> None:
        keys = self._keys
        number = str(FORMAT).encode()
        result = await self._commit(
            (Compare(keys.format, "create", 0),),
            (Put(keys.format, number), Put(keys.generation, b"0")),
            (Get(keys.format),),
        )
        found = flatten(result.results)
        if found and found[0].value != number:
            shown = found[0].value[:20].decode("ascii", "replace")
            raise ConfigError(
                f"the fleet's keys in etcd have format {shown}, this daemon knows {FORMAT}",
                remedy="run the same version on all daemons of the fleet",
            )

    async def _put_member(self, *, is_new: bool) -> bool:
        key = self._keys.member(self._name)
        condition = Compare(key, "create", 0) if is_new else Compare(key, "lease", self.lease.id)
        put = Put(key, encode(self._member), self.lease.id)
        try:
            result = await self._commit((condition,), (put,))
        except EngineAnswerLost:
            listing = await self._client.get(key)
            return any(pair.lease == self.lease.id for pair in listing.keys)
        return result.succeeded

    async def update_member(self, **changes: object) -> None:
        """Change what the others see of this daemon, such as that it is draining."""
        self._member = structs.replace(self._member, **changes)
        if self.lease.id:
            await self._put_member(is_new=False)

    async def _stay_member(self) -> None:
        """Renew the lease; when it is lost, join again with a new one."""
        while True:
            if self.lease.id != 0:
                await self.lease.renew_until_lost()
                self.view.notify()
            try:
                await self._join_once()
            except (EngineUnreachable, EtcdRefusal) as error:
                log.debug("member.join_failed", reason=error.message)
                await asyncio.sleep(JOIN_RETRY_S)
            except ConfigError as error:
                log.error("member.refused", reason=error.message)  # noqa: TRY400 - no trace needed
                await asyncio.sleep(NAME_WAIT_S)

    async def _follow(self) -> None:
        """Keep the view up to date: watch from where it is, list again after a gap."""
        while True:
            try:
                if self.view.revision == 0:
                    listing = await self._client.get(self._keys.state, is_prefix=True)
                    self.view.apply_listing(listing)
                async for events in self._client.watch(self._keys.state, self.view.revision + 1):
                    self.view.apply_events(events)
                # A watch from a revision that etcd has not reached, after a restore, is silent.
                probe = await self._client.get(self._keys.format)
                if probe.revision < self.view.revision:
                    self.view.revision = 0
            except EtcdCompacted:
                self.view.revision = 0
            except (EngineUnreachable, EtcdRefusal) as error:
                log.debug("engine.watch_failed", reason=error.message)
                await asyncio.sleep(WATCH_RETRY_S)

    # ownership

    @property
    def members(self) -> Mapping[str, Member]:
        """The daemons whose leases hold, as last reported."""
        return self.view.public_members

    @property
    def assignments(self) -> Mapping[str, Assignment]:
        """The accounts that were ever owned, as last reported."""
        return self.view.public_assignments

    @property
    def owners(self) -> Mapping[str, str]:
        """Account → its owner, where its lease holds; late as `assignments` is."""
        return self.view.owners

    def handle_successor(self, account: str, owner: str, epoch: int) -> None:
        """Give up an account that another daemon has with a higher epoch, although etcd has not
        reported that yet: this daemon may be cut off from it."""
        state = self.view.assignments.get(account)
        if state is not None and self.owns(account) and epoch > state.value.epoch:
            value = structs.replace(state.value, owner=owner, lease=0, epoch=epoch)
            # With the revision as it is: what etcd reports later counts.
            self.view.assignments[account] = AssignmentState(value, state.revision)
            self.view.notify()

    @property
    def owned_accounts(self) -> list[str]:
        """All accounts that this daemon owns, also those that it does not know any more."""
        return [account for account in self.view.assignments if self.owns(account)]

    def owns(self, account: str) -> bool:
        """Whether this daemon is the owner by the assignment, under its present lease."""
        state = self.view.assignments.get(account)
        return self.is_alone or (
            state is not None
            and self.lease.id != 0
            and state.value.owner == self._name
            and state.value.lease == self.lease.id
        )

    @property
    def is_alone(self) -> bool:
        """Whether this daemon owns every account without the engine; until that answers."""
        return self._is_alone and not self.lease.holds()

    def go_alone(self) -> None:
        """Own every account until the engine answers again: no intent is recorded, and no other
        daemon may run."""
        self._is_alone = True
        self.view.notify()

    async def claim(self, account: str, *, reason: str) -> Assignment | None:
        """Own an account without an owner, or whose owner's lease has ended."""
        if self.view.is_rolled_back:
            raise EngineUnreachable(
                "etcd is older than it was: raise the generation, `realtime cluster generation`"
            )
        if self.lease.id == 0:
            raise EngineUnreachable("this daemon is not a member of the fleet yet")
        if self.owns(account):
            return self.assignments[account]
        state = self.view.assignments.get(account)
        before = None if state is None else state.value
        value = AssignmentValue(
            owner=self._name,
            lease=self.lease.id,
            epoch=next_epoch(0 if before is None else before.epoch, self.view.generation),
            since=self._format_now(),
            reason=reason,
            halt=None if before is None else before.halt,
            closing=None if before is None else before.closing,
        )
        conditions = []
        if before is not None and before.owner is not None:
            # True, too, where the key does not exist: its lease is 0.
            owner_key = self._keys.member(before.owner)
            conditions.append(Compare(owner_key, "lease", before.lease, is_equal=False))
        if await self._assign(account, state, value, conditions):
            return self.assignments[account]
        return None

    async def hand_over(self, account: str, to: str | None, *, reason: str) -> Assignment:
        """Give an owned account to another member, or to whichever claims it."""
        for _ in range(MAX_ATTEMPTS):
            state = self.view.assignments.get(account)
            if state is None or not self.owns(account):
                raise NotOwner(f"account {account} is not owned here")
            conditions = []
            lease = 0
            if to is not None:
                target = self.view.members.get(to)
                if target is None:
                    raise NotOwner(f"{to} is not a member of the fleet")
                lease = target.lease
                conditions.append(Compare(self._keys.member(to), "lease", lease))
            value = AssignmentValue(
                owner=to,
                lease=lease,
                epoch=next_epoch(state.value.epoch, self.view.generation),
                since=self._format_now(),
                reason=reason,
                halt=state.value.halt,
                closing=state.value.closing,
            )
            if await self._assign(account, state, value, conditions):
                return self.assignments[account]
            if to is not None and to not in self.view.members:
                break
        raise NotOwner(f"account {account} could not be handed over to {to}")

    async def _assign(
        self,
        account: str,
        state: AssignmentState | None,
        value: AssignmentValue,
        conditions: Sequence[Compare],
    ) -> bool:
        """Write an assignment if nothing has changed; return whether it is written."""
        key = self._keys.assignment(account)
        result_conditions = (
            Compare(key, "mod", 0 if state is None else state.revision),
            Compare(self._keys.member(self._name), "lease", self.lease.id),
            *conditions,
        )
        try:
            result = await self._commit(result_conditions, (Put(key, encode(value)),), (Get(key),))
        except EngineAnswerLost:
            pairs = (await self._client.get(key)).keys
        else:
            if result.succeeded:
                self.view.apply_assignment(account, value, result.revision)
                self.view.notify()
                return True
            pairs = tuple(flatten(result.results))
        for pair in pairs:
            found = decode(pair.value, AssignmentValue)
            if found is not None:
                self.view.apply_assignment(account, found, pair.mod_revision)
                self.view.notify()
                return found == value
        return False

    def check(self, account: str, *, reduces_risk: bool = False) -> None:
        """Raise `NotOwner` unless this daemon owns the account and its deadline has not passed."""
        if not self.owns(account):
            state = self.view.assignments.get(account)
            owner = None if state is None else state.value.owner
            is_here = owner is None or owner == self._name
            raise NotOwner(
                f"no daemon owns account {account} now"
                if is_here
                else f"{owner} owns account {account}",
                owner=None if is_here else owner,
            )
        if self.is_alone:
            return
        if account in self._stopped and not reduces_risk:
            raise NotOwner(f"account {account}: {self._stopped[account]}")
        if self.view.is_rolled_back:
            raise NotOwner("etcd is older than it was: its generation must be raised")
        if not self.lease.holds(reduces_risk=reduces_risk):
            raise NotOwner(
                f"etcd has not renewed the lease for {-self.lease.remaining_s:.1f} s too long: "
                f"another daemon may own account {account}"
            )

    # orders

    def stop_orders(self, account: str, reason: str) -> None:
        """Refuse new orders of an account from now on, as before it is handed over."""
        self._stopped[account] = reason

    def allow_orders(self, account: str) -> None:
        """Refuse them no longer."""
        self._stopped.pop(account, None)

    async def intend(self, intent: Intent) -> None:
        """Record an order that is about to be sent."""
        self.check(intent.account, reduces_risk=intent.reduces_risk)
        if self.is_alone:
            return
        await self.intents.record(intent)

    def settle(self, account: str, client_order_id: str, outcome: IntentOutcome) -> None:
        """Record soon what became of an order."""
        self.intents.settle(account, client_order_id, outcome)

    async def recall(self, account: str) -> Sequence[Intent]:
        """Return the intents of an account that are not settled, of other runs than this."""
        return await self.intents.recall(account)

    # halts

    @property
    def halts(self) -> Mapping[str | None, Latch]:
        """The latches, by account; None: of every account."""
        halts: dict[str | None, Latch] = {} if self.view.halt is None else {None: self.view.halt}
        for account, state in self.view.assignments.items():
            if state.value.halt is not None:
                halts[account] = state.value.halt
        return halts

    async def set_halt(self, account: str | None, latch: Latch | None) -> None:
        """Latch or release an account, or every one. Once this returns, no daemon of the fleet
        records another order. Raises `EngineUnreachable`."""
        if account is None:
            key = self._keys.halt
            change: Operation = Delete(key) if latch is None else Put(key, encode(latch))
            result = await self._commit((), (change,))
            self.view.apply_halt(latch, result.revision)
            self.view.notify()
            return
        await self._update_assignment(account, halt=latch)

    def get_closing(self, account: str) -> str | None:
        """Return the principal that is closing an account; None: it is not being closed."""
        state = self.view.assignments.get(account)
        return None if state is None else state.value.closing

    async def set_closing(self, account: str, user_id: str | None) -> None:
        """Record that an account is being closed, or not any more; as its owner."""
        await self._update_assignment(account, closing=user_id)

    async def _update_assignment(self, account: str, **changes: object) -> None:
        """Change what an assignment says beside its owner."""
        for _ in range(MAX_ATTEMPTS):
            listing = await self._client.get(self._keys.assignment(account))
            pair = next(iter(listing.keys), None)
            before = None if pair is None else decode(pair.value, AssignmentValue)
            if before is None:
                before = AssignmentValue(owner=None, epoch=next_epoch(0, self.view.generation))
            value = structs.replace(before, **changes)
            if value == before:
                return
            revision = 0 if pair is None else pair.mod_revision
            key = self._keys.assignment(account)
            result = await self._commit(
                (Compare(key, "mod", revision),), (Put(key, encode(value)),)
            )
            if result.succeeded:
                self.view.apply_assignment(account, value, result.revision)
                self.view.notify()
                return
        raise EngineUnreachable(f"the assignment of {account} changes too often")

    def subscribe(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change` after every change of members and assignments."""
        return self.view.subscribe(on_change)

    async def _commit(
        self,
        conditions: Sequence[Compare],
        then: Sequence[Operation],
        otherwise: Sequence[Operation] = (),
    ) -> TransactionResult:
        return await self._client.commit(
            Transaction(tuple(conditions), tuple(then), tuple(otherwise))
        )

    def _format_now(self) -> str:
        at = datetime.fromtimestamp(self._wall_clock(), UTC)
        return at.isoformat("T", "milliseconds")[:-6] + "Z"
