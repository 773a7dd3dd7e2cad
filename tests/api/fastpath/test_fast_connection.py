"""Whatever bytes a reader sends, in whatever pieces: with the shortcut and without it, the same."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime.api import listener as listen
from realtime.api.fastpath.response_cache import ResponseCache
from realtime.api.fastpath.runner import RESPONSE_CACHE
from realtime.api.listener import serve
from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests.api.documents.made import LOST, NOW
from tests.api.reader import Clock, application

LIMIT_S = 30.0
ALPHA = AccountLabel("alpha")
TURNS = 12
"""Turns of the event loop in which a server surely has taken up and answered a request."""
DATE = re.compile(rb"\r\nDate: [^\r]*")


class Pair:
    """Two servers of one store: one with the shortcut, one of plain aiohttp."""

    def __init__(self, quick: int, plain: int, cache: ResponseCache) -> None:
        self.quick = quick
        self.plain = plain
        self.cache = cache

    async def agree(self, *pieces: bytes) -> bytes:
        """What both answer to these pieces; each is sent once the one before was taken up."""
        quick, plain = [await talk(port, pieces) for port in (self.quick, self.plain)]
        assert quick == plain
        return quick


@asynccontextmanager
async def pair_of(store: Store, clock: Clock, origins: Sequence[str] = ()) -> AsyncIterator[Pair]:
    quick, plain = (application(store, clock, origins) for _ in range(2))
    cache = quick[RESPONSE_CACHE]
    del plain[RESPONSE_CACHE]
    async with serve(quick, "127.0.0.1", 0) as one, serve(plain, "127.0.0.1", 0) as other:
        yield Pair(one, other, cache)


@pytest.fixture
async def pair(store: Store, clock: Clock) -> AsyncIterator[Pair]:
    async with pair_of(store, clock) as pair:
        yield pair


async def talk(port: int, pieces: Iterable[bytes]) -> bytes:
    """All that a server answers to the pieces until it closes, without the time of day."""
    async with asyncio.timeout(LIMIT_S):
        source, sink = await asyncio.open_connection("127.0.0.1", port)
        answer = asyncio.create_task(source.read())
        for piece in (*pieces, BYE):
            if answer.done():
                break
            sink.write(piece)
            for _ in range(TURNS * (1 + piece.count(b"HTTP/"))):
                await asyncio.sleep(0)
        try:
            return DATE.sub(b"", await answer)
        finally:
            sink.close()


def get(path: str, *lines: str, method: str = "GET", http: str = "1.1") -> bytes:
    head = [f"{method} {path} HTTP/{http}", "Host: x", *lines, "", ""]
    return "\r\n".join(head).encode()


BYE = get("/livez", "Connection: close")
PATHS = [
    "/realtime/dashboard/alpha",
    "/api/v1/realtime/account/alpha",
    "/realtime/positions/alpha",
    "/realtime/orders/alpha",
    "/realtime/orders/alpha?limit=2&status=open",
    "/realtime/accounts",
    "/realtime/accounts?sort=equity",
    "/realtime/status",
    "/websocket/status",
]
OTHERS = ["/realtime/account/charlie", "/realtime/dashboard/nobody", "/health", "/livez", "/", "/x"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_hit_is_a_miss_letter_for_letter(pair: Pair, path: str) -> None:
    await pair.agree(*[get(path)] * 5)
    assert pair.cache.hits == 4


@pytest.mark.parametrize("path", OTHERS)
async def test_what_is_no_answer_of_state_is_never_remembered(pair: Pair, path: str) -> None:
    await pair.agree(*[get(path)] * 3)
    assert (pair.cache.hits, len(pair.cache)) == (0, 0)


UNUSUAL = {
    "close": get(PATHS[0], "Connection: close"),
    "http 1.0": get(PATHS[0], http="1.0"),
    "http 1.0 kept": get(PATHS[0], "Connection: keep-alive", http="1.0"),
    "head": get(PATHS[0], method="HEAD"),
    "post": get(PATHS[0], method="POST"),
    "options": get(PATHS[0], method="OPTIONS"),
    "body": get(PATHS[0], "Content-Length: 4") + b"abcd",
    "body that looks like an end": get(PATHS[0], "Content-Length: 4") + b"\r\n\r\n",
    "body that looks like a head": get(PATHS[0], f"Content-Length: {len(get('/x'))}") + get("/x"),
    "empty chunks": get(PATHS[0], "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunks": get(PATHS[0], "Transfer-Encoding: chunked") + b"2\r\nab\r\n0\r\n\r\n",
    "upgrade": get(PATHS[0], "Connection: Upgrade", "Upgrade: websocket"),
    "upgrade and more": get(PATHS[0], "Connection: Upgrade", "Upgrade: websocket") + get(PATHS[1]),
    "expects": get(PATHS[0], "Expect: 100-continue"),
    "expects a body": get(PATHS[0], "Expect: 100-continue", "Content-Length: 1") + b"a",
    "expects cake": get(PATHS[0], "Expect: cake"),
    "not http": b"\x16\x03\x01\r\n\r\n",
    "too long": get(PATHS[0], "X: " + "a" * 9000),
    "longer than is remembered": get(PATHS[0], "X: " + "a" * 5000),
    "empty lines before": b"\r\n\r\n" + get(PATHS[0]),
    "empty lines alone": b"\r\n\r\n",
    "empty lines after": get(PATHS[0]) + b"\r\n\r\n",
    "two at once": get(PATHS[0]) * 2,
    "two different": get(PATHS[0]) + get(PATHS[1]),
    "forty at once": get(PATHS[3]) * 40,
    "one and a half": get(PATHS[0]) + get(PATHS[0])[:20],
    "line feeds only": get(PATHS[0]).replace(b"\r", b""),
    "matching": get(PATHS[0], 'If-None-Match: "b00t-2"'),
    "matching twice": get(PATHS[0], 'If-None-Match: "x"', 'If-None-Match: W/"b00t-2"'),
    "not matching": get(PATHS[0], 'If-None-Match: "b00t-1"'),
}


@pytest.mark.parametrize("kind", UNUSUAL)
async def test_the_unusual_is_what_it_was(pair: Pair, kind: str) -> None:
    """Between usual requests, twice, and in two halves: it answers or closes as aiohttp does."""
    raw = UNUSUAL[kind]
    usual = get(PATHS[0])
    await pair.agree(usual, usual, raw, usual, raw, usual, usual)
    await pair.agree(raw, raw, usual)
    for cut in (1, len(raw) // 2, len(raw) - 1):
        await pair.agree(usual, raw[:cut], raw[cut:], usual, usual)


async def test_half_a_body_is_not_the_end_of_a_request(pair: Pair) -> None:
    """Although it ends as a head does; what follows it is body, even if it looks like a request."""
    usual = get(PATHS[0])
    begun = get(PATHS[0], f"Content-Length: {4 + len(usual)}") + b"\r\n\r\n"
    await pair.agree(usual, begun, usual, usual, usual)
    await pair.agree(usual, begun, usual[:-4], b"\r\n\r\n", usual, usual)


conversations = st.lists(
    st.sampled_from([*UNUSUAL.values(), *[get(path) for path in PATHS + OTHERS]]), max_size=6
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conversations, st.lists(st.integers(0, 4000), max_size=6))
async def test_any_conversation_in_any_pieces(
    pair: Pair, conversation: list[bytes], cuts: list[int]
) -> None:
    whole = b"".join(conversation)
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(edges)]
    await pair.agree(*pieces)
    await pair.agree(*conversation)


async def test_a_change_is_seen_by_the_next_request(pair: Pair, store: Store) -> None:
    source, sink = await asyncio.open_connection("127.0.0.1", pair.quick)
    tags = []
    for _ in range(4):
        sink.write(get(PATHS[0]))
        async with asyncio.timeout(LIMIT_S):
            head = await source.readuntil(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            assert length
            await source.readexactly(int(length[1]))
        tags += re.findall(rb'ETag: "b00t-(\d+)"', head)
        store.update(ALPHA, now=NOW, link=LOST if len(tags) % 2 else store.records[ALPHA].link)
        if len(tags) == 2:
            store.update(ALPHA, now=NOW + 1, state=store.records[AccountLabel("delta")].state)
    sink.close()
    assert tags == [b"2", b"3", b"4", b"4"]
    assert pair.cache.hits == 3


@pytest.mark.parametrize("path", PATHS[:4])
async def test_what_a_change_makes_of_a_hit_is_what_it_makes_of_a_miss(
    pair: Pair, store: Store, path: str
) -> None:
    """304 becomes 200, an account without data a problem, one that left unknown."""
    asked = [get(path), get(path, 'If-None-Match: "b00t-2"')] * 2
    first = await pair.agree(*asked)
    assert first.count(b"304 Not Modified") == 2
    store.update(ALPHA, now=NOW, link=LOST)
    second = await pair.agree(*asked)
    assert second.count(b"200 OK") == 4 + 1
    profile = store.records[ALPHA].profile
    store.remove(ALPHA)
    assert (await pair.agree(*asked)).count(b"404 Not Found") == 4
    store.add(profile, now=NOW)
    await pair.agree(*asked)


async def test_pages_of_other_origins_get_their_permission(store: Store, clock: Clock) -> None:
    async with pair_of(store, clock, ["https://page.example"]) as pair:
        for origin in ("https://page.example", "https://stranger.example"):
            asked = get(PATHS[0], f"Origin: {origin}")
            record_response = await pair.agree(asked, asked, get(PATHS[0]), asked)
            assert (b"Access-Control-Allow-Origin" in record_response) == ("page" in origin)
        assert pair.cache.hits == 5


async def test_an_idle_connection_is_closed_in_time(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hit begins the idle time anew, as any answer does; then the connection is closed."""
    monkeypatch.setattr(listen, "KEEP_ALIVE_TIMEOUT_S", 0.2)
    app = application(store, clock)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LIMIT_S), serve(app, "127.0.0.1", 0) as port:
        source, sink = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            sink.write(get(PATHS[0]))
            await source.readuntil(b"\r\n\r\n")
        answered_at = loop.time()
        await source.read()
        assert loop.time() - answered_at > 0.15
        sink.close()
    assert app[RESPONSE_CACHE].hits == 1


async def test_a_reader_that_does_not_read_is_waited_for(pair: Pair) -> None:
    """What was written ahead is bounded: aiohttp takes over when the socket is full."""
    async with asyncio.timeout(LIMIT_S):
        source, sink = await asyncio.open_connection("127.0.0.1", pair.quick, limit=1024)
        asked = get(PATHS[0])
        sink.write(asked)
        await source.readuntil(b"\r\n\r\n")
        for _ in range(3000):
            sink.write(asked)
            await asyncio.sleep(0)
        sink.write(BYE)
        record_response = await source.read()
        sink.close()
    assert record_response.count(b"HTTP/1.1 200 OK") == 3001


async def test_the_end_closes_what_is_idle_after_a_hit(store: Store, clock: Clock) -> None:
    async with asyncio.timeout(30):
        async with serve(application(store, clock), "127.0.0.1", 0) as port:
            source, sink = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(3):
                sink.write(get(PATHS[0]))
                await source.readuntil(b"\r\n\r\n")
        await source.read()
        sink.close()
