from collections.abc import AsyncIterator

import pytest

from realtime.store.store import Store
from tests.api.reader import Clock, Reader, reading

PAGE = "https://page.example"
STRANGER = "https://stranger.example"


@pytest.fixture
async def shared(store: Store, clock: Clock) -> AsyncIterator[Reader]:
    async with reading(store, clock, [PAGE]) as reader:
        yield reader


async def test_no_origin_is_allowed_unless_named(reader: Reader) -> None:
    reply = await reader.get("/realtime/accounts", Origin=PAGE)
    assert reply.status == 200
    assert "Access-Control-Allow-Origin" not in reply.headers


@pytest.mark.parametrize(
    "path", ["/realtime/accounts", "/realtime/account/nobody", "/api/v1/livez"]
)
async def test_a_named_origin_may_read_answers_and_problems(shared: Reader, path: str) -> None:
    reply = await shared.get(path, Origin=PAGE)
    assert reply.headers["Access-Control-Allow-Origin"] == PAGE
    assert "X-Realtime-Stale" in reply.headers["Access-Control-Expose-Headers"]
    assert reply.headers["Vary"] == "Origin"


async def test_a_named_origin_may_revalidate(shared: Reader) -> None:
    reply = await shared.get("/realtime/account/alpha", Origin=PAGE, If_None_Match="*")
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (304, PAGE)


async def test_a_stranger_gets_no_permission(shared: Reader) -> None:
    reply = await shared.get("/realtime/accounts", Origin=STRANGER)
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert reply.headers["Vary"] == "Origin"


async def test_an_unknown_route_has_no_permission_and_no_crash(shared: Reader) -> None:
    (await shared.get("/nix", Origin=PAGE)).problem(404, "unknown_route")


async def test_preflight(shared: Reader) -> None:
    asked = {"Access_Control_Request_Method": "GET"}
    path = "/realtime/account/alpha"
    good = await shared.ask(
        "OPTIONS", path, Origin=PAGE, Access_Control_Request_Headers="if-none-match", **asked
    )
    assert (good.status, good.headers["Access-Control-Allow-Methods"]) == (200, "GET")
    assert good.headers["Server"] == "realtime"
    bad = await shared.ask("OPTIONS", path, Origin=STRANGER, **asked)
    bad.problem(403, "cors_refused")
    wrong = await shared.ask(
        "OPTIONS", path, Origin=PAGE, Access_Control_Request_Headers="x-other", **asked
    )
    wrong.problem(403, "cors_refused")
