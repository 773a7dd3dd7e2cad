import msgspec
import pytest
from msgspec import structs

from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Order, Position
from realtime.store.store import Store
from tests.api.documents.made import ACCOUNT, BOOKS, LIVE, LOST, NOW, put
from tests.api.reader import SECURITY, Clock, Reader

ALPHA = AccountLabel("alpha")
DOCUMENTS = ["dashboard", "account", "positions", "orders"]


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_objects_are_the_brokers_own(reader: Reader, prefix: str) -> None:
    """A response decodes to what is in the store: nothing is added, renamed or lost."""
    account = await reader.get(f"{prefix}/realtime/account/alpha")
    positions = await reader.get(f"{prefix}/realtime/positions/alpha")
    orders = await reader.get(f"{prefix}/realtime/orders/alpha")
    assert msgspec.json.decode(account.body, type=Account) == ACCOUNT
    served = msgspec.json.decode(positions.body, type=list[Position])
    assert {each.symbol: each for each in served} == BOOKS.positions
    listed = msgspec.json.decode(orders.body, type=list[Order])
    assert {each.id: each for each in listed} == BOOKS.orders
    assert all("legs" in each and each["legs"] is None for each in orders.json)


async def test_absent_members_stay_absent(reader: Reader) -> None:
    document = (await reader.get("/realtime/account/alpha")).json
    assert document["status"] == "ACTIVE"
    assert "pattern_day_trader" not in document


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_headers_of_state_responses(reader: Reader, name: str) -> None:
    reply = await reader.get(f"/realtime/{name}/alpha")
    expected = {
        "ETag": '"b00t-2"',
        "Cache-Control": "no-cache",
        "Last-Modified": "Sat, 03 Oct 2026 03:59:50 GMT",
        "X-Realtime-As-Of": "2026-10-03T03:59:50.250Z",
        "X-Realtime-Stale": "false",
        "X-Realtime-Provisional": "account, positions",
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(reply.body)),
    }
    expected |= SECURITY
    assert {name: reply.headers.get(name) for name in expected} == expected


async def test_account_with_a_lost_link_is_served_and_marked_stale(reader: Reader) -> None:
    for name in DOCUMENTS:
        reply = await reader.get(f"/realtime/{name}/bravo")
        assert (reply.status, reply.headers["X-Realtime-Stale"]) == (200, "true")
    dashboard = (await reader.get("/realtime/dashboard/bravo")).json
    assert dashboard["stale_reason"] == "connection closed (1006)"
    assert len(dashboard["positions"]) == 3


@pytest.mark.parametrize(
    ("path", "total", "shown"),
    [
        ("positions/alpha", 3, 3),
        ("positions/alpha?symbol=ETH/USD", 1, 1),
        ("positions/alpha?symbol=eth%2Fusd,TSLA", 2, 2),
        ("positions/delta", 0, 0),
        ("orders/alpha", 5, 5),
        ("orders/alpha?limit=2", 5, 2),
        ("orders/alpha?status=open&limit=1", 2, 1),
        ("orders/alpha?nested=true", 3, 3),
        ("orders/alpha?nested", 3, 3),
        ("orders/alpha?nested=false", 5, 5),
        ("orders/alpha?side=sell&symbol=NVDA&symbol=AAPL", 2, 2),
    ],
)
async def test_lists_state_how_many_matched(
    reader: Reader, path: str, total: int, shown: int
) -> None:
    reply = await reader.get(f"/realtime/{path}")
    assert (reply.headers["X-Total-Count"], len(reply.json)) == (str(total), shown)


MATCHING = ['"b00t-2"', 'W/"b00t-2"', '"x", W/"b00t-2" ,"y"', "*", " * "]
OTHERS = ['"b00t-1"', '"b00t-22"', "b00t-2", '"other-2"', "", '"b00t-2', "W/*"]


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_version_that_the_client_holds_is_not_sent_again(reader: Reader, name: str) -> None:
    for held in MATCHING:
        reply = await reader.get(f"/realtime/{name}/alpha", If_None_Match=held)
        assert (reply.status, reply.body) == (304, b""), held
        assert reply.headers["ETag"] == '"b00t-2"'
        assert reply.headers["X-Realtime-Stale"] == "false"
    for held in OTHERS:
        assert (await reader.get(f"/realtime/{name}/alpha", If_None_Match=held)).status == 200, held


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_every_change_is_a_new_version(reader: Reader, store: Store, name: str) -> None:
    first = await reader.get(f"/realtime/{name}/alpha")
    store.update(ALPHA, now=NOW, link=LOST)
    second = await reader.get(f"/realtime/{name}/alpha", If_None_Match=first.headers["ETag"])
    assert (second.status, second.headers["ETag"]) == (200, '"b00t-3"')
    assert second.headers["X-Realtime-Stale"] == "true"


