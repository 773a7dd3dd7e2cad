"""The ring holds what it may, whether readers have had it rendered or not."""

import pytest

from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.sse_encoder import SseEncoder
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Order, OrderId, TradeUpdate
from realtime.core.state import AccountState
from realtime.store.store import Profile, Store

ALPHA = AccountLabel("alpha")
FRAME = b'{"stream":"trade_updates","data":{"event":"new","order":{"id":"%d","status":"new"}}}'


@pytest.mark.parametrize("is_read", [False, True])
def test_bytes_held_are_counted_alike(is_read: bool) -> None:
    """The newest entries are there however many came before, and however many were rendered."""
    store, log = Store(boot="one"), EventBuffer(max_bytes=20 * len(FRAME))
    frames = SseEncoder(store, log)
    store.add(Profile(label=ALPHA), now=1.0)
    state = AccountState(account=Account(id="a", account_number="PA1"))
    store.update(ALPHA, now=1.0, state=state, link=Link(state="synced", stale_reason=None))
    store.subscribe(log.take)
    for number in range(200):
        order = Order(id=OrderId(str(number)), status="new")
        update = TradeUpdate(event="new", order=order, frame=FRAME % number)
        before = log.head
        state = AccountState(account=state.account, orders={order.id: order})
        store.update(ALPHA, now=2.0, state=state, updates=(update,))
        assert log.holds(before)
        for entry in log.after(before) if is_read else ():
            frames.body(entry)
    held = log.after(log.head - len(log))
    assert sum(entry.kind == "order" for entry in held) >= 18
