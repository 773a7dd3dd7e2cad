"""Every answer is counted once, whichever way it took."""

from realtime.api.fastpath.runner import REQUEST_STATS
from realtime.store.store import Store
from realtime.telemetry.request_stats import RequestStats
from tests.api.guarded import Guarded, get, guarded, token
from tests.api.reader import Clock


def figures(requests: RequestStats) -> tuple[int, int, dict[int, int]]:
    return sum(requests.cached.counts), sum(requests.routed.counts), dict(requests.errors)


async def exchange(server: Guarded, raw: bytes, times: int = 1) -> None:
    await server.exchange(raw, times)


async def test_every_answer_is_counted_once(store: Store, clock: Clock) -> None:
    async with guarded(store, clock) as server:
        requests = server.app[REQUEST_STATS]
        await exchange(server, get("/realtime/accounts", token(account_id="*")), 5)
        assert figures(requests) == (4, 1, {})
        await exchange(server, get("/nowhere"), 2)
        assert figures(requests) == (4, 3, {404: 2})
        await exchange(server, get("/realtime/accounts"), 1)
        await exchange(server, b"nonsense\r\n\r\n")
        assert figures(requests)[2] == {404: 2, 401: 1, 400: 1}
        assert 0 < requests.cached.total < 1
        assert 0 < requests.routed.total < 1
