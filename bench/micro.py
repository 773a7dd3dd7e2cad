"""Micro figures by pyperf: `python -m bench.micro`, also with pyperf's own options.

Decode, apply, encode; and what a document costs after one change, by the number of its parts.
"""

import itertools
import time

import pyperf
from msgspec import structs

from bench import frames
from bench.query_servers import filled_store
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.documents import Documents
from realtime.broker.codec import decode_frame
from realtime.core.apply import apply
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.core.state import AccountState
from realtime.store.store import Store

ALPHA = AccountLabel("alpha")
SCENES = 300


def _updates() -> list[TradeUpdate]:
    messages = [
        decode_frame(each[4:]) for each in itertools.islice(frames.UpdateSequence(0), SCENES)
    ]
    return [each for each in messages if isinstance(each, TradeUpdate)]


def bench_decode(loops: int) -> float:
    """A frame to a trade update."""
    frame = next(frames.UpdateSequence(0))[4:]
    began = time.perf_counter()
    for _ in range(loops):
        decode_frame(frame)
    return time.perf_counter() - began


def bench_apply(loops: int) -> float:
    """Trade updates to the next state: new, partly filled, filled, in turn, `SCENES` of them."""
    updates = _updates()
    spent = 0.0
    for _ in range(loops):
        state: AccountState = filled_store(1, 5, 100).records[ALPHA].state
        began = time.perf_counter()
        for update in updates:
            state = apply(state, update, 1.8e9).state
        spent += time.perf_counter() - began
    return spent


def _change(store: Store, number: int) -> None:
    state = store.records[ALPHA].state
    order = next(iter(state.orders.values()))
    changed = structs.replace(order, filled_qty=str(number))
    store.update(
        ALPHA,
        now=float(number),
        state=structs.replace(state, orders={**state.orders, order.id: changed}),
    )


def bench_dashboard(loops: int, orders: int) -> float:
    """The dashboard after one order has changed."""
    store, views = filled_store(1, 10, orders), Documents()
    views.render_dashboard(store.records[ALPHA])
    spent = 0.0
    for number in range(loops):
        _change(store, number)
        record = store.records[ALPHA]
        began = time.perf_counter()
        views.render_dashboard(record)
        spent += time.perf_counter() - began
    return spent


def bench_encode(loops: int, orders: int) -> float:
    """For comparison: encoding that many orders again."""
    listed = list(filled_store(1, 0, orders).records[ALPHA].state.orders.values())
    began = time.perf_counter()
    for _ in range(loops):
        ENCODER.encode(listed)
    return time.perf_counter() - began


def main() -> None:
    """Measure all."""
    runner = pyperf.Runner(processes=3, values=3)
    runner.bench_time_func("decode a frame", bench_decode)
    runner.bench_time_func("apply an event", bench_apply, inner_loops=SCENES)
    for orders in (10, 100, 500):
        runner.bench_time_func(f"dashboard, 1 of {orders} changed", bench_dashboard, orders)
        runner.bench_time_func(f"encode {orders} orders", bench_encode, orders)


if __name__ == "__main__":
    main()
