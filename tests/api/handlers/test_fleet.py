import pytest

from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests.api.documents.made import BOOKS, LIVE, NOW
from tests.api.reader import Clock, Reader


async def test_table_of_accounts(reader: Reader) -> None:
    reply = await reader.get("/realtime/accounts")
    assert reply.headers["ETag"] == '"b00t-10"'
    assert reply.headers["X-Total-Count"] == "5"
    assert list(reply.json) == ["as_of", "total", "accounts"]
    assert reply.json["accounts"][0] == {
        "account_id": "alpha",
        "name": "Alpha",
        "tier": "premium",
        "paper": True,
        "equity": "100281.40",
        "last_equity": "100000",
        "cash": "5000.5",
        "buying_power": "20000",
        "day_pl": "281.4",
        "initial_balance": None,
        "net_flows": None,
        "flows_today": None,
        "total_pl": None,
        "total_pl_pct": None,
        "total_pl_unknown": "no initial_balance is configured",
        "positions": 3,
        "open_orders": 2,
        "connected": True,
        "stale": False,
        "as_of": "2026-10-03T03:59:50.250Z",
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["alpha", "bravo", "charlie", "delta", "echo"]),
        ("?order=desc", ["echo", "delta", "charlie", "bravo", "alpha"]),
        ("?sort=day_pl&order=desc", ["alpha", "bravo", "delta", "charlie", "echo"]),
        ("?state=synced,refused&tier=basic", ["charlie", "delta"]),
        ("?account_id=echo,alpha&sort=account_id", ["alpha", "echo"]),
        ("?limit=2&offset=1", ["bravo", "charlie"]),
        ("?offset=9", []),
        ("?tier=gold", []),
    ],
)
async def test_table_queries(reader: Reader, query: str, expected: list[str]) -> None:
    reply = await reader.get(f"/api/v1/realtime/accounts{query}")
    assert [row["account_id"] for row in reply.json["accounts"]] == expected


async def test_filter_by_an_unknown_label_is_an_error(reader: Reader) -> None:
    reply = await reader.get("/realtime/accounts?account_id=alpha,alhpa")
    assert "did you mean alpha?" in reply.problem(404, "unknown_account")["remedy"]


async def test_table_is_not_sent_twice(reader: Reader, store: Store) -> None:
    first = await reader.get("/realtime/accounts")
    held = first.headers["ETag"]
    assert (await reader.get("/realtime/accounts", If_None_Match=held)).status == 304
    store.update(AccountLabel("charlie"), now=NOW, link=LIVE)
    second = await reader.get("/realtime/accounts", If_None_Match=held)
    assert (second.status, second.json["as_of"]) == (200, "2026-10-03T04:00:00.250Z")


@pytest.mark.parametrize(
    "path", ["/websocket/status", "/realtime/status", "/api/v1/realtime/status"]
)
async def test_status(reader: Reader, path: str) -> None:
    reply = await reader.get(path)
    document = reply.json
    assert (document["total_accounts"], document["connected_accounts"]) == (5, 2)
    assert document["by_state"]["synced"] == 2
    assert document["accounts"]["bravo"]["next_attempt_in_s"] == 41.3
    assert document["accounts"]["charlie"]["has_data"] is False
    assert reply.headers["Cache-Control"] == "no-store"
    assert "ETag" not in reply.headers


async def test_status_is_never_conditional(reader: Reader, clock: Clock) -> None:
    first = await reader.get("/realtime/status", If_None_Match="*")
    clock.now += 1
    second = await reader.get("/realtime/status", If_None_Match="*")
    assert (first.status, second.status) == (200, 200)
    assert second.json["accounts"]["bravo"]["next_attempt_in_s"] == 40.3


async def test_status_pages(reader: Reader) -> None:
    reply = await reader.get("/realtime/status?state=synced,waiting&limit=1&offset=1")
    assert list(reply.json["accounts"]) == ["bravo"]
    assert reply.json["total_accounts"] == 5
    assert reply.headers["X-Total-Count"] == "3"


async def test_summary_of_the_fleet(reader: Reader) -> None:
    reply = await reader.get("/realtime/summary")
    assert reply.json["equity"] == "209562.8"
    assert (reply.json["accounts"], reply.json["unread"], reply.json["synced"]) == (4, 1, 2)


async def test_summary_is_not_sent_twice(store: Store, reader: Reader) -> None:
    held = (await reader.get("/realtime/summary")).headers["ETag"]
    assert (await reader.get("/realtime/summary", If_None_Match=held)).status == 304
    store.update(AccountLabel("charlie"), now=NOW, link=LIVE, state=BOOKS)
    reply = await reader.get("/realtime/summary", If_None_Match=held)
    assert (reply.status, reply.json["unread"]) == (200, 0)
