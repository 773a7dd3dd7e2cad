"""Event streams of the broker pass through while they arrive, and end as they end there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from realtime.api.alpaca.forwarded_streams import MAX_STREAMS
from tests.api.alpaca.test_forwarding import KEYS, Forwarded, forward

TARGET = "/v2beta1/events/activities?since_id=a%2Fb&x=1"
FIRST, SECOND = b'id: 1\ndata: {"a":  1}\n\n', b":heartbeat\n\ndata: {}\n\n"


class Upstream:
    """A stream that the test continues and ends."""

    def __init__(self, status: int = 200) -> None:
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.is_left = asyncio.Event()
        self._status = status

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(
            status=self._status,
            headers={"Content-Type": "text/event-stream", "Connection": "keep-alive"},
        )
        await response.prepare(request)
        try:
            while chunk := await self.chunks.get():
                await response.write(chunk)
                if request.transport is None or request.transport.is_closing():
                    break
        except ConnectionError:
            pass
        self.is_left.set()
        return response


@asynccontextmanager
async def opened(
    daemon: Forwarded, target: str = TARGET, **headers: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    url = URL(daemon.url + target, encoded=True)
    timeout = aiohttp.ClientTimeout(total=None)
    async with daemon.http.get(url, headers={**KEYS, **headers}, timeout=timeout) as response:
        yield response


def test_events_pass_unchanged_while_they_arrive(tmp_path: Path) -> None:
    async def scene(daemon: Forwarded) -> None:
        daemon.broker.stream = upstream = Upstream()
        async with opened(daemon, **{"Last-Event-ID": "7"}) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["X-Realtime-Source"] == "upstream"
            for chunk in (FIRST, SECOND):
                await asyncio.sleep(100)  # longer than any limit of a read
                upstream.chunks.put_nowait(chunk)
                assert await response.content.readexactly(len(chunk)) == chunk
            upstream.chunks.put_nowait(None)
            assert await response.content.read() == b""
        request = daemon.broker.requests[-1]
        assert request.raw_path == TARGET
        assert request.headers["Last-Event-ID"] == "7"

    forward(scene, tmp_path)


def test_a_path_without_the_word_is_streamed_for_a_client_that_wants_events(
    tmp_path: Path,
) -> None:
    async def scene(daemon: Forwarded) -> None:
        daemon.broker.stream = upstream = Upstream()
        async with opened(daemon, "/v2/x/events-of-tomorrow", Accept="text/event-stream") as stream:
            upstream.chunks.put_nowait(FIRST)
            assert await stream.content.readexactly(len(FIRST)) == FIRST

    forward(scene, tmp_path)


@pytest.mark.parametrize("status", [502, 504])
def test_a_status_on_which_sdks_repeat_is_not_passed_on(tmp_path: Path, status: int) -> None:
    async def scene(daemon: Forwarded) -> None:
        daemon.broker.stream = upstream = Upstream(status=status)
        upstream.chunks.put_nowait(None)
        refused, headers, body = await daemon.send("GET", TARGET)
        assert (refused, "Retry-After" in headers) == (503, False)
        assert b"message" in body

    forward(scene, tmp_path)


def test_an_error_of_the_broker_is_passed_on(tmp_path: Path) -> None:
    async def scene(daemon: Forwarded) -> None:
        daemon.broker.stream = upstream = Upstream(status=422)
        upstream.chunks.put_nowait(b"{}")
        upstream.chunks.put_nowait(None)
        async with opened(daemon) as response:
            assert (response.status, await response.read()) == (422, b"{}")

    forward(scene, tmp_path)


async def _break(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(FIRST)
    assert request.transport is not None
    request.transport.abort()
    return response


async def _stay_silent(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(FIRST)
    await asyncio.sleep(1_000)
    return response


@pytest.mark.parametrize("stream", [_break, _stay_silent])
def test_a_lost_stream_is_no_orderly_end(
    tmp_path: Path, stream: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> None:
    async def scene(daemon: Forwarded) -> None:
        daemon.broker.stream = stream
        async with opened(daemon) as response:
            assert await response.content.readexactly(len(FIRST)) == FIRST
            with pytest.raises(aiohttp.ClientError):
                await response.read()

    forward(scene, tmp_path)


def test_a_client_that_leaves_ends_the_stream_at_the_broker(tmp_path: Path) -> None:
    async def scene(daemon: Forwarded) -> None:
        daemon.broker.stream = upstream = Upstream()
        async with opened(daemon) as response:
            upstream.chunks.put_nowait(FIRST)
            await response.content.readexactly(len(FIRST))
        await asyncio.sleep(10)
        upstream.chunks.put_nowait(SECOND)
        async with asyncio.timeout(60):
            await upstream.is_left.wait()

    forward(scene, tmp_path)


def test_the_number_of_streams_is_bounded_and_requests_still_pass(tmp_path: Path) -> None:
    async def scene(daemon: Forwarded) -> None:
        upstreams = []
        async with AsyncExitStack() as stack:
            for _ in range(MAX_STREAMS):
                daemon.broker.stream = upstream = Upstream()
                upstreams.append(upstream)
                response = await stack.enter_async_context(opened(daemon))
                assert response.status == 200
            status, _, _ = await daemon.send("GET", TARGET)
            assert status == 429
            assert (await daemon.send("GET", "/v2/forwarded"))[0] == 200
            upstreams[0].chunks.put_nowait(None)
            await upstreams[0].is_left.wait()
            await asyncio.sleep(1)
            daemon.broker.stream = Upstream()
            response = await stack.enter_async_context(opened(daemon))
            assert response.status == 200

    forward(scene, tmp_path)


def test_events_older_than_the_first_listener_are_the_brokers(tmp_path: Path) -> None:
    """From memory what is known there; else from the broker, if it has them."""

    async def scene(daemon: Forwarded) -> None:
        target = "/v2/events/trades?since=2001-01-01T00:00:00Z"
        daemon.broker.stream = upstream = Upstream()
        upstream.chunks.put_nowait(FIRST)
        async with opened(daemon, target) as response:
            assert response.headers["X-Realtime-Source"] == "upstream"
            assert await response.content.readexactly(len(FIRST)) == FIRST
        daemon.broker.stream = refusing = Upstream(status=404)
        refusing.chunks.put_nowait(None)
        status, _, body = await daemon.send("GET", target)
        assert status == 400
        assert b"events are known since" in body

    forward(scene, tmp_path)
