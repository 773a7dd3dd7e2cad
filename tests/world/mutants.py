"""The rules that keep the state right, each broken once: what the world must notice.

A mutant is the daemon with a few words replaced. The words must be there exactly once, so a mutant
that no longer fits its file is told and not silently alive.
"""

from msgspec import Struct


class Edit(Struct, frozen=True):
    """Words of one file under `realtime/`, and what stands there instead."""

    file: str
    old: str
    new: str


class Mutant(Struct, frozen=True):
    """One broken rule."""

    name: str
    edits: tuple[Edit, ...]
    size: str = "small"


def _one(name: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(name, (Edit(file, old, new),))


HEARING = (
    _one(
        "apply without dedupe",
        "core/apply.py",
        "executions = tuple(e for e in told if is_news(state, e))",
        "executions = tuple(told)",
    ),
    _one(
        "dedupe by price, quantity and second",
        "core/executions.py",
        "execution_id=update.execution_id or fallback,",
        'execution_id=ExecutionId(f"{update.price} {qty} {(update.timestamp or str())[:19]}"),',
    ),
    _one(
        "newer overwritten by older",
        "core/orders.py",
        "return _rank(candidate, busted_at) > _rank(current, busted_at)",
        "return True",
    ),
    _one("terminal order reopened", "core/orders.py", "        order.is_closed,\n", ""),
    _one(
        "positions added instead of replaced",
        "core/apply.py",
        "        old = positions.pop(symbol, None)\n",
        "        old = positions.pop(symbol, None)\n"
        "        step = number(execution.qty) * (1 if execution.side == 'buy' else -1)\n"
        "        qty = str((number(old.qty) if old else ZERO) + step)\n",
    ),
    _one(
        "older execution sets the position back",
        "core/apply.py",
        "if (mark and key <= mark.key) or _is_in_last_reading(state, execution):",
        "if False:",
    ),
    _one(
        "busts ignored",
        "core/executions.py",
        'UNDOING = frozenset({"trade_bust", "trade_correct"})',
        "UNDOING: frozenset[str] = frozenset()",
    ),
    _one(
        "legs of a frame ignored",
        "core/apply.py",
        "    for order, parent in flatten(update.order):\n        current",
        "    for order, parent in list(flatten(update.order))[:1]:\n        current",
    ),
    _one(
        "fill does not mark money",
        "core/apply.py",
        "state = structs.replace(state, provisional=state.provisional | MONEY)",
        "pass",
    ),
    _one(
        "missed executions not doubted",
        "core/apply.py",
        "    doubts += _fill_doubts(before, state, update, executions)\n",
        "",
    ),
    _one(
        "unknown events dropped",
        "live/replica.py",
        '            log.warning("event.unknown", account=self.label, event_name=update.event)\n',
        "            return Applied(state=state)\n",
    ),
    _one(
        "unreadable frames forgotten",
        "live/follower.py",
        '                    self.doubts.add_everything("unreadable frame")\n',
        "",
    ),
)
"""Rules of what is heard on the stream."""

CONNECTING = (
    _one(
        "replay before snapshot",
        "live/replica.py",
        "            snapshot = await read_everything(self._rest, self.record.state, now=requested_at)\n",
        "            for update in tuple(heard):\n"
        "                self.hear(update)\n"
        "            heard = ()\n"
        "            snapshot = await read_everything(self._rest, self.record.state, now=requested_at)\n",
    ),
    Mutant(
        "snapshot before listen",
        (
            Edit(
                "live/follower.py",
                "        stream = await self._open()\n",
                "        self._replica.early = await self._replica.read_early()\n"
                "        stream = await self._open()\n",
            ),
            Edit(
                "live/replica.py",
                "snapshot = await read_everything(self._rest, self.record.state, now=requested_at)\n"
                "            now = self._clock()\n",
                "snapshot = self.early\n            now = self._clock()\n",
            ),
            Edit(
                "live/replica.py",
                "    def hear(self, update: TradeUpdate) -> Applied:\n",
                "    async def read_early(self):\n"
                "        return await read_everything("
                "self._rest, self.record.state, now=self._clock())\n\n"
                "    def hear(self, update: TradeUpdate) -> Applied:\n",
            ),
        ),
    ),
    _one(
        "buffer dropped", "live/replica.py", "for update in heard:\n", "for update in tuple(heard)[:0]:\n"
    ),
    _one(
        "by-id read left out",
        "alpaca/snapshot.py",
        "found, vanished = await _by_id(rest, asked)",
        "found, vanished = await _by_id(rest, [])",
    ),
    _one(
        "nested legs left out",
        "alpaca/snapshot.py",
        'page = await rest.orders(status="all", limit=PAGE, direction="desc", nested=True)',
        'page = await rest.orders(status="all", limit=PAGE, direction="desc", nested=True)\n'
        "    page = tuple(__import__('msgspec').structs.replace(o, legs=None) for o in page)",
    ),
    _one("activities not read", "alpaca/snapshot.py", "        fills=fills,\n", ""),
    _one("overlap zero", "alpaca/snapshot.py", "OVERLAP_S = 60\n", "OVERLAP_S = 0\n"),
    _one(
        "watermark from the local clock",
        "core/reconcile.py",
        "    if newest == state.watermark:\n",
        "    newest = from_micros(round(snapshot.requested_at * 1_000_000))\n"
        "    if newest == state.watermark:\n",
    ),
    _one(
        "stale mark cleared at connect",
        "live/link.py",
        "self._put(structs.replace(self._link, state=state, since=now, next_attempt_at=None), now)",
        "self._put(structs.replace(self._link, state=state, since=now, next_attempt_at=None,"
        " stale_since=None, stale_reason=None), now)",
    ),
    _one(
        "live before the snapshot",
        "live/follower.py",
        '        self._journal.enter("syncing")\n',
        '        self._journal.enter("live")\n',
    ),
    _one(
        "backoff reset at open",
        "live/follower.py",
        "            await stream.listen()\n",
        "            await stream.listen()\n            self._backoff = Backoff()\n",
    ),
    _one(
        "backoff flat",
        "core/backoff.py",
        "FIRST_S * 2 ** min(step, 10)",
        "FIRST_S * 1",
    ),
    _one(
        "refused keys tried again",
        "live/follower.py",
        "            if isinstance(failure, Refused):\n"
        "                self._journal.refused(failure)\n"
        "                return\n",
        "",
    ),
    _one("pings left out", "alpaca/stream.py", "PING_INTERVAL_S = 10.0", "PING_INTERVAL_S = None"),
    _one(
        "socket not closed",
        "live/follower.py",
        "        finally:\n            await stream.close()\n",
        "        finally:\n            pass\n",
    ),
    _one("cancelled once", "app.py", "for limit_s in (GOODBYE_S, STOP_S - GOODBYE_S):", "for limit_s in (STOP_S,):"),
)
"""Rules of connecting and of the first reading."""

READING = (
    _one(
        "money refresh dropped while reading",
        "live/money.py",
        '        """Money moved or is in doubt: read soon, and once more when REST can no longer lag."""\n',
        "        if self._replica._reading.locked():\n            return\n",
    ),
    _one("no second look at money", "core/state.py", "LAG_S = 10.0", "LAG_S = 0.0"),
    _one(
        "lagging positions taken",
        "core/reconcile.py",
        "    unsettled = frozenset(_unsettled(state.marks, theirs, snapshot.requested_at))\n",
        "    unsettled: frozenset[Symbol] = frozenset()\n",
    ),
    _one(
        "agreement by chance believed",
        "core/reconcile.py",
        "    since = requested_at - LAG_S\n    return any(",
        "    since = requested_at - LAG_S\n    return False and any(",
    ),
    _one(
        "first reading believed",
        "core/reconcile.py",
        "    unseen = _has_filled_lately(snapshot) if first else",
        "    unseen = False if first else",
    ),
    _one(
        "older list overwrites",
        "core/reconcile.py",
        "        elif not is_current_at_broker(order, ours):\n            continue\n",
        "",
    ),
    _one(
        "activities counted again",
        "core/reconcile.py",
        "        if {fill.execution_id, identity_by_quantity(fill.order_id, fill.cum_qty)} & counted:\n"
        "            continue\n",
        "        fill = structs.replace(fill, id=fill.id + 'x')\n",
    ),
    _one(
        "undone executions kept",
        "core/reconcile.py",
        "        next_state = take_back(next_state, snapshot.orders or (), snapshot.fills)\n",
        "        pass\n",
    ),
    _one(
        "confirmed although heard since",
        "core/reconcile.py",
        "and snapshot.positions is not None and not heard_since:",
        "and snapshot.positions is not None:",
    ),
    _one(
        "unread money not marked", "live/money.py", "            self._replica.doubt_money()\n", ""
    ),
    _one("doubts not asked", "live/doubts.py", "            self._raised.set()\n\n    def add_e", "            pass\n\n    def add_e"),
    _one(
        "watchdog asleep",
        "live/watchdog.py",
        "                self._doubt_due(loop.time())\n",
        "                await asyncio.sleep(1e6)\n",
    ),
    _one("legs not missed", "core/groups.py", "        order.order_class in GROUPED\n        and", "        False\n        and"),
    _one("held legs not missed", "core/groups.py", 'if order.status != "held" or parent is None:', "if True:"),
    _one(
        "never compared",
        "live/compare.py",
        "                async with asyncio.timeout(wait_s):\n",
        "                async with asyncio.timeout(1e6):\n",
    ),
    _one(
        "deaf not concluded",
        "live/compare.py",
        "        if self._events_heard == heard_before:\n",
        "        if False:\n",
    ),
    _one(
        "suspicion of money ignored",
        "live/follower.py",
        "            self.comparison.ask()\n",
        "            pass\n",
    ),
    _one(
        "comparison not repeated",
        "live/compare.py",
        "                self._asked.set()  # it is still due\n",
        "",
    ),
    _one(
        "budget not kept",
        "alpaca/pacing.py",
        "        return self._full_at - self._slack_s - now\n",
        "        return 0.0\n",
    ),
)
"""Rules of what is read by REST, and when."""

TELLING = (
    _one(
        "version not raised",
        "store.py",
        "version=new.version + 1, as_of=now",
        "version=new.version, as_of=now",
    ),
    _one(
        "loss not told",
        "live/follower.py",
        "            self._journal.waiting(failure, wait_s)\n",
        "",
    ),
    _one(
        "waiting called connected",
        "views/status.py",
        "connected=link.is_live,",
        'connected=link.state in ("live", "waiting"),',
    ),
    _one(
        "one account's mistake ends all",
        "live/follower.py",
        "        except RealtimeError as error:\n            return error\n",
        "        except RealtimeError as error:\n"
        "            if type(error) is Deaf:\n                raise RuntimeError from error\n"
        "            return error\n",
    ),
)
"""Rules of what readers are told."""

MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant for mutant in (*HEARING, *CONNECTING, *READING, *TELLING)
}
"""Every mutant by its name."""
