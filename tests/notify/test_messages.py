"""Messages have the payloads of `/realtime/events`, byte for byte."""

import json
import re
from typing import get_args

import msgspec
import pytest
from msgspec import structs

from realtime.analytics.tier_bounds import Alert
from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.event_types import KINDS
from realtime.api.events.sse_encoder import SseEncoder
from realtime.config.notify_sections import NOTIFY_TYPES, WEBHOOK_TYPES
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.core.state import AccountState
from realtime.notify.event_queue import EventQueue, QueuedEvent
from realtime.notify.folding import WORDS
from realtime.notify.messages import make_state_messages, select_kinds
from realtime.notify.notices import LOG_NOTICES, NoticeType
from realtime.store.records import OrderInDoubt, Profile
from realtime.store.store import Store
from realtime.telemetry.log_sentences import TEMPLATES
from tests.api.documents.made import ACCOUNT, BOOKS, LIVE, LOST, NOW, order, position, put
from tests.api.documents.test_marks import mark

ALPHA = AccountLabel("alpha")


def test_every_event_of_the_stream_is_a_message_with_the_same_data() -> None:
    store = Store(boot="b00t")
    store.add(Profile(label=ALPHA, tier="gold"), now=NOW)
    state = AccountState(account=ACCOUNT)
    store.update(ALPHA, now=NOW, state=state, link=LIVE)
    buffer, queue = EventBuffer(), EventQueue()
    queue.kinds = select_kinds(tuple(KINDS))
    lost: list[object] = []
    store.subscribe(buffer.handle_change)
    store.subscribe(lambda change: queue.add(change, lost.append))
    first = order(1)
    data = msgspec.json.encode({"event": "new", "event_id": "1", "order": first})
    frame = b'{"stream":"trade_updates","data":%b}' % data
    updates = (
        TradeUpdate(event="new", order=first, event_id="1", frame=frame),
        TradeUpdate(event="fill", order=order(2, status="filled"), event_id="2", qty="1"),
    )
    store.update(ALPHA, now=NOW + 1, state=state, updates=updates)
    changed = structs.replace(
        state, orders={first.id: first}, positions={position("AAPL").symbol: position("AAPL")}
    )
    store.update(ALPHA, now=NOW + 2, state=changed, recovered=())
    store.update(ALPHA, now=NOW + 3, link=LOST)
    store.report_doubt(ALPHA, OrderInDoubt(client_order_id="x-1"))
    encoder = SseEncoder(store, buffer)
    pushed = []
    for event in buffer.get_after(0):
        head, line = encoder.encode(event).decode().split("\n")[:2]
        pushed.append((head.removeprefix("event: "), line.removeprefix("data: ")))
    sent = []
    for queued in queue.peek(1000):
        message = queued.encode(store.get(ALPHA))
        assert message is not None
        found = re.fullmatch(
            r'{"type":"(\w+)","timestamp":"[0-9TZ:.-]+","data":(.*)}', message.body.decode()
        )
        assert found is not None
        sent.append((found[1], found[2]))
    assert {name for name, _ in sent} >= {"order", "orders", "gap", "link", "unknown", "positions"}
    assert sent == pushed
    assert not lost


def test_an_alert_of_a_tier_is_a_message_if_it_is_selected() -> None:
    alert = Alert(
        account_id="alpha", tier="gold", rule="position_risk", state="over", symbol="AAPL",
        value="12", bound="10", of_equity_pct=None, worst="12", since=NOW,
    )  # fmt: skip
    queue = EventQueue()
    lost: list[object] = []
    queue.kinds = select_kinds(("order",))
    queue.add_alert(alert, lost.append)
    assert not len(queue)
    queue.kinds = select_kinds(("alert",))
    queue.add_alert(alert, lost.append)
    (queued,) = queue.peek(10)
    message = queued.encode(None)
    assert message is not None
    document = msgspec.json.decode(message.body)
    assert (document["type"], document["data"]["account_id"]) == ("alert", "alpha")
    assert document["data"]["bound"] == "10"


def test_an_account_without_market_data_has_no_mark() -> None:
    store = Store(boot="b00t")
    put(store, "alpha", LIVE, BOOKS)
    record = store.get("alpha")
    assert record is not None
    event = QueuedEvent(AccountLabel("alpha"), None, "mark", b"", NOW, 0)
    assert event.encode(record) is None
    kinds = select_kinds(("mark", "link"))
    assert [m.kind for m in make_state_messages(record, kinds)] == ["link"]
    marked = structs.replace(record, mark=mark())
    message = event.encode(marked)
    assert message is not None
    assert json.loads(message.body)["type"] == "mark"
    assert json.loads(message.body)["data"]["mark"]["equity"]
    assert [m.kind for m in make_state_messages(marked, kinds)] == ["link", "mark"]


@pytest.mark.parametrize("name", WEBHOOK_TYPES)
def test_every_type_that_can_be_configured_exists(name: str) -> None:
    assert select_kinds((name,)) > select_kinds(())


def test_what_people_are_notified_of_has_words_and_sentences() -> None:
    assert set(WORDS) == set(NOTIFY_TYPES) == set(get_args(NoticeType))
    assert LOG_NOTICES.keys() <= TEMPLATES.keys()


def test_a_queue_that_is_full_counts_what_it_does_not_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.notify.event_queue.MAX_EVENTS", 10)
    store = Store(boot="b00t")
    store.add(Profile(label=ALPHA), now=NOW)
    store.update(ALPHA, now=NOW, state=AccountState(account=ACCOUNT), link=LIVE)
    queue = EventQueue()
    queue.kinds = select_kinds(("order",))
    lost: list[object] = []
    store.subscribe(lambda change: queue.add(change, lost.append))
    for n in range(25):
        made = order(n)
        update = TradeUpdate(event="new", order=made, event_id=str(n))
        state = AccountState(account=ACCOUNT, orders={made.id: made})
        store.update(ALPHA, now=NOW + n, state=state, updates=(update,))
    assert (len(queue), len(lost)) == (10, 15)
