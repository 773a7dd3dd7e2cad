"""`/broker/…`: the routes of programs for one account, and reading an account again."""

import json

import pytest

from realtime.store.store import Store
from tests.api.documents.made import BOOKS, LIVE, put
from tests.api.reader import Clock, Reader, reading
from tests.fleet import Fleet
from tests.sync.scene import play

NAMES = ("account", "positions", "orders")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_routes_need_no_account_id_with_one_account(
    clock: Clock, name: str, prefix: str
) -> None:
    store = Store(boot="b")
    put(store, "alpha", LIVE, BOOKS)
    async with reading(store, clock) as reader:
        alias = await reader.get(f"{prefix}/broker/{name}?use_cache=true")
        original = await reader.get(f"/realtime/{name}/alpha")
        assert (alias.status, alias.body) == (200, original.body)
        etag = original.headers["ETag"]
        assert (await reader.get(f"/broker/{name}", If_None_Match=etag)).status == 304
        assert (await reader.get("/broker/stream/status")).json["total_accounts"] == 1


@pytest.mark.parametrize("name", NAMES)
async def test_routes_need_an_account_id_with_several_accounts(reader: Reader, name: str) -> None:
    problem = (await reader.get(f"/broker/{name}")).problem(400, "bad_parameter")
    assert "5 accounts" in problem["detail"]
    alias = await reader.get(f"/broker/{name}?account_id=delta")
    assert alias.body == (await reader.get(f"/realtime/{name}/delta")).body
    (await reader.get(f"/broker/{name}?account_id=nix")).problem(404, "unknown_account")
    (await reader.get(f"/broker/{name}?account_id=charlie")).problem(503, "account_refused")


async def test_refused_account_is_not_read_again(reader: Reader) -> None:
    path = "/realtime/accounts/charlie/refresh"
    (await reader.ask("POST", path)).problem(503, "account_refused")
    (await reader.ask("POST", "/realtime/accounts/nix/refresh")).problem(404, "unknown_account")


def test_refresh_reads_the_account_now() -> None:
    async def act(fleet: Fleet) -> None:
        async def post(path: str) -> dict[str, object]:
            url = f"http://127.0.0.1:{fleet.daemon.port}{path}"
            async with fleet.http.post(url) as answer:
                assert answer.status == 200, await answer.text()
                return dict(json.loads(await answer.read()))

        cash = fleet.record("alpha").state.account
        assert cash is not None
        for number, path in enumerate(
            ("/realtime/accounts/alpha/refresh", "/api/v1/broker/cache/invalidate"), 1
        ):
            fleet.simulator.exchange.deposit("alpha", "500")
            document = await post(path)
            account = fleet.record("alpha").state.account
            assert account is not None
            assert float(account.cash or 0) - float(cash.cash or 0) == 500 * number
            assert document["version"] == fleet.record("alpha").version
            assert document["stale"] is False
        fleet.simulator.exchange.deposit("alpha", "500")
        fresh = await fleet.reader("/broker/account?use_cache=false")
        assert isinstance(fresh, dict)
        assert float(fresh["cash"]) - float(cash.cash or 0) == 1500

    play(act, accounts=1)


def test_refresh_of_an_unreachable_account_is_a_problem() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="server_error", account="alpha", status=503, for_s=60)
        url = f"http://127.0.0.1:{fleet.daemon.port}/realtime/accounts/alpha/refresh"
        async with fleet.http.post(url) as answer:
            problem = json.loads(await answer.read())
            assert (answer.status, problem["code"]) == (503, "account_unreachable")

    play(act, accounts=1)
