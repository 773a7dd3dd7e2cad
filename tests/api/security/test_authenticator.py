"""Who sees what: on the first request, and on those that are answered from memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from realtime.api.events.broadcaster import Broadcaster
from realtime.api.fastpath.fast_connection import FastConnection
from realtime.api.fastpath.runner import CONNECTION_LIMITER, RESPONSE_CACHE
from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRules
from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests.api.documents.made import BOOKS, LIVE, NOW, put
from tests.api.guarded import ALL, Guarded, get, guarded, read_answer, token
from tests.api.reader import Clock
from tests.auth.made import OTHER_SECRET

DASHBOARD = "/realtime/dashboard/alpha"
ALPHA = token(account_id="alpha")
CHARLIE = token(account_id=["charlie"])
EVERYTHING = token(**ALL)


@pytest.fixture
async def server(store: Store, clock: Clock) -> AsyncIterator[Guarded]:
    async with guarded(store, clock) as server:
        yield server


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/"])
async def test_probes_want_no_token(server: Guarded, path: str) -> None:
    assert (await server.get(path)).status == 200
    assert (await server.get(path, "nonsense")).status == 200


@pytest.mark.parametrize(
    "path",
    [DASHBOARD, "/api/v1" + DASHBOARD, "/realtime/accounts", "/realtime/status", "/realtime"],
)
async def test_everything_else_does(server: Guarded, path: str) -> None:
    answer = await server.get(path)
    assert (answer.status, answer.code) == (401, "token_missing")
    assert 'WWW-Authenticate: Bearer realm="realtime"\r\n' in answer.head
    assert (await server.get(path, EVERYTHING)).status == 200
    assert "error=" in (await server.get(path, "nonsense")).head


@pytest.mark.parametrize("kind", ["dashboard", "account", "positions", "orders"])
async def test_a_foreign_account_is_one_that_does_not_exist(server: Guarded, kind: str) -> None:
    """Letter for letter, but for the label that the reader wrote."""
    foreign = await server.get(f"/realtime/{kind}/bravo", ALPHA)
    absent = await server.get(f"/realtime/{kind}/brxvo", ALPHA)
    assert foreign.status == 404
    assert foreign.body.replace(b"bravo", b"brxvo") == absent.body
    assert foreign.head == absent.head
    assert b"did you mean" not in foreign.body
    assert (await server.get(f"/realtime/{kind}/bravo", token(account_id="bravo"))).status == 200


async def test_lists_show_what_a_token_may_see(server: Guarded) -> None:
    two = token(account_id=["delta", "alpha", "nobody"])
    for path in ("/realtime/accounts", "/realtime/accounts?sort=equity"):
        document = (await server.get(path, two)).json
        assert {row["account_id"] for row in document["accounts"]} == {"alpha", "delta"}
        assert document["total"] == 2
    status = (await server.get("/websocket/status", two)).json
    assert list(status["accounts"]) == ["alpha", "delta"]
    assert (status["total_accounts"], status["connected_accounts"]) == (2, 2)
    assert status["by_state"]["refused"] == 0
    foreign = await server.get("/realtime/accounts?account_id=bravo", two)
    assert foreign.code == "unknown_account"


async def test_a_token_of_no_account_sees_none(server: Guarded) -> None:
    nobody = token(account_id=[])
    assert (await server.get("/realtime/accounts", nobody)).json["accounts"] == []
    assert (await server.get("/realtime/status", nobody)).json["total_accounts"] == 0
    assert (await server.get(DASHBOARD, nobody)).status == 404


async def test_the_same_question_by_different_holders(server: Guarded) -> None:
    """In turns, over one connection, so that every answer from memory follows another's."""
    heads = {name: get("/realtime/accounts", name) for name in (ALPHA, CHARLIE, EVERYTHING)}
    async with asyncio.timeout(30):
        source, sink = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(3):
            seen = []
            for head in heads.values():
                sink.write(head)
                rows = (await read_answer(source)).json["accounts"]
                seen.append([row["account_id"] for row in rows])
            assert seen == [["alpha"], ["charlie"], ["alpha", "bravo", "charlie", "delta", "echo"]]
        sink.close()
    assert server.app[RESPONSE_CACHE].hits == 6


