"""Two hours and ten minutes of history as the writer makes them, and a server that has them.

The minutes are counted from the end of the two hours, in which nothing happens.
`alpha` begins with 100281.40; at minute 3 it gets an order and an execution, at minute 4 its equity
is 100500.00. From minute 6 to minute 8 the daemon did not run.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import structs

from realtime.api.history.client import HistoryClient
from realtime.api.listener import serve
from realtime.core.model import AccountLabel
from realtime.core.state import Execution
from realtime.history.directory import HistoryDirectory
from realtime.history.queue import HistoryQueue
from realtime.history.writer import HistoryWriter
from realtime.store.store import Store
from tests.api.documents.made import ACCOUNT, NOW, fleet, order
from tests.api.reader import Clock, application

ALPHA = AccountLabel("alpha")
ORDER = order(777, symbol="TSLA", status="filled", filled_qty="3", filled_at="2026-10-03T04:03:00Z")
EXECUTION = Execution(
    execution_id="0e7f2c1a-1111-4222-8333-444455556666",  # type: ignore[arg-type]
    order_id=ORDER.id,
    symbol="TSLA",
    side="buy",
    qty="3",
    price="101.5",
    at="2026-10-03T04:03:00Z",
)


def record(path: Path) -> None:
    """Write them."""
    store, queue, clock = fleet(), HistoryQueue(), Clock()
    clock.now = NOW - 7200
    writer = _begin(store, queue, path, clock)
    for minute in range(-119, 11):
        clock.now = NOW + minute * 60
        if minute == 3:
            _change(
                store,
                clock.now,
                orders={ORDER.id: ORDER},
                executions={ORDER.id: {EXECUTION.execution_id: EXECUTION}},
            )
        if minute == 4:
            _change(store, clock.now, account=structs.replace(ACCOUNT, equity="100500.00"))
        if minute == 6:
            writer.kill()
        if minute == 8:
            writer = _begin(store, queue, path, clock)
        if minute < 6 or minute >= 8:
            writer.write()
    writer.kill()


def _begin(store: Store, queue: HistoryQueue, path: Path, clock: Clock) -> HistoryWriter:
    """A writer that begins with every account as it is."""
    writer = HistoryWriter(HistoryDirectory(path), queue, clock=clock)
    store.subscribe(queue.add)
    for each in list(store):
        name = f"{each.profile.label} {clock.now}"
        store.set_profile(structs.replace(each.profile, name=name), now=clock.now)
    writer.write()
    return writer


def _change(store: Store, now: float, **parts: object) -> None:
    alpha = store.get("alpha")
    assert alpha is not None
    store.update(ALPHA, now=now, state=structs.replace(alpha.state, **parts))


@asynccontextmanager
async def served_past(path: Path, store: Store) -> AsyncIterator[str]:
    """The address of a server with this history; it is minute 10."""
    clock = Clock()
    clock.now = NOW + 600
    async with (
        HistoryClient(path) as history,
        serve(application(store, clock, history=history), "127.0.0.1", 0) as port,
    ):
        yield f"http://127.0.0.1:{port}"
