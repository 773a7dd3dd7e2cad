"""`GET /alerts`, and the event `alert`."""

from decimal import Decimal

from msgspec import structs

from realtime.analytics.alert_log import AlertLog
from realtime.analytics.tier_bounds import Bounds
from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.sse_encoder import SseEncoder
from tests.api.documents.made import NOW, fleet
from tests.api.guarded import get, guarded, token
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


async def test_a_hidden_alert_is_listed_apart_until_its_time_is_over() -> None:
    clock = Clock()
    async with reading(fleet(), clock, alerts=log_with_alert()) as reader:
        alert = (await reader.get("/alerts")).json["over"][0]
        names = ("rule", "state", "symbol", "order_id")
        query = "&".join(f"{name}={alert[name]}" for name in names if alert[name])
        hidden = (await reader.ask("POST", f"/alerts/alpha/hide?{query}")).json
        assert (hidden["hidden_by"], hidden["rule"]) == ("local", alert["rule"])
        lists = (await reader.get("/alerts")).json
        assert lists["hidden"] == [hidden]
        assert alert not in lists["over"]
        body = (await reader.get("/metrics")).body.decode()
        count = len(lists["over"]) + 1
        assert f'realtime_tier_alerts{{state="over"}} {count}' in body  # it stays counted
        assert (await reader.ask("POST", f"/alerts/alpha/hide?{query}&hide=no")).status == 200
        assert (await reader.get("/alerts")).json["over"] == [alert, *lists["over"]]
        await reader.ask("POST", f"/alerts/alpha/hide?{query}")
        clock.now += 3600
        assert (await reader.get("/alerts")).json["hidden"] == []
        (
            await reader.ask("POST", "/alerts/alpha/hide?rule=order_risk&state=over&symbol=X")
        ).problem(404, "unknown_alert")
        (await reader.ask("POST", f"/alerts/nobody/hide?{query}")).problem(404, "unknown_account")


async def test_hiding_needs_the_permission_to_trade() -> None:
    request = "/alerts/alpha/hide?rule=order_risk&state=over&symbol=AAPL"
    async with guarded(fleet(), Clock(), open_reads=True, alerts=log_with_alert()) as server:
        for bearer, status in ((None, 401), (token(), 403), (token(permissions=["trading"]), 404)):
            (answer,) = await server.exchange(get(request, bearer, method="POST"))
            assert answer.status == status, answer


async def test_no_page_of_another_origin_hides_an_alert() -> None:
    path = "/alerts/alpha/hide?rule=order_risk&state=over&symbol=AAPL"
    async with reading(fleet(), Clock(), alerts=log_with_alert()) as reader:
        answer = await reader.ask("POST", path, Origin="https://evil.example")
        answer.problem(403, "cross_origin")
