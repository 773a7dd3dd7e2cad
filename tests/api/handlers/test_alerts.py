"""`GET /alerts`, and the event `alert`."""

from decimal import Decimal

from msgspec import structs

from realtime.analytics.tier_bounds import AlertLog, Bounds
from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.sse_encoder import SseEncoder
from tests.api.documents.made import NOW, fleet
from tests.api.reader import Clock, reading

BOUNDS = Bounds(risk_pct=Decimal("0.001"))


def log_with_alert() -> AlertLog:
    alerts = AlertLog()
    alpha = fleet().get("alpha")
    assert alpha is not None
    profile = structs.replace(alpha.profile, tier="tiny", initial_balance="100000")
    alerts.update(structs.replace(alpha, profile=profile), BOUNDS, NOW - 5)
    return alerts


async def test_open_alerts_of_the_accounts_that_are_asked_for() -> None:
    async with reading(fleet(), Clock(), alerts=log_with_alert()) as reader:
        document = (await reader.get("/alerts")).json
        assert document["watched"]
        first = document["over"][0]
        assert (first["account_id"], first["rule"]) == ("alpha", "order_risk")
        assert (first["tier"], first["ended_at"]) == ("tiny", None)
        assert (await reader.get("/alerts?account_id=bravo")).json["over"] == []
        (await reader.get("/alerts?account_id=nobody")).problem(404, "unknown_account")


async def test_without_tiers_nothing_is_watched() -> None:
    async with reading(fleet(), Clock()) as reader:
        document = (await reader.get("/alerts")).json
        assert (document["watched"], document["over"]) == (False, [])
        assert "realtime_tier_alerts" not in (await reader.get("/metrics")).body.decode()


async def test_metrics_count_alerts_by_state() -> None:
    async with reading(fleet(), Clock(), alerts=log_with_alert()) as reader:
        body = (await reader.get("/metrics")).body.decode()
        assert 'realtime_tier_alerts{state="over"}' in body


def test_an_alert_is_an_event() -> None:
    store, buffer = fleet(), EventBuffer()
    buffer.add_alert(log_with_alert().open()[0])
    (event,) = buffer.get_after(0)
    body = SseEncoder(store, buffer).encode(event)
    assert body.startswith(b"event: alert\ndata: {")
    assert b'"rule":"order_risk"' in body
