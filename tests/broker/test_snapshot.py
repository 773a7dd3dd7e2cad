"""Snapshots read every order, page by page, in a bounded number of requests; in virtual time."""

from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.broker.snapshot import PAGE_SIZE, fetch_snapshot
from realtime.core.reconcile import reconcile
from realtime.core.state import CLOSED_ORDERS_KEPT, EMPTY, AccountState
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from realtime.simulator.credentials import key_id_for, secret_for
from tests import virtual

RESTING = {
    "symbol": "AAPL",
    "qty": "1",
    "side": "buy",
    "type": "limit",
    "limit_price": "1",
    "time_in_force": "gtc",
}


LABEL = "alpha"


class Clock:
    """The broker's clock, in nanoseconds; it moves only when a test sets it."""

    now = 1_791_295_331_000_000_000

    def __call__(self) -> int:
        return self.now


class Scene:
    """A simulator, and a client of its account."""

    def __init__(self, simulator: Simulator, rest: RestClient, clock: "Clock") -> None:
        self.simulator = simulator
        self.clock = clock
        self.rest = rest

    def submit(self, count: int) -> list[str]:
        """Submit resting orders within one microsecond; return their ids."""
        exchange = self.simulator.exchange
        ids = [str(exchange.submit(LABEL, RESTING)["id"]) for _ in range(count)]
        for order_id in ids:  # the exchange itself never uses a time twice
            exchange._account(LABEL).orders[order_id].submitted_at = self.clock.now
        return ids

    async def read(self, state: AccountState = EMPTY) -> tuple[AccountState, int]:
        """Read a snapshot; return the next state and the number of requests."""
        counters = self.simulator.counters
        before = counters.get(LABEL).get("requests", 0)
        snapshot = await fetch_snapshot(self.rest, state, now=virtual.wall_clock())
        requests = counters.get(LABEL).get("requests", 0) - before
        return reconcile(state, snapshot).state, requests


def play(act: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a test with a new simulator."""

    clock = Clock()

    async def main() -> None:
        async with (
            Simulator(
                accounts=1, clock=clock, requests_per_minute=100_000, step_s=None
            ) as simulator,
            aiohttp.ClientSession(connector=virtual.VirtualConnector()) as session,
        ):
            credentials = Credentials(Secret(key_id_for(LABEL)), Secret(secret_for(LABEL)))
            limiter = RateLimiter(FleetLimiter())
            rest = RestClient(
                session, simulator.url, credentials, limiter, clock=virtual.wall_clock
            )
            await act(Scene(simulator, rest, clock))

    virtual.run(main)


@pytest.mark.parametrize("count", [PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 1300])
def test_open_orders_of_one_microsecond_are_read_completely(count: int) -> None:
    async def act(scene: Scene) -> None:
        ids = scene.submit(count)
        state, requests = await scene.read()
        assert state.orders.keys() == set(ids)
        assert requests <= 16

    play(act)


@pytest.mark.parametrize(("closed", "open_orders"), [(3, PAGE_SIZE + 1), (PAGE_SIZE, PAGE_SIZE)])
def test_first_read_has_the_newest_closed_orders_behind_any_number_of_open_ones(
    closed: int, open_orders: int
) -> None:
    async def act(scene: Scene) -> None:
        old, *ids = scene.submit(1 + closed)
        for order_id in (old, *ids):
            scene.simulator.exchange.cancel(LABEL, order_id)
            scene.clock.now += 1_000_000
        ids += scene.submit(open_orders)
        state, requests = await scene.read()
        assert state.orders.keys() - {old} == set(ids)
        assert sum(order.is_closed for order in state.orders.values()) <= CLOSED_ORDERS_KEPT
        assert requests <= 12

    play(act)


@pytest.mark.parametrize("count", [PAGE_SIZE, 1300])
def test_orders_of_one_microsecond_during_an_outage_are_read_completely(count: int) -> None:
    async def act(scene: Scene) -> None:
        old = scene.submit(3)
        state, _ = await scene.read()
        scene.clock.now += 1_000_000_000
        ids = scene.submit(count)
        state, requests = await scene.read(state)
        assert state.orders.keys() == {*old, *ids}
        assert requests <= 16

    play(act)


def test_pages_by_time_overlap_and_lose_nothing() -> None:
    """Blocks of orders that share a microsecond lie across the ends of pages."""

    async def act(scene: Scene) -> None:
        state, _ = await scene.read()
        ids = list[str]()
        for _ in range(9):
            ids += scene.submit(170)
            scene.clock.now += 1_000_000_000
        state, requests = await scene.read(state)
        assert state.orders.keys() == set(ids)
        assert requests <= 16

    play(act)
