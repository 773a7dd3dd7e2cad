"""Go and C#, played: the same assertions at the simulator and at the daemon."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tests.compat.broker import Broker
from tests.compat.localhost import EITHER, Localhost, skip_at_localhost
from tests.compat.trader import Trader
from tests.compat.transcripts import (
    ACCOUNT,
    CLOCK,
    ORDER,
    POSITION,
    Refused,
    RestClient,
    open_socket,
    receive,
    require,
)

pytestmark = [pytest.mark.compat, EITHER]

GO = "APCA-GO/3.9.0 GoRuntime/1.24"
CSHARP = "APCA-DOTNET/8.0.0 (.NET 9.0)"
BODIES = {
    # Strings in Go; decimals with a point in C#.
    GO: '{"symbol":"KO","qty":"2","side":"buy","type":"limit","time_in_force":"day",'
    '"limit_price":"2"}',
    CSHARP: '{"symbol":"KO","qty":2.0,"side":"buy","type":"limit","time_in_force":"day",'
    '"limit_price":2.0,"client_order_id":null,"order_class":null}',
}
QUERIES = {
    GO: "status=open&limit=50&direction=desc&nested=false&after=2026-10-01T00%3A00%3A00Z",
    CSHARP: "status=open&limit=50&direction=desc&nested=False"
    "&after=2026-10-01T00%3A00%3A00.0000000Z&symbols=KO%2CBTC%2FUSD",
}
BOTH = pytest.mark.parametrize("agent", [GO, CSHARP], ids=["go", "csharp"])


@pytest.fixture
def rest(trader: Trader, agent: str) -> Iterator[RestClient]:
    label = trader.label
    client = RestClient(trader.broker.url, f"demo-{label}", f"demo-secret-{label}", agent)
    yield client
    client.close()


@BOTH
def test_account_clock_and_calendar_have_what_the_client_requires(rest: RestClient) -> None:
    require(rest.send("GET", "/v2/account"), **ACCOUNT)
    require(rest.send("GET", "/v2/clock"), **CLOCK)
    start = "2026-10-05T00%3A00%3A00.0000000Z"
    days = rest.send("GET", f"/v2/calendar?start={start}&end=2026-10-07")
    assert [day["date"] for day in days] == ["2026-10-05", "2026-10-06", "2026-10-07"]
    asset = rest.send("GET", "/v2/assets/AAPL")
    require(asset, id="id", symbol="text", status="text", tradable="flag", easy_to_borrow="flag")


@BOTH
def test_an_order_is_placed_read_replaced_and_canceled(
    trader: Trader, rest: RestClient, agent: str
) -> None:
    """After each change the client reads its own write."""
    order = rest.send("POST", "/v2/orders", BODIES[agent])
    require(order, **ORDER, qty="decimal", limit_price="decimal")
    listed = rest.send("GET", f"/v2/orders?{QUERIES[agent]}")
    assert [row["id"] for row in listed] == [order["id"]]
    trader.broker.step()
    one = rest.send("GET", f"/v2/orders/{order['id']}?nested=false")
    wanted = f"client_order_id={order['client_order_id']}"
    assert one == rest.send("GET", f"/v2/orders:by_client_order_id?{wanted}")
    change = '{"qty":"3"}' if agent == GO else '{"qty":3}'
    replaced = rest.send("PATCH", f"/v2/orders/{order['id']}", change)
    require(replaced, **ORDER, replaces="id")
    assert rest.send("GET", f"/v2/orders/{replaced['id']}")["qty"] == "3"
    trader.broker.step()
    assert rest.send("DELETE", f"/v2/orders/{replaced['id']}") is None
    assert rest.send("GET", f"/v2/orders/{replaced['id']}")["status"] in (
        "pending_cancel", "canceled",
    )  # fmt: skip
    trader.broker.step()
    assert rest.send("GET", "/v2/orders?status=open&limit=50&nested=false") == []


@BOTH
def test_a_position_is_read_in_each_spelling_and_closed(trader: Trader, rest: RestClient) -> None:
    trader.own("BTC/USD", 0.5)
    (position,) = rest.send("GET", "/v2/positions")
    require(position, **POSITION)
    for target in ("BTCUSD", "BTCUSD?symbol=BTCUSD", position["asset_id"]):
        assert rest.send("GET", f"/v2/positions/{target}") == position
    closing = rest.send("DELETE", "/v2/positions/BTCUSD?percentage=50")
    require(closing, **ORDER)
    trader.broker.settle()
    skip_at_localhost(trader.broker, "a second close waits ten seconds for the first")
    (item,) = rest.send("DELETE", "/v2/positions?cancel_orders=True")
    assert (item["symbol"], item["status"]) == ("BTCUSD", 200)
    require(item["body"], **ORDER)


@BOTH
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v2/orders", '{"symbol":"AAPL","qty":"90000000","side":"buy","type":"market",'
         '"time_in_force":"day"}', 403),
        ("GET", "/v2/positions/AAPL", None, 404),
        ("GET", f"/v2/orders/{UUID(int=7)}", None, 404),
        ("DELETE", f"/v2/orders/{UUID(int=7)}", None, 404),
        ("GET", "/v2/orders?limit=501", None, 422),
    ],
)  # fmt: skip
def test_a_refusal_has_code_and_message(
    rest: RestClient, method: str, path: str, body: str | None, status: int
) -> None:
    with pytest.raises(Refused) as refused:
        rest.send(method, path, body)
    assert refused.value.status == status
    assert refused.value.code in (status * 100_000 + 10_000, 40010001)
    assert refused.value.message


def test_csharp_listens_with_binary_frames(target: Broker | Localhost, trader: Trader) -> None:
    """It sends JSON as binary, in the old form, and requires `stream` and `data` of each frame."""
    listens = target.count_listens(trader.label)
    with open_socket(target.stream_url) as stream:
        keys = {"key_id": f"demo-{trader.label}", "secret_key": f"demo-secret-{trader.label}"}
        stream.send(json.dumps({"action": "authenticate", "data": keys}).encode())
        answer = receive(stream)
        assert (answer["stream"], answer["data"]["status"]) == ("authorization", "authorized")
        listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
        stream.send(json.dumps(listen).encode())
        assert receive(stream)["data"]["streams"] == ["trade_updates"]
        assert target.count_listens(trader.label) == listens + 1
        order = trader.own("AAPL", 3)
        assert order is not None
        filled = None
        while filled != "fill":
            update = receive(stream)
            assert update["stream"] == "trade_updates"
            require(update["data"]["order"], **ORDER)
            require(update["data"], event="text", at="time", timestamp="time")
            filled = update["data"]["event"]


def test_csharp_with_wrong_keys_is_unauthorized(target: Broker | Localhost) -> None:
    with open_socket(target.stream_url) as stream:
        keys = {"key_id": "demo-alpha", "secret_key": "wrong"}
        stream.send(json.dumps({"action": "authenticate", "data": keys}).encode())
        assert receive(stream)["data"]["status"] == "unauthorized"


def read_events(response: http.client.HTTPResponse, until: str) -> list[Any]:
    """Events as Go reads them: lines `data: {…}`, all others skipped; `at` must rise."""
    events: list[Any] = []
    while not events or events[-1]["event"] != until:
        line = response.readline()
        assert line, "an orderly end would end Go's listener without an error"
        if line.startswith(b"data: "):
            events.append(json.loads(line[6:]))
            require(events[-1], at="time", event_id="text", event="text")
            require(events[-1]["order"], **ORDER)
    at = [event["at"] for event in events]
    assert at == sorted(set(at))
    return events


def test_go_follows_events_and_resumes_after_the_last(
    target: Broker | Localhost, trader: Trader
) -> None:
    if not isinstance(target, Localhost):
        pytest.skip("the simulator has no event stream")
    parts = urlsplit(target.url)
    assert parts.hostname is not None
    headers = {
        "APCA-API-KEY-ID": f"demo-{trader.label}",
        "APCA-API-SECRET-KEY": f"demo-secret-{trader.label}",
        "User-Agent": GO,
        "Accept": "text/event-stream",
    }

    @contextmanager
    def follow(query: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        with closing(connection):
            connection.request("GET", f"/v2/events/trades{query}", headers=headers)
            with connection.getresponse() as response:
                media = response.getheader("Content-Type")
                assert (response.status, media) == (200, "text/event-stream")
                yield response

    with follow("") as response:
        trader.own("AAPL", 1)
        first = read_events(response, "fill")
    trader.own("AAPL", 2)  # while it is not connected
    last = first[-1]["at"]
    since = f"{last[:-1]}001Z" if "." in last else f"{last[:-1]}.000000001Z"
    with follow(f"?since={since}") as response:
        missed = read_events(response, "fill")
    assert missed[0]["event"] == "pending_new"
    assert not {event["event_id"] for event in missed} & {event["event_id"] for event in first}
    with follow(f"?since_id={first[0]['event_id']}") as response:
        assert read_events(response, "fill")[: len(first) - 1] == first[1:]