async def test_what_others_do_is_not_told_by_a_version(server: Guarded, store: Store) -> None:
    first = await server.get("/realtime/accounts", CHARLIE)
    store.update(AccountLabel("alpha"), now=NOW + 5, link=store.records[AccountLabel("bravo")].link)
    second = await server.get("/realtime/accounts", CHARLIE)
    assert (first.head.split("Date")[0], first.body) == (second.head.split("Date")[0], second.body)
    tag = first.head.partition("ETag: ")[2].partition("\r\n")[0]
    matched = await server.get("/realtime/accounts", CHARLIE, f"If-None-Match: {tag}")
    assert matched.status == 304
    unscoped = await server.get("/realtime/accounts", EVERYTHING, f"If-None-Match: {tag}")
    assert unscoped.status == 200
    store.update(AccountLabel("charlie"), now=NOW + 6, link=LIVE)
    assert (await server.get("/realtime/accounts", CHARLIE)).head != first.head


async def test_an_account_that_is_added_is_seen_by_who_may(server: Guarded, store: Store) -> None:
    later = token(account_id=["later"])
    assert (await server.get("/realtime/dashboard/later", later)).status == 404
    put(store, "later", LIVE, BOOKS)
    assert (await server.get("/realtime/dashboard/later", later)).status == 200
    assert (await server.get("/realtime/accounts", later)).json["total"] == 1


@pytest.mark.parametrize("remembered", [False, True])
async def test_a_token_ends_on_time(server: Guarded, clock: Clock, remembered: bool) -> None:
    head = get(DASHBOARD, ALPHA)
    if remembered:
        assert [each.status for each in await server.exchange(head, 3)] == [200] * 3
        assert server.app[RESPONSE_CACHE].hits == 2
    clock.now = NOW + 600
    for answer in await server.exchange(head, 2):
        assert (answer.status, answer.code) == (401, "token_expired")


@pytest.mark.parametrize("remembered", [False, True])
async def test_a_changed_secret_ends_all(server: Guarded, remembered: bool) -> None:
    head = get(DASHBOARD, ALPHA)
    if remembered:
        await server.exchange(head, 3)
    server.verifier.update(TokenRules(leeway_s=0), parse_secrets(OTHER_SECRET))
    server.app[RESPONSE_CACHE].clear()
    for answer in await server.exchange(head, 2):
        assert (answer.status, answer.code) == (401, "token_invalid")


async def test_permissions_do_not_include_each_other(server: Guarded) -> None:
    for permission in ("trading", "market_data", "admin"):
        other = await server.get(DASHBOARD, token(permissions=[permission]))
        assert (other.status, other.code) == (403, "permission_missing")
        assert "account_access" in other.json["detail"]


async def test_open_ops_opens_no_account(store: Store, clock: Clock) -> None:
    async with guarded(store, clock, open_ops=True) as server:
        assert (await server.get("/realtime")).status == 200
        for path in (DASHBOARD, "/realtime/accounts", "/realtime/status"):
            assert (await server.get(path)).status == 401


@pytest.mark.parametrize("remembered", [False, True])
async def test_a_token_has_its_pace(store: Store, clock: Clock, remembered: bool) -> None:
    async with guarded(store, clock, requests_per_s=5) as server:
        path = DASHBOARD if remembered else "/realtime"
        answers = await server.exchange(get(path, ALPHA), 8)
        assert [each.status for each in answers] == [200] * 5 + [429] * 3
        assert answers[-1].code == "too_many_requests"
        assert "Retry-After: 1\r\n" in answers[-1].head
        assert (await server.exchange(get(path, EVERYTHING)))[0].status == 200
        clock.now += 1
        answers = await server.exchange(get(path, ALPHA), 6)
        assert [each.status for each in answers] == [200] * 5 + [429]


async def test_answers_say_that_they_are_one_readers(server: Guarded) -> None:
    for answer in (await server.get(DASHBOARD, ALPHA), await server.get(DASHBOARD)):
        assert "Authorization, Cookie" in answer.head.partition("Vary: ")[2].partition("\r\n")[0]


