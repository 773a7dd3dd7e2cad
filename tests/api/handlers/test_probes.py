from msgspec import structs

from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests.api.documents.made import BOOKS, DISABLED, LIVE, LOST, NOW, REFUSED, put
from tests.api.reader import Clock, Reader, reading

STARTING = Link(state="starting", since=NOW)


async def test_health_of_a_degraded_fleet(reader: Reader) -> None:
    reply = await reader.get("/health")
    assert (reply.status, reply.json) == (
        200,
        {
            "status": "degraded",
            "version": "1.2.3",
            "uptime_s": 60.0,
            "total_accounts": 5,
            "connected_accounts": 2,
            "stale_accounts": 2,
            "disabled_accounts": 1,
            "as_of": "2026-10-03T04:00:00.250Z",
            "history": None,
        },
    )


async def test_strict_health_is_a_problem_with_the_document(reader: Reader) -> None:
    lenient = (await reader.get("/health?strict=false")).json
    for asked in ("strict", "strict=true", "strict=1"):
        reply = await reader.get(f"/health?{asked}")
        assert reply.problem(503, "degraded")["health"] == lenient
        assert reply.headers["Retry-After"] == "2"


async def test_disabled_account_does_not_degrade_the_health(clock: Clock) -> None:
    store = Store(boot="b")
    put(store, "alpha", LIVE, BOOKS)
    put(store, "bravo", DISABLED)
    async with reading(store, clock) as reader:
        assert (await reader.get("/health?strict")).json["status"] == "ok"
        assert (await reader.get("/readyz")).json == {"status": "ready"}


async def test_ready_once_every_account_has_data_and_from_then_on(clock: Clock) -> None:
    store = Store(boot="b")
    put(store, "alpha", LIVE, BOOKS)
    put(store, "bravo", STARTING)
    async with reading(store, clock) as reader:
        reply = await reader.get("/readyz")
        assert reply.problem(503, "starting")["detail"] == "1 of 2 accounts have data"
        assert reply.headers["Retry-After"] == "2"
        assert (await reader.get("/health")).json["status"] == "starting"
        store.update(AccountLabel("bravo"), now=NOW, link=LOST)
        (await reader.get("/readyz")).problem(503, "degraded")
        assert (await reader.get("/health")).json["status"] == "degraded"
        store.update(AccountLabel("bravo"), now=NOW, state=BOOKS)
        assert (await reader.get("/readyz")).status == 200
        put(store, "newcomer", STARTING)
        assert (await reader.get("/readyz")).status == 200
        assert (await reader.get("/health")).json["status"] == "degraded"


async def test_refused_account_does_not_keep_the_others_from_being_ready(clock: Clock) -> None:
    store = Store(boot="b")
    put(store, "alpha", REFUSED)
    async with reading(store, clock) as reader:
        (await reader.get("/readyz")).problem(503, "degraded")  # there is no data at all
        put(store, "bravo", LIVE, BOOKS)
        assert (await reader.get("/readyz")).status == 200


async def test_livez_responds_in_any_state(clock: Clock) -> None:
    store = Store(boot="b")
    put(store, "alpha", structs.replace(STARTING, stale_reason="no snapshot yet"))
    async with reading(store, clock) as reader:
        for path in ("/livez", "/api/v1/livez"):
            reply = await reader.get(path)
            assert (reply.status, reply.json) == (200, {"status": "alive"})
            assert reply.headers["Cache-Control"] == "no-store"
