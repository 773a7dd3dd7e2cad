"""Slow subscribers, subscribers that do not read, too many of them, and the bytes on the wire."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from msgspec import Struct, structs

from realtime.api.app import build_application
from realtime.api.documents.documents import Documents
from realtime.api.events.broadcaster import Broadcaster
from realtime.api.events.event_buffer import EventBuffer
from realtime.api.listener import serve
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.store.store import Store
from tests.api.documents.made import ACCOUNT, NOW, fleet, order
from tests.api.events.listener import Event, Mirror, Parser
from tests.api.reader import Clock, Reader

ALPHA = AccountLabel("alpha")
LIMIT_S = 60.0
BIG = "x" * 60_000


class Line(Struct):
    """One connection, byte for byte."""

    source: asyncio.StreamReader
    sink: asyncio.StreamWriter
    parser: Parser

    async def events(self) -> AsyncIterator[Event]:
        """What comes, until the end."""
        while size := int((await self.source.readline()).strip() or b"0", 16):
            for event in self.parser.feed((await self.source.readexactly(size + 2))[:-2]):
                yield event

    async def next(self, *names: str) -> Event:
        """The next event of these names."""
        async with asyncio.timeout(LIMIT_S):
            async for event in self.events():
                if event.name in names:
                    return event
        raise AssertionError(f"the end came before {names}")

    async def ended(self) -> bool:
        """Read until the end; whether it came in time."""
        async with asyncio.timeout(LIMIT_S):
            try:
                while await self.source.read(1 << 20):
                    pass
            except ConnectionError:
                pass
            return True


@asynccontextmanager
async def pushing(store: Store, **settings: float) -> AsyncIterator[tuple[int, Broadcaster]]:
    buffer = EventBuffer(max_events=int(settings.pop("buffer", 10_000)))
    broadcaster = Broadcaster(store, Clock(), buffer=buffer, **settings)  # type: ignore[arg-type]  # numbers
    app = build_application(
        store, Documents(), clock=Clock(), version="1", started_at=NOW, broadcast=broadcaster
    )
    async with serve(app, "127.0.0.1", 0) as port:
        yield port, broadcaster


@asynccontextmanager
async def line(port: int, query: str = "", headers: str = "") -> AsyncIterator[Line]:
    """A connection with the smallest possible buffers, after the response head."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    source, sink = await asyncio.open_connection(sock=sock, limit=8192)
    sink.write(f"GET /realtime/events{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
    try:
        async with asyncio.timeout(LIMIT_S):
            head = await source.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        yield Line(source, sink, Parser())
    finally:
        sink.close()


def add_big_update(store: Store, number: int) -> None:
    """Apply a trade update of 60 KB and another equity."""
    state = store.records[ALPHA].state
    account = structs.replace(ACCOUNT, equity=str(number))
    frame = b'{"stream":"trade_updates","data":{"event":"new","event_id":"%d","order":%b}}' % (
        number,
        msgspec.json.encode(order(500, subtag=BIG)),
    )
    update = TradeUpdate(event="new", order=order(500, subtag=BIG), frame=frame)
    orders = {**state.orders, update.order.id: update.order}
    store.update(
        ALPHA,
        now=NOW + number,
        state=structs.replace(state, account=account, orders=orders),
        updates=(update,),
    )


async def test_subscriber_that_does_not_read_is_disconnected_and_others_receive_everything() -> (
    None
):
    store = fleet()
    async with (
        pushing(store, read_timeout_s=0.2) as (port, broadcaster),
        line(port) as dead,
        line(port, "?account_id=alpha&types=order") as well,
    ):
        await well.next("ready")
        heard = 0
        async with asyncio.timeout(LIMIT_S):
            while broadcaster.subscribers == 2:
                add_big_update(store, heard)
                event = await well.next("order")
                assert event.data["event_id"] == str(heard)
                heard += 1
        assert store.counts["subscribers.disconnected"] == 1
        assert broadcaster.subscribers == 1
        assert await dead.ended()


async def test_subscriber_that_falls_behind_gets_a_snapshot() -> None:
    store = fleet()
    async with (
        pushing(store, buffer=40) as (port, broadcaster),
        line(port, "?types=order,account,positions,link,row") as slow,
        line(port, "?account_id=alpha&types=order") as well,
    ):
        await well.next("ready")
        for number in range(200):
            add_big_update(store, number)
            await well.next("order")
        mirror = Mirror()
        async with asyncio.timeout(LIMIT_S):
            async for event in slow.events():
                mirror.apply(event)
                if event.name == "resync":
                    assert event.data["reason"] == "slow"
                if mirror.begins_at == 600:
                    break
        mirror.compare(store)
        assert store.counts["subscribers.resynced"] == 1
        assert broadcaster.subscribers == 2


async def test_one_subscriber_too_many_gets_a_problem_with_retry_after() -> None:
    store = fleet()
    async with pushing(store, max_subscribers=1) as (port, _), line(port) as first:
        await first.next("ready")
        source, sink = await asyncio.open_connection("127.0.0.1", port)
        sink.write(b"GET /realtime/events HTTP/1.0\r\n\r\n")
        async with asyncio.timeout(LIMIT_S):
            answer = await source.read()
        sink.close()
        assert b" 503 " in answer
        assert b"too_many_subscribers" in answer


async def test_closed_connection_leaves_room_at_once() -> None:
    """Not only with the next heartbeat, which would notice it."""
    store = fleet()
    async with pushing(store, max_subscribers=1) as (port, broadcaster):
        async with line(port) as first:
            await first.next("ready")
        async with asyncio.timeout(LIMIT_S / 2):
            is_in = False
            while not is_in:
                source, sink = await asyncio.open_connection("127.0.0.1", port)
                sink.write(b"GET /realtime/events HTTP/1.0\r\n\r\n")
                is_in = b" 200 " in await source.readline()
                sink.close()
        assert broadcaster.subscribers <= 2


async def test_heartbeat_has_the_id_of_the_last_event() -> None:
    """Also for a subscriber whose accounts are quiet: it can resume there."""
    store = fleet()
    async with pushing(store, heartbeat_s=0.05) as (port, _), line(port, "?account_id=echo") as one:
        await one.next("ready")
        add_big_update(store, 1)
        async with asyncio.timeout(LIMIT_S):
            while (await one.next("heartbeat")).id.rpartition("-")[2] != "3":
                pass


async def test_stopping_the_daemon_ends_the_responses() -> None:
    store = fleet()
    async with pushing(store) as (port, _):
        source, sink = await asyncio.open_connection("127.0.0.1", port)
        sink.write(b"GET /realtime/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(LIMIT_S):
            await source.readuntil(b"event: ready")
    async with asyncio.timeout(LIMIT_S):
        assert (await source.read()).endswith(b"\r\n0\r\n\r\n")
    sink.close()


@pytest.mark.slow
async def test_subscriber_that_has_just_caught_up_receives_the_end_too() -> None:
    """And it has caught up although events never pause.

    It waits to be live with the others, and reads: it is not one that does not keep up.
    """
    for _ in range(20):
        store = fleet()
        async with pushing(store) as (port, broadcaster), asyncio.TaskGroup() as tasks:
            source, sink = await asyncio.open_connection("127.0.0.1", port)
            sink.write(b"GET /realtime/events?types=row HTTP/1.1\r\nHost: localhost\r\n\r\n")
            ready = tasks.create_task(source.readuntil(b"event: ready"))
            for equity in itertools.count():
                if ready.done():
                    break
                account = structs.replace(ACCOUNT, equity=str(equity))
                state = structs.replace(store.records[ALPHA].state, account=account)
                store.update(ALPHA, now=NOW, state=state)
                await asyncio.sleep(0)
            broadcaster.close()
            async with asyncio.timeout(LIMIT_S):
                assert (await source.read()).endswith(b"\r\n0\r\n\r\n")
            sink.close()


async def test_trade_update_is_passed_on_byte_for_byte() -> None:
    """With unknown members, in the broker's own encoding, on one line."""
    store = fleet()
    data = (
        b'{"event":"fill", "at":"2026-10-06T14:02:11.519102123Z","new_thing":{"b":[1.50,null]},'
        b'\n "order":{"id":"00000011-1c2d-4e3f-8a4b-5c6d7e8f9a0b","status":"new","\xc3\xbc":"\\n"}}'
    )
    update = msgspec.json.decode(data, type=TradeUpdate)
    update = structs.replace(update, frame=b'{"stream":"trade_updates","data":%b}' % data)
    async with pushing(store) as (port, _), line(port) as reader:
        await reader.next("ready")
        store.update(ALPHA, now=NOW, updates=(update,))
        told = (await reader.next("order")).data
        assert told == {**msgspec.json.decode(data), "account_id": "alpha", "tier": "premium"}


async def test_http_1_0_gets_no_chunks(reader: Reader) -> None:
    source, sink = await asyncio.open_connection("127.0.0.1", reader.port)
    sink.write(b"GET /realtime/events?types=row HTTP/1.0\r\n\r\n")
    async with asyncio.timeout(LIMIT_S):
        head = await source.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding" not in head
        assert await source.readline() == b"retry: 2000\n"
        assert (await source.readuntil(b"event: ready")).count(b"event: row\n") == 5
    sink.close()


async def test_head_request_gets_headers_only(reader: Reader) -> None:
    reply = await reader.ask("HEAD", "/realtime/events")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"


async def test_foreign_ids_get_a_snapshot(reader: Reader) -> None:
    for given, reason in [
        ("other-1", "other_run"),
        ("b00t-999", "unknown_id"),
        ("b00t-x", "unknown_id"),
        ("b00t.00000000-1", "other_choice"),
        ("b00t-" + "9" * 40, "unknown_id"),
        ("nonsense", "other_run"),
    ]:
        async with line(reader.port, headers=f"Last-Event-ID: {given}\r\n") as one:
            event = await one.next("resync", "ready")
            assert (event.name, event.data["reason"]) == ("resync", reason)
        async with line(reader.port, f"?last_event_id={given}") as one:
            assert (await one.next("resync", "ready")).name == "resync"


async def test_id_resumes_only_for_the_same_accounts(reader: Reader) -> None:
    """Events of others were not sent, so the id cannot resume a stream with them."""
    async with line(reader.port, "?account_id=bravo,alpha") as one:
        held = f"Last-Event-ID: {(await one.next('ready')).id}\r\n"
    async with line(reader.port, "?account_id=alpha,bravo", held) as one:
        assert (await one.next("ready", "resync")).data["resumed"] is True
    for other in ("?account_id=alpha", "?account_id=alpha,bravo,delta", ""):
        async with line(reader.port, other, held) as one:
            assert (await one.next("ready", "resync")).data["reason"] == "other_choice"


async def test_filter_by_an_unknown_label_is_an_error(reader: Reader) -> None:
    reply = await reader.get("/realtime/events?account_id=alhpa")
    assert "did you mean alpha?" in reply.problem(404, "unknown_account")["remedy"]
    (await reader.get("/realtime/events?types=fills")).problem(400, "bad_parameter")
