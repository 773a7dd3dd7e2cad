"""Marks of a running daemon against the simulator: one price process drives both."""

import asyncio

import pytest

from tests.fleet import Fleet
from tests.market.marks.scene import broker_equity, mark_of, play

HOLDINGS = (
    {"symbol": "NVDA", "qty": "7"},
    {"symbol": "XLF", "qty": "20", "side": "sell"},
    {"symbol": "ETH/USD", "qty": "1.5", "time_in_force": "gtc"},
    {"symbol": "NVDA261120C00200000", "qty": "2"},
)


async def hold(running: Fleet, *, activity: float = 0.001) -> None:
    """Every account buys; then prices move. `activity`: events per second of generated traffic."""
    for label in running.links:
        for holding in HOLDINGS:
            running.buy(label, **holding)
    await asyncio.sleep(20)
    running.simulator.set_activity(activity)


async def settle(running: Fleet) -> None:
    """No prices move any more, and everything is confirmed."""
    running.simulator.set_activity(0.0)
    await asyncio.sleep(90)
    await running.until(running.settled)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_at_rest_marked_equity_is_the_broker_s_to_the_cent(seed: int) -> None:
    async def act(running: Fleet) -> None:
        await hold(running, activity=3.0)
        await asyncio.sleep(60)
        await settle(running)
        for label in running.links:
            mark = mark_of(running, label)
            assert mark.equity is not None
            assert mark.equity == broker_equity(running, label), label
            assert not mark.is_provisional

    play(act, seed=seed)


@pytest.mark.slow
def test_marks_move_between_reads_without_a_request_of_the_account() -> None:
    async def act(running: Fleet) -> None:
        label = next(iter(running.links))
        await hold(running)
        await asyncio.sleep(60)
        seen, requests = set(), running.requests(label)
        start = running.record(label).confirmed_at
        while running.record(label).confirmed_at == start:
            seen.add(mark_of(running, label).equity)
            await asyncio.sleep(0.25)
        assert len(seen) > 10
        assert running.requests(label) - requests <= 4  # the read that ended the loop

    play(act)


@pytest.mark.slow
def test_the_error_against_rest_is_small_with_the_whole_stream() -> None:
    async def act(running: Fleet) -> None:
        await hold(running)
        await asyncio.sleep(120)
        for label in running.links:
            error = mark_of(running, label).error
            assert error is not None
            assert error.reads >= 3  # every 15 s, and after fills
            assert error.p95_bps < 5
        document = await running.reader("/market/marks")
        assert isinstance(document, dict)
        assert (document["feed"], document["drift"], document["unpriced"]) == ("sip", 0, 0)
        assert document["prices"]["polled"] == 0

    play(act)


@pytest.mark.slow
def test_a_basic_plan_streams_the_largest_positions_and_polls_the_others() -> None:
    async def act(running: Fleet) -> None:
        await hold(running)
        await asyncio.sleep(120)
        document = await running.reader("/market/marks")
        assert isinstance(document, dict)
        assert document["indicative"] is True
        prices = document["prices"]
        assert (prices["streamed"], prices["polled"], prices["refused"]) == (2, 2, None)

    play(act, plan="basic", reserve=2)


@pytest.mark.slow
def test_without_marks_in_the_configuration_no_document_mentions_them() -> None:
    async def act(running: Fleet) -> None:
        label = next(iter(running.links))
        await hold(running)
        await asyncio.sleep(30)
        assert running.record(label).mark is None
        assert "equity_mark" not in str(await running.reader(f"/realtime/dashboard/{label}"))

    play(act, marks=False)
