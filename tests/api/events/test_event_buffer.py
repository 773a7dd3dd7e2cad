"""The buffer keeps its bound, whether its events were encoded or not."""

import pytest

from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.sse_encoder import SseEncoder
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Order, OrderId, TradeUpdate
from realtime.core.state import AccountState
from realtime.store.records import Profile
from realtime.store.store import Store

ALPHA = AccountLabel("alpha")
FRAME = b'{"stream":"trade_updates","data":{"event":"new","order":{"id":"%d","status":"new"}}}'


@pytest.mark.parametrize("is_read", [False, True])
def test_bytes_are_counted_before_and_after_encoding(is_read: bool) -> None:
    """The newest events are in it, however many came before and were encoded."""
    store, log = Store(boot="one"), EventBuffer(max_bytes=20 * len(FRAME))
    frames = SseEncoder(store, log)
    store.add(Profile(label=ALPHA), now=1.0)
    state = AccountState(account=Account(id="a", account_number="PA1"))
    store.update(ALPHA, now=1.0, state=state, link=Link(state="synced", stale_reason=None))
    store.subscribe(log.handle_change)
    for number in range(200):
        order = Order(id=OrderId(str(number)), status="new")
        update = TradeUpdate(event="new", order=order, frame=FRAME % number)
        before = log.head
        state = AccountState(account=state.account, orders={order.id: order})
        store.update(ALPHA, now=2.0, state=state, updates=(update,))
        assert log.has_all_after(before)
        for entry in log.get_after(before) if is_read else ():
            frames.encode(entry)
    held = log.get_after(log.head - len(log))
    assert sum(entry.kind == "order" for entry in held) >= 18