async def test_head_is_get_without_the_body(reader: Reader) -> None:
    for name in DOCUMENTS:
        get = await reader.get(f"/realtime/{name}/alpha")
        head = await reader.ask("HEAD", f"/realtime/{name}/alpha")
        assert head.body == b""
        ignored = {"Date"}
        assert {k: v for k, v in head.headers.items() if k not in ignored} == {
            k: v for k, v in get.headers.items() if k not in ignored
        }


UNREAD = [
    (Link(state="starting", stale_reason="no snapshot yet"), "starting", "2"),
    (Link(state="syncing"), "starting", "2"),
    (LOST, "account_unreachable", "42"),
    (Link(state="connecting", last_error_at=NOW), "account_unreachable", "2"),
    (structs.replace(LOST, next_attempt_at=NOW - 5), "account_unreachable", "1"),
    (structs.replace(LOST, next_attempt_at=None), "account_unreachable", "2"),
    (Link(state="refused", last_error_message="key refused"), "account_refused", "60"),
    (Link(state="disabled"), "account_disabled", "60"),
]


@pytest.mark.parametrize(("link", "code", "retry_after"), UNREAD)
async def test_account_that_was_never_read_is_a_problem_and_not_an_empty_list(
    reader: Reader, store: Store, link: Link, code: str, retry_after: str
) -> None:
    put(store, "foxtrot", structs.replace(link, remedy="turn it off and on"))
    for name in ("account", "positions", "orders"):
        reply = await reader.get(f"/realtime/{name}/foxtrot")
        problem = reply.problem(503, code)
        assert reply.headers["Retry-After"] == retry_after
        assert problem["remedy"] == "turn it off and on"
        assert problem["instance"] == f"/realtime/{name}/foxtrot"


async def test_dashboard_of_an_account_that_was_never_read_is_null(reader: Reader) -> None:
    reply = await reader.get("/realtime/dashboard/charlie")
    document = reply.json
    assert reply.status == 200
    assert (document["account"], document["positions"], document["orders"]) == (None, None, None)
    assert document["link"]["remedy"] == "check secrets.toml [charlie], then SIGHUP"
    assert "X-Total-Count" not in reply.headers


async def test_starting_problem_states_the_progress(reader: Reader, store: Store) -> None:
    put(store, "foxtrot", Link(state="starting"))
    problem = (await reader.get("/realtime/orders/foxtrot")).problem(503, "starting")
    assert problem["detail"].endswith("3 of 5 accounts loaded")


@pytest.mark.parametrize(
    ("label", "meant"),
    [("alhpa", "alpha"), ("ALPHA", "alpha"), ("bravo2", "bravo"), ("xyzzy", None), ("%20", None)],
)
async def test_unknown_label_names_the_nearest(
    reader: Reader, label: str, meant: str | None
) -> None:
    for name in DOCUMENTS:
        problem = (await reader.get(f"/realtime/{name}/{label}")).problem(404, "unknown_account")
        assert (f"did you mean {meant}?" in problem["remedy"]) is (meant is not None)


async def test_removed_account_is_unknown_at_once(reader: Reader, store: Store) -> None:
    assert (await reader.get("/realtime/dashboard/alpha")).status == 200
    store.remove(ALPHA)
    (await reader.get("/realtime/dashboard/alpha")).problem(404, "unknown_account")


async def test_passing_time_makes_no_new_version(
    reader: Reader, clock: Clock, store: Store
) -> None:
    first = await reader.get("/realtime/dashboard/alpha")
    clock.now += 1000
    store.record_message(ALPHA, now=clock.now)
    second = await reader.get("/realtime/dashboard/alpha")
    assert (second.headers["ETag"], second.body) == (first.headers["ETag"], first.body)
    assert store.records[ALPHA].link == LIVE
