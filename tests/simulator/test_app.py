"""Start, stop, and one port for everything."""

import asyncio

import pytest
from websockets.asyncio.client import ClientConnection, connect

from realtime.simulator.app import Simulator
from tests.simulator.client import MARKET_BUY, RESTING_BUY, Rest, listening


async def test_free_port_is_chosen_and_returned() -> None:
    sim = Simulator(accounts=1)
    port = await sim.start()
    async with sim, Rest(sim) as rest:
        assert sim.url == f"http://127.0.0.1:{port}"
        await rest.get("/v2/clock")


async def test_taken_port_is_an_error_and_leaves_nothing_behind(sim: Simulator) -> None:
    other = Simulator(accounts=1)
    with pytest.raises(OSError, match="in use"):
        await other.start(port=sim.port)
    await other.stop()


async def test_stop_twice_is_stop_once() -> None:
    sim = Simulator(accounts=1)
    await sim.start()
    await sim.stop()
    await sim.stop()


async def test_stop_is_fast_with_unresponsive_clients() -> None:
    """They neither read nor answer the close frame."""
    async with Simulator(accounts=50, step_s=None) as sim:
        sockets = await asyncio.gather(*(_idle(sim) for _ in range(200)))
        assert sim.status()["sockets"] == 200
        async with asyncio.timeout(30):
            await sim.stop()
        assert sim.status()["sockets"] == 0
        for socket in sockets:
            socket.transport.abort()
            await socket.wait_closed()


async def _idle(sim: Simulator) -> ClientConnection:
    socket = await connect(sim.stream_url)
    socket.transport.pause_reading()
    return socket


async def test_steps_run_periodically() -> None:
    async with Simulator(accounts=1, step_s=0.01) as sim, listening(sim) as stream:
        sim.exchange.submit("alpha", RESTING_BUY | {"limit_price": "9999"})
        events = [(await stream.event())["event"]]
        while events[-1] != "fill":
            events.append((await stream.event())["event"])


async def test_background_failure_is_raised_by_wait() -> None:
    def broken(*, prices_move: bool) -> None:
        raise ArithmeticError("the clock is broken")

    async with Simulator(accounts=1) as sim:
        sim.step = broken  # type: ignore[assignment,method-assign]  # a bug, on purpose
        with pytest.raises(ArithmeticError):
            async with asyncio.timeout(30):
                await sim.wait()


async def test_bug_in_a_route_is_a_500_in_json(sim: Simulator, rest: Rest) -> None:
    del sim.exchange._state  # a bug, on purpose
    status, body = await rest.request("GET", "/v2/account")
    assert (status, body["code"]) == (500, 50010000)


async def test_without_traffic_prices_rest_and_orders_fill() -> None:
    async with Simulator(accounts=1, step_s=0.001) as sim, listening(sim) as stream:
        before = sim.exchange.prices()
        sim.exchange.submit("alpha", MARKET_BUY)
        while (await stream.event())["event"] != "fill":
            pass
        assert sim.exchange.prices() == before
