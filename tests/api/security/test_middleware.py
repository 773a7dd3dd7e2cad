"""A permission never outlives its token, at whatever moment of a request the rules change."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from realtime.api.handlers.reload import revoke
from realtime.api.history.messages import HistoryCall
from realtime.api.responses import ApiResponse
from realtime.api.security import middleware
from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRules
from realtime.core.model import AccountLabel
from realtime.history.status import HistoryStatus
from realtime.store.store import Store
from tests.api.documents.made import NOW
from tests.api.guarded import Guarded, Raw, get, guarded, read_answer, token
from tests.api.reader import Clock
from tests.auth.made import OTHER_SECRET, SECRET

DASHBOARD = "/realtime/dashboard/alpha"
EVENTS = "/realtime/events?account_id=alpha"
LIMIT_S = 30.0


class World:
    """A server, and what may happen to a permission."""

    def __init__(self, server: Guarded, store: Store, clock: Clock) -> None:
        self.server, self.store, self.clock = server, store, clock
        self.changes: dict[str, tuple[Callable[[], object], str]] = {
            "revoked": (self.revoke, "token_invalid"),
            "other audience": (self.change_rules, "token_invalid"),
            "expired": (self.expire, "token_expired"),
            "account removed": (self.remove, "unknown_account"),
        }

    def revoke(self) -> None:
        if self.server.verifier.update(TokenRules(leeway_s=0), parse_secrets(OTHER_SECRET)):
            revoke(self.server.app)

    def change_rules(self) -> None:
        rules = TokenRules(leeway_s=0, audience="other")
        if self.server.verifier.update(rules, parse_secrets(SECRET)):
            revoke(self.server.app)

    def expire(self) -> None:
        self.clock.now = NOW + 601

    def remove(self) -> None:
        self.store.remove(AccountLabel("alpha"))


@pytest.fixture
async def world(store: Store, clock: Clock) -> AsyncIterator[World]:
    async with guarded(store, clock) as server:
        yield World(server, store, clock)


CHANGES = ("revoked", "other audience", "expired", "account removed")
MOMENTS = ("before the head", "within the head", "before the last line", "response unread")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("is_cached", [True, False], ids=["cached", "uncached"])
async def test_no_request_is_answered_by_older_rules(
    world: World, change: str, moment: str, is_cached: bool
) -> None:
    apply, code = world.changes[change]
    head = get(DASHBOARD, token(account_id="alpha"))
    source, sink = await asyncio.open_connection("127.0.0.1", world.server.port)

    async def send(raw: bytes) -> Raw:
        sink.write(raw)
        return await read_answer(source)

    if is_cached:
        assert [(await send(head)).status for _ in range(3)] == [200] * 3
    match moment:
        case "before the head":
            apply()
        case "within the head" | "before the last line":
            cut = 20 if moment == "within the head" else len(head) - 2
            sink.write(head[:cut])
            await asyncio.sleep(0.02)  # the first part reaches the parser
            apply()
            sink.write(head[cut:])
            assert (await read_answer(source)).code == code
        case "response unread":
            sink.write(head)
            await asyncio.sleep(0.02)  # the response is in the client's socket
            apply()
            assert (await read_answer(source)).status == 200
    for _ in range(3):
        assert (await send(head)).code == code
    sink.close()


@pytest.mark.parametrize("change", ["revoked", "other audience", "expired"])
async def test_body_that_arrives_after_the_change_is_not_used(world: World, change: str) -> None:
    apply, code = world.changes[change]
    head = get("/session/links", token(), "Content-Length: 2", method="POST")
    source, sink = await asyncio.open_connection("127.0.0.1", world.server.port)
    sink.write(head + b"{")
    await asyncio.sleep(0.02)  # the request waits for its body
    apply()
    sink.write(b"}")
    assert (await read_answer(source)).code == code
    sink.close()


class Waiting:
    """History files, and a broker, that respond after something has changed."""

    def __init__(self) -> None:
        self.change: Callable[[], object] = lambda: None

    def status(self) -> HistoryStatus:
        return HistoryStatus()

    async def fetch(self, call: HistoryCall) -> ApiResponse:
        self.change()
        return ApiResponse(body=b"[]", headers={"Content-Type": "application/json"})

    async def refresh(self, label: str) -> None:
        self.change()


@pytest.mark.parametrize("change", ["none", "revoked", "other audience", "expired"])
@pytest.mark.parametrize(
    "path",
    [
        f"/realtime/account/alpha?as_of={NOW - 1}",
        f"/realtime/summary?as_of={NOW - 1}",
        "/history/trades",
        "/history/events/alpha?format=csv",
        "/broker/account?account_id=alpha&use_cache=false",
    ],
)
async def test_read_that_waited_is_answered_by_the_rules_of_now(
    store: Store, clock: Clock, change: str, path: str
) -> None:
    waiting = Waiting()
    async with guarded(store, clock, history=waiting, refresh=waiting.refresh) as server:
        code = None
        if change != "none":
            waiting.change, code = World(server, store, clock).changes[change]
        answer = (await server.exchange(get(path, token(account_id="alpha"))))[0]
        assert (answer.status, answer.code) == ((200, None) if code is None else (401, code))


@pytest.mark.parametrize("change", ["revoked", "other audience"])
@pytest.mark.parametrize("wait_s", [0.0, 0.001, 0.02])
async def test_event_stream_ends_with_its_permission(
    world: World, change: str, wait_s: float
) -> None:
    source, sink = await asyncio.open_connection("127.0.0.1", world.server.port)
    sink.write(get(EVENTS, token(account_id="alpha"), "Connection: close"))
    await asyncio.sleep(wait_s)
    world.changes[change][0]()
    async with asyncio.timeout(LIMIT_S):
        content = await source.read()
    assert b" 401 " in content or content.endswith(b"0\r\n\r\n")
    sink.close()


async def test_body_that_never_ends_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "BODY_TIMEOUT_S", 0.02)
    source, sink = await asyncio.open_connection("127.0.0.1", world.server.port)
    sink.write(get("/session/links", token(), "Content-Length: 2", method="POST"))
    assert (await read_answer(source)).code == "body_too_slow"
    sink.close()
