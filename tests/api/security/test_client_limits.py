import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from realtime.api.fastpath.runner import CONNECTION_LIMITER
from realtime.api.listener import serve
from realtime.api.security import client_limits as limits
from realtime.api.security.client_limits import (
    MAX_TOKENS,
    ConnectionCounter,
    ConnectionLimiter,
    PendingTransfer,
    TokenRateLimiter,
)
from realtime.store.store import Store
from tests.api.reader import Clock, application
from tests.virtual import run

HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


def test_a_meter_gives_a_seconds_worth_at_once_and_then_its_pace() -> None:
    clock = Clock()
    rate_limiter = TokenRateLimiter(10, clock)
    assert [rate_limiter.try_acquire("a") for _ in range(12)] == [True] * 10 + [False] * 2
    assert rate_limiter.refused == 2
    assert rate_limiter.try_acquire("b")
    clock.now += 0.1
    assert [rate_limiter.try_acquire("a") for _ in range(2)] == [True, False]
    clock.now += 60
    assert [rate_limiter.try_acquire("a") for _ in range(12)] == [True] * 10 + [False] * 2


def test_no_pace_is_any_pace() -> None:
    rate_limiter = TokenRateLimiter(None, Clock())
    assert all(rate_limiter.try_acquire("a") for _ in range(1000))


def test_holders_that_are_remembered_are_bounded() -> None:
    rate_limiter = TokenRateLimiter(1, Clock())
    for number in range(MAX_TOKENS + 10):
        assert rate_limiter.try_acquire(str(number))
    assert len(rate_limiter._full_at) == MAX_TOKENS


def test_addresses_are_counted_each_by_itself() -> None:
    addresses = ConnectionCounter(2)
    assert [addresses.add("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert addresses.add("192.0.2.2")
    addresses.remove("192.0.2.1")
    assert [addresses.add("192.0.2.1") for _ in range(2)] == [True, False]
    assert addresses.refused == 2


def test_an_ipv6_client_has_its_whole_network() -> None:
    addresses = ConnectionCounter(2)
    assert [addresses.add(f"2001:db8:0:1::{n:x}") for n in range(3)] == [True, True, False]
    assert addresses.add("2001:db8:0:2::1")
    assert addresses.add("::ffff:192.0.2.1")
    assert [addresses.add("192.0.2.1") for _ in range(2)] == [True, False]
    addresses.remove("2001:db8:0:1::ff")
    assert addresses.add("2001:db8:0:1::3%eth0")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.9.9.9", "", "::ffff:127.0.0.1"])
def test_this_machine_is_not_counted(address: str) -> None:
    addresses = ConnectionCounter(1)
    assert all(addresses.add(address) for _ in range(9))
    addresses.remove(address)


class Slow:
    """A connection whose client must act."""

    def __init__(self) -> None:
        self.pending: PendingTransfer | None = None
        self.aborted_at: float | None = None

    def abort(self) -> None:
        self.aborted_at = asyncio.get_running_loop().time()
        self.pending = None


def test_who_does_not_go_on_is_cut() -> None:
    """In virtual time: a head within ten seconds, some reading within thirty."""

    async def scene() -> None:
        head, reading, goes_on, idle = people = [Slow() for _ in range(4)]
        connection_limiter = ConnectionLimiter(ConnectionCounter(None))
        connection_limiter.connections = lambda: people
        sweeping = asyncio.create_task(connection_limiter.sweep())
        head.pending, reading.pending = ("head", 0, 0), ("write", 0, 5)
        for second in range(50):
            goes_on.pending = ("write", 0, 1000 - second // 9)
            await asyncio.sleep(1)
        sweeping.cancel()
        assert head.aborted_at is not None
        assert reading.aborted_at is not None
        assert (
            limits.HEAD_TIMEOUT_S
            <= head.aborted_at
            <= limits.HEAD_TIMEOUT_S + 2 * limits.SWEEP_INTERVAL_S
        )
        assert (
            limits.WRITE_TIMEOUT_S
            <= reading.aborted_at
            <= limits.WRITE_TIMEOUT_S + 2 * limits.SWEEP_INTERVAL_S
        )
        assert goes_on.aborted_at is None
        assert idle.aborted_at is None

    run(scene)


@asynccontextmanager
async def quick_sweeps(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int | None = None
) -> AsyncIterator[tuple[int, ConnectionLimiter]]:
    """A server that is not patient."""
    monkeypatch.setattr(limits, "SWEEP_INTERVAL_S", 0.02)
    monkeypatch.setitem(limits.TIMEOUTS_S, "head", 0.1)
    monkeypatch.setitem(limits.TIMEOUTS_S, "write", 0.1)
    app = application(store, Clock())
    app[CONNECTION_LIMITER].addresses = ConnectionCounter(most, counts_loopback=True)
    async with asyncio.timeout(30), serve(app, "127.0.0.1", 0) as port:
        yield port, app[CONNECTION_LIMITER]


@pytest.mark.parametrize(
    "before", [b"", HEAD + b"\r\n"], ids=["at once", "after a request that was answered"]
)
async def test_a_head_that_never_ends_is_cut(
    store: Store, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    """However busily it drips (slowloris)."""
    async with quick_sweeps(store, monkeypatch) as (port, connection_limiter):
        source, sink = await asyncio.open_connection("127.0.0.1", port)
        if before:
            sink.write(before)
            await source.readuntil(b"}")
        sink.write(HEAD)
        while not source.at_eof() and source.exception() is None:
            sink.write(b"X: y\r\n")
            await asyncio.sleep(0.02)
        assert connection_limiter.aborted == 1
        sink.close()


async def test_who_does_not_read_is_cut(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async with quick_sweeps(store, monkeypatch) as (port, connection_limiter):
        _, sink = await asyncio.open_connection("127.0.0.1", port, limit=1)
        request = b"GET /realtime/dashboard/alpha HTTP/1.1\r\nHost: x\r\n\r\n"
        while not sink.is_closing():
            sink.write(request * 20)
            await asyncio.sleep(0.001)
        assert connection_limiter.aborted == 1


async def test_an_idle_connection_is_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with quick_sweeps(store, monkeypatch) as (port, connection_limiter):
        source, sink = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            sink.write(HEAD + b"\r\n")
            await source.readuntil(b"}")
            await asyncio.sleep(0.2)
        assert connection_limiter.aborted == 0
        sink.close()


async def test_one_connection_too_many_is_closed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with quick_sweeps(store, monkeypatch, most=2) as (port, _):
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for source, sink in pairs:
            sink.write(HEAD + b"\r\n")
            await source.readuntil(b"}")
        third, sink = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            assert await third.read() == b""
        sink.close()
        pairs[0][1].close()
        await pairs[0][1].wait_closed()
        await asyncio.sleep(0.05)
        source, sink = await asyncio.open_connection("127.0.0.1", port)
        sink.write(HEAD + b"\r\n")
        await source.readuntil(b"}")
        for _, each in (*pairs, (source, sink)):
            each.close()
