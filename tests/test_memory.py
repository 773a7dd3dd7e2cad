"""Memory of an account: bounded, whatever happens in it."""

import sys
from collections.abc import Mapping
from itertools import islice

import msgspec

from bench.frames import ACCOUNT, SYMBOLS, UpdateSequence, order_json, position_json
from realtime.broker.codec import decode_account, decode_frame, decode_orders, decode_positions
from realtime.core.apply import apply
from realtime.core.model import TradeUpdate
from realtime.core.outcomes import Snapshot
from realtime.core.reconcile import reconcile
from realtime.core.state import CLOSED_ORDERS_KEPT, EMPTY, EVICTION_SLACK, AccountState

USUAL_BYTES = 130_000
"""10 positions and 100 orders: 1000 such accounts are 130 MB of the 300 that a fleet may take."""

MAX_BYTES = 1_500_000
"""However much is traded: 600 orders with two executions each. Open orders come on top."""

EVENTS = 6_000


def deep_size(value: object, seen: set[int]) -> int:
    """Bytes of a value and of all that it holds and that was not seen before."""
    if value is None or id(value) in seen:
        return 0
    seen.add(id(value))
    size = sys.getsizeof(value)
    if isinstance(value, msgspec.Struct):
        parts = [getattr(value, name) for name in value.__struct_fields__]
    elif isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, tuple | frozenset):
        parts = list(value)
    else:
        parts = []
    return size + sum(deep_size(part, seen) for part in parts)


def usual_state(account: int) -> AccountState:
    """An account after a read; every account has its own ids."""
    listed = [
        order_json(number, status="filled" if number % 5 else "new")
        | {"id": f"{account:08x}-{number}-4e3f-8a4b-5c6d7e8f9a0b"}
        for number in range(100)
    ]
    held = [position_json(symbol) for symbol in SYMBOLS]
    return reconcile(
        EMPTY,
        Snapshot(
            requested_at=1.0,
            account=decode_account(msgspec.json.encode(ACCOUNT)),
            positions=decode_positions(msgspec.json.encode(held)),
            orders=decode_orders(msgspec.json.encode(listed)),
            is_full=True,
        ),
    ).state


def test_memory_of_a_usual_account() -> None:
    """Strings that accounts share count for the first one only."""
    seen: set[int] = set()
    states = [usual_state(account) for account in range(3)]
    sizes = [deep_size(state, seen) for state in states]
    assert sizes[1] == sizes[2] <= USUAL_BYTES, sizes


def test_memory_of_a_busy_account_is_bounded() -> None:
    state, sizes = EMPTY, []
    for count, frame in enumerate(islice(UpdateSequence(1), EVENTS)):
        update = decode_frame(frame[4:])
        assert isinstance(update, TradeUpdate)
        state = apply(state, update, 1.0).state
        if count % (EVENTS // 6) == EVENTS // 6 - 1:
            sizes.append(deep_size(state, set()))
    assert len(state.orders) <= CLOSED_ORDERS_KEPT + EVICTION_SLACK
    assert max(sizes) <= MAX_BYTES, sizes
    assert sizes[-1] < 1.3 * sizes[2], sizes
