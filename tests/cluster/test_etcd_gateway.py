"""The client of etcd's JSON gateway on real servers; the model answers the same."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from random import Random

import aiohttp
import pytest

from realtime.cluster.etcd_gateway import EtcdGateway, EtcdUser
from realtime.cluster.etcd_types import (
    Compare,
    Delete,
    EtcdClient,
    Events,
    Get,
    KeyValue,
    Put,
    Transaction,
    TransactionResult,
    flatten,
)
from realtime.errors import EngineUnreachable, EtcdCompacted, EtcdRefusal
from realtime.secret import Secret
from tests.cluster.coordinator_model import EtcdModel, ModelClient
from tests.cluster.etcd_servers import EtcdServers, etcd_servers
from tests.virtual import run

Compact = Callable[[int], Awaitable[None]]


@pytest.fixture(scope="module")
def servers() -> Iterator[EtcdServers]:
    """Three real servers for the tests of this file."""
    with etcd_servers() as running:
        yield running


@asynccontextmanager
async def gateway_to(servers: EtcdServers) -> AsyncIterator[EtcdGateway]:
    async with aiohttp.ClientSession() as session:
        yield EtcdGateway(session, servers.endpoints)


async def post(servers: EtcdServers, path: str, body: dict[str, object]) -> None:
    """Do what the daemon never does."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{servers.endpoints[0]}/v3/{path}", json=body) as response,
    ):
        assert response.status == 200, await response.text()


async def transactions(client: EtcdClient, _: Compact) -> None:
    """Conditions on keys that exist and that do not; inner ones see the state before the step."""
    first = await client.commit(
        Transaction((Compare("/t/a", "create", 0),), (Put("/t/a", b"\x00\xff1"),), (Get("/t/a"),))
    )
    assert first.succeeded
    again = await client.commit(
        Transaction((Compare("/t/a", "create", 0),), (Put("/t/a", b"2"),), (Get("/t/a"),))
    )
    assert not again.succeeded
    (pair,) = flatten(again.results)
    assert pair == KeyValue(
        key="/t/a", value=b"\x00\xff1", create_revision=first.revision, mod_revision=first.revision
    )
    inner = await client.commit(
        Transaction(
            (Compare("/t/none", "lease", 77, is_equal=False), Compare("/t/none", "mod", 0)),
            (
                Transaction((Compare("/t/b", "mod", 0),), (Put("/t/b", b"b"),)),
                Transaction((Compare("/t/b", "mod", 0),), (Put("/t/c", b"c"),)),
                Transaction((Compare("/t/a", "mod", 1),), (Put("/t/d", b"d"),), (Get("/t/a"),)),
                Transaction((Compare("/t/none", "value", b""),), (Put("/t/e", b"e"),)),
                Transaction((Compare("/t/a", "value", b"\x00\xff1"),), (Delete("/t/a"),)),
            ),
        )
    )
    parts = [part.succeeded for part in inner.results if isinstance(part, TransactionResult)]
    assert parts == [True, True, False, False, True]
    assert [pair.key for pair in flatten(inner.results)] == ["/t/a"]
    listing = await client.get("/t/", is_prefix=True)
    assert [(pair.key, pair.value) for pair in listing.keys] == [("/t/b", b"b"), ("/t/c", b"c")]
    assert {pair.mod_revision for pair in listing.keys} == {inner.revision}


async def leases(client: EtcdClient, _: Compact) -> None:
    """A key goes with its lease; a lease that has ended cannot be renewed or used."""
    lease = await client.grant(5)
    await client.commit(Transaction((), (Put("/l/a", b"1", lease),)))
    (pair,) = (await client.get("/l/a")).keys
    assert pair.lease == lease
    assert await client.keep_alive(lease) == 5
    await client.revoke(lease)
    assert (await client.get("/l/a")).keys == ()
    assert await client.keep_alive(lease) == 0
    with pytest.raises(EtcdRefusal):
        await client.commit(Transaction((), (Put("/l/a", b"1", lease),)))
    with pytest.raises(EtcdRefusal):
        await client.revoke(lease)


async def expiry(client: EtcdClient, _: Compact) -> None:
    """A lease that is not renewed ends by itself, and a watch reports its keys as removed."""
    lease = await client.grant(2)
    put = await client.commit(Transaction((), (Put("/x/a", b"1", lease),)))
    async with aclosing(client.watch("/x/", put.revision)) as watch:  # type: ignore[type-var]  # an async generator
        changes = [change async for events in first(watch, 2) for change in events.puts_and_deletes]
    assert [(key, pair is None) for key, pair in changes] == [("/x/a", False), ("/x/a", True)]