class Listener:
    """Somebody whom the daemon pushes to."""

    def __init__(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self.source = source
        self.sink = sink
        self.told = b""

    async def expires_at(self, words: bytes) -> bytes:
        """All that was told up to some words."""
        async with asyncio.timeout(30):
            while words not in self.told:
                more = await self.source.read(65536)
                assert more, self.told
                self.told += more
        return self.told

    async def end(self) -> bytes:
        """All that was told until the end."""
        async with asyncio.timeout(30):
            self.told += await self.source.read()
        return self.told


@asynccontextmanager
async def listening(server: Guarded, path: str, name: str) -> AsyncIterator[Listener]:
    listener = Listener(*await asyncio.open_connection("127.0.0.1", server.port))
    listener.sink.write(get(path, name))
    try:
        yield listener
    finally:
        listener.sink.close()


async def test_push_tells_what_a_token_may_see(server: Guarded, store: Store) -> None:
    async with listening(server, "/realtime/events", ALPHA) as listener:
        await listener.expires_at(b"event: ready")
        lost = store.records[AccountLabel("bravo")].link
        store.update(AccountLabel("charlie"), now=NOW + 1, link=LIVE)
        store.update(AccountLabel("alpha"), now=NOW + 1, link=lost)
        told = await listener.expires_at(b'"connected":false')
    assert b'"alpha"' in told
    for other in (b"bravo", b"charlie", b"delta", b"echo"):
        assert other not in told


@pytest.mark.parametrize("accounts", [[], ["nowhere"]])
async def test_token_without_an_account_gets_no_event_stream(
    server: Guarded, accounts: list[str]
) -> None:
    answer = await server.get("/realtime/events", token(account_id=accounts))
    assert (answer.status, answer.code) == (403, "no_account")


async def test_lists_of_a_token_without_an_account_claim_nothing(server: Guarded) -> None:
    nothing = token(account_id=[])
    accounts = (await server.get("/realtime/accounts", nothing)).json
    assert accounts["as_of"].startswith("2026-")
    assert (await server.get("/realtime/summary", nothing)).json["status"] == "degraded"


async def test_push_of_a_foreign_account_is_refused(server: Guarded) -> None:
    answer = await server.get("/realtime/events?account_id=bravo", ALPHA)
    assert answer.code == "unknown_account"


async def test_push_ends_with_its_token(server: Guarded, clock: Clock) -> None:
    clock.now = int(NOW) + 599.8
    async with listening(server, "/realtime/events", ALPHA) as listener:
        assert (await listener.end()).endswith(b"0\r\n\r\n")
    clock.now = NOW + 601
    assert (await server.get("/realtime/events", ALPHA)).code == "token_expired"


async def test_open_reads_need_no_token_and_nothing_else_is_open(
    store: Store, clock: Clock
) -> None:
    async with guarded(store, clock, open_reads=True) as server:
        for path in (DASHBOARD, "/realtime/accounts", "/realtime"):
            assert (await server.get(path)).status == 200
        assert (await server.get(DASHBOARD, "no.such.token")).code == "token_invalid"
        assert (await server.get("/metrics")).code == "token_missing"
        post = get("/session/links", None, "Content-Length: 0", method="POST")
        assert (await server.exchange(post))[0].code == "token_missing"
        server.verifier.update(TokenRules(leeway_s=0), parse_secrets(OTHER_SECRET))
        hits = server.app[RESPONSE_CACHE].hits
        await server.exchange(get(DASHBOARD), 3)
        assert server.app[RESPONSE_CACHE].hits == hits + 2


async def test_an_address_has_its_rate_of_open_reads_from_the_cache_too(
    store: Store, clock: Clock
) -> None:
    async with guarded(store, clock, open_reads=True, requests_per_s=3) as server:
        cache = server.app[RESPONSE_CACHE]
        source, sink = await asyncio.open_connection("127.0.0.1", server.port)

        async def read(times: int) -> None:
            for _ in range(times):
                sink.write(get(DASHBOARD))
                assert (await read_answer(source)).status == 200

        await read(10)
        assert cache.hits == 9, "this machine is not limited"
        for connection in server.app[CONNECTION_LIMITER].connections():
            assert isinstance(connection, FastConnection)
            connection._address = "192.0.2.1"
        await read(10)
        assert cache.hits == 9 + 3
        sink.close()


async def test_one_token_has_a_share_of_the_event_streams(store: Store, clock: Clock) -> None:
    broadcaster = Broadcaster(store, clock, max_subscribers=8)
    async with (
        guarded(store, clock, broadcast=broadcaster) as server,
        AsyncExitStack() as stack,
    ):
        for _ in range(2):
            await stack.enter_async_context(listening(server, "/realtime/events", ALPHA))
        refused = await server.get("/realtime/events", ALPHA)
        assert (refused.status, refused.code) == (503, "too_many_subscribers")
        await stack.enter_async_context(listening(server, "/realtime/events", CHARLIE))
