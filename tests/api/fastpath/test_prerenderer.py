"""Replies of polled accounts are rendered after a change, and never more than a few of them."""

import asyncio

import pytest

from realtime.api.fastpath import response_cache
from realtime.api.fastpath.prerenderer import Prerenderer
from realtime.api.fastpath.response_cache import (
    MAX_RENDERS_AHEAD,
    MAX_RENDERS_PER_REFRESH,
    ParsedRequest,
    ResponseCache,
)
from realtime.api.responses import ApiResponse, encode_response
from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests import virtual
from tests.api.documents.made import BOOKS, LIVE, LOST, NOW, fleet
from tests.api.reader import Clock

DATE = "Sat, 03 Oct 2026 04:00:00 GMT"
ALPHA, BRAVO = AccountLabel("alpha"), AccountLabel("bravo")


@pytest.fixture(autouse=True)
def _one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_cache, "rfc822_formatted_time", lambda: DATE)


class Polled:
    """A response cache with one request for each of some heads, and the number of renderings."""

    def __init__(self, store: Store, heads: list[bytes], label: AccountLabel = ALPHA) -> None:
        self.renders = 0
        self.cache = ResponseCache(Clock())
        self.heads = heads
        self._store, self._label = store, label
        response = self._render()
        parsed = ParsedRequest(
            given=response, answer=self._render, mark=self._version, account_id=label
        )
        for head in heads:
            self.cache.store_request(head, parsed, encode_response(response, DATE), DATE)
        self.renders = 0

    def poll(self) -> list[bytes | None]:
        return [self.cache.get_reply(head) for head in self.heads]

    def _render(self) -> ApiResponse:
        self.renders += 1
        return ApiResponse(body=b"version %d" % self._version(), headers={})

    def _version(self) -> int:
        return self._store.records[self._label].version


def change(store: Store, label: AccountLabel, number: int) -> None:
    store.update(label, now=NOW + number, link=LOST if number % 2 else LIVE, state=BOOKS)


def test_changed_reply_is_ready_before_the_next_poll() -> None:
    async def scene() -> None:
        store = fleet()
        polled = Polled(store, [b"GET /a"])
        task = asyncio.create_task(Prerenderer(store, polled.cache).run())
        polled.poll()
        change(store, ALPHA, 1)
        await asyncio.sleep(1)
        assert polled.renders == 2
        reply = polled.poll()[0]
        assert reply is not None
        assert reply.endswith(b"version %d" % store.records[ALPHA].version)
        assert polled.renders == 2
        task.cancel()

    virtual.run(scene)


def test_account_that_is_not_polled_is_not_rendered() -> None:
    async def scene() -> None:
        store = fleet()
        polled = Polled(store, [b"GET /a"])
        task = asyncio.create_task(Prerenderer(store, polled.cache).run())
        change(store, ALPHA, 1)  # never polled
        polled.poll()
        change(store, BRAVO, 1)  # another account
        await asyncio.sleep(1)
        assert polled.renders == 1
        for number in range(2, 20):  # a client that has left
            change(store, ALPHA, number)
            await asyncio.sleep(1)
        assert polled.renders == 1 + MAX_RENDERS_AHEAD
        assert not polled.cache.is_polled(ALPHA)
        task.cancel()

    virtual.run(scene)


def test_one_refresh_renders_a_bounded_number_of_replies() -> None:
    store = fleet()
    polled = Polled(store, [b"GET /%d" % number for number in range(10)])
    polled.poll()
    polled.renders = 0
    change(store, ALPHA, 1)
    polled.cache.refresh(ALPHA)
    assert polled.renders == MAX_RENDERS_PER_REFRESH


def test_removed_requests_are_not_rendered() -> None:
    store = fleet()
    polled = Polled(store, [b"GET /a"])
    polled.poll()
    assert polled.cache.is_polled(ALPHA)
    polled.cache.clear()
    assert not polled.cache.is_polled(ALPHA)
    polled = Polled(store, [b"GET /%d" % number for number in range(5000)])
    polled.poll()
    polled.cache.refresh(ALPHA)  # the bound of the cache holds for what is rendered ahead, too
    assert len(polled.cache) < 5000