async def watches(client: EtcdClient, compact: Compact) -> None:
    """From a revision on, in order, of one prefix; not from one that was compacted."""
    start = (await client.get("/w/")).revision + 1
    for number in range(3):
        await client.commit(Transaction((), (Put(f"/w/{number}", b"x"), Put("/other", b"x"))))
    await client.commit(Transaction((), (Delete("/w/1"),)))
    changes: list[tuple[str, bool]] = []
    last = 0
    async with aclosing(client.watch("/w/", start)) as watch:  # type: ignore[type-var]  # an async generator
        async for events in watch:
            changes += [(key, pair is None) for key, pair in events.puts_and_deletes]
            assert events.revision > last
            last = events.revision
            if len(changes) >= 4:
                break
    assert changes == [("/w/0", False), ("/w/1", False), ("/w/2", False), ("/w/1", True)]
    await compact(last)
    with pytest.raises(EtcdCompacted):
        await anext(client.watch("/w/", start))


async def too_many(client: EtcdClient, _: Compact) -> None:
    """A hundred inner transactions fit; more than 128 operations do not."""

    def inner(count: int) -> Transaction:
        puts = [
            Transaction((Compare(f"/m/{n}", "mod", 0),) * 3, (Put(f"/m/{n}", b"x"),), (Get("/m/"),))
            for n in range(count)
        ]
        return Transaction((Compare("/m/", "create", 0),), tuple(puts))

    assert (await client.commit(inner(100))).succeeded
    with pytest.raises(EtcdRefusal):
        await client.commit(inner(129))


async def first(watch: AsyncIterator[Events], count: int) -> AsyncIterator[Events]:
    async for events in watch:
        yield events
        count -= 1
        if count == 0:
            return


STATEMENTS = [transactions, leases, expiry, watches, too_many]
Statement = Callable[[EtcdClient, Compact], Awaitable[None]]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.__name__)
def test_the_model_answers_like_etcd(statement: Statement) -> None:
    """In virtual time."""

    async def main() -> None:
        model = EtcdModel()

        async def compact(_: int) -> None:
            model.compact()

        await statement(ModelClient(model, Random(1)), compact)

    run(main)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.__name__)
def test_etcd_answers_like_the_model(statement: Statement, servers: EtcdServers) -> None:
    """Three real servers."""

    async def main() -> None:
        async def compact(revision: int) -> None:
            await post(servers, "kv/compaction", {"revision": str(revision)})

        async with gateway_to(servers) as gateway:
            await statement(gateway, compact)

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("failure", [signal.SIGKILL, signal.SIGSTOP])
def test_writes_go_on_when_any_one_node_fails(failure: signal.Signals) -> None:
    """Each node in turn, so one of them leads; with all of them down the engine is unreachable."""

    async def write(gateway: EtcdGateway, number: int) -> None:
        async with asyncio.timeout(40):
            while True:
                try:
                    await gateway.commit(Transaction((), (Put(f"/k/{number}", b"x"),)))
                except EngineUnreachable:
                    await asyncio.sleep(0.1)
                else:
                    return

    async def main(servers: EtcdServers) -> None:
        async with gateway_to(servers) as gateway:
            assert await gateway.count_nodes() == 3
            for index in range(3):
                servers.signal(index, failure)
                await write(gateway, index)
                if failure == signal.SIGSTOP:
                    servers.signal(index, signal.SIGCONT)
                else:
                    servers.restart(index)
                await write(gateway, 10 + index)
                async with asyncio.timeout(40):
                    while await gateway.count_nodes() < 3:  # noqa: ASYNC110 - other processes
                        await asyncio.sleep(0.1)
            listing = await gateway.get("/k/", is_prefix=True)
            assert len(listing.keys) == 6
            for index in range(3):
                servers.signal(index, signal.SIGKILL)
            for process in servers.processes:
                process.wait()
            with pytest.raises(EngineUnreachable):
                await gateway.get("/k/")
            assert await gateway.count_nodes() == 0

    with etcd_servers() as running:
        asyncio.run(main(running))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_user_with_a_password_is_authenticated_again_when_its_token_ends() -> None:
    """With authentication switched on, a client without a user is refused."""

    async def main(servers: EtcdServers) -> None:
        await post(servers, "auth/user/add", {"name": "root", "password": "synthetic"})
        await post(servers, "auth/role/add", {"name": "root"})
        await post(servers, "auth/user/grant", {"user": "root", "role": "root"})
        await post(servers, "auth/enable", {})
        async with aiohttp.ClientSession() as session:
            user = EtcdUser("root", Secret("synthetic"))
            gateway = EtcdGateway(session, servers.endpoints, user=user)
            await gateway.commit(Transaction((), (Put("/a", b"1"),)))
            gateway._token = "ended"  # tokens end after five minutes
            assert len((await gateway.get("/a")).keys) == 1
            with pytest.raises(EtcdRefusal):
                await EtcdGateway(session, servers.endpoints).get("/a")
            wrong = EtcdUser("root", Secret("wrong"))
            with pytest.raises(EtcdRefusal):
                await EtcdGateway(session, servers.endpoints, user=wrong).get("/a")

    with etcd_servers() as running:
        asyncio.run(main(running))
