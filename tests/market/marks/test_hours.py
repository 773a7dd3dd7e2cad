"""Marks around the hours of New York: when sessions change, and when day gains start again."""

import asyncio
from decimal import Decimal

import pytest

from tests.fleet import Fleet
from tests.market.marks.scene import broker_equity, follow, mark_of, new_york, play

BEFORE_S, AFTER_S = 40.0, 20.0

pytestmark = pytest.mark.slow

CLOSES = (
    "2026-03-06T16:00",  # the last of standard time
    "2026-03-09T16:00",  # the first of daylight saving time
    "2026-10-30T16:00",
    "2026-11-02T16:00",  # the first of standard time
    "2026-11-27T13:00",  # the day after Thanksgiving ends early
)

NO_CLOSES = (
    ("2026-03-09T09:30", "pre", "regular"),
    ("2026-10-30T09:30", "pre", "regular"),
    ("2026-11-27T13:01:30", "post", "post"),
    ("2026-11-27T16:00", "post", "post"),
    ("2026-10-29T20:00", "post", "overnight"),
    ("2026-10-30T20:00", "post", "closed"),  # a Friday
    ("2026-10-29T22:00", "overnight", "overnight"),
    ("2026-10-30T04:00", "overnight", "pre"),
    ("2026-11-01T02:00", "closed", "closed"),  # clocks go back
    ("2026-11-26T16:00", "closed", "closed"),  # Thanksgiving
)

COIN = {"symbol": "ETH/USD", "qty": "1.5", "time_in_force": "gtc"}


async def hold(running: Fleet, *, stock: bool) -> None:
    for label in running.links:
        running.buy(label, **COIN)
        if stock:
            running.buy(label, "NVDA", "7")
    await asyncio.sleep(2)
    running.simulator.set_activity(0.001)


@pytest.mark.parametrize("close", CLOSES)
def test_day_gain_starts_again_with_the_close(close: str) -> None:
    at = new_york(close)

    async def act(running: Fleet) -> None:
        await hold(running, stock=True)
        label = next(iter(running.links))
        marks = follow(running)
        await asyncio.sleep(BEFORE_S + AFTER_S)
        before = [m for m in marks if m.label == label and m.at < at]
        after = [m for m in marks if m.label == label and m.at >= at]
        assert before
        assert after
        opening = before[0].last_equity
        assert opening == Decimal(1_000_000)  # of the day before
        assert {m.last_equity for m in before} == {opening}
        assert before[-1].day_pl
        first = after[0]
        assert first.at - at < 1
        assert first.last_equity not in (None, opening)
        assert first.day_pl is not None
        assert abs(first.day_pl) < 1
        assert {m.session for m in before} == {"regular"}
        assert {m.session for m in after} == {"post"}
        running.simulator.set_activity(0)
        await asyncio.sleep(60)
        mark = mark_of(running, label)
        assert mark.last_equity_source == "broker"
        shown = running.simulator.exchange.account(label)["last_equity"]
        assert mark.last_equity == Decimal(str(shown))

    play(act, accounts=1, market="nyse", start=at - BEFORE_S - 5, step_s=0.5)


@pytest.mark.parametrize(("moment", "before", "after"), NO_CLOSES)
def test_no_other_hour_changes_the_day_s_base(moment: str, before: str, after: str) -> None:
    at = new_york(moment)

    async def act(running: Fleet) -> None:
        await hold(running, stock=False)
        label = next(iter(running.links))
        marks = follow(running)
        await asyncio.sleep(BEFORE_S + AFTER_S)
        mine = [m for m in marks if m.label == label]
        assert len({m.last_equity for m in mine}) == 1
        assert {m.session for m in mine if m.at < at - 1} == {before}
        assert {m.session for m in mine if m.at > at + 1} == {after}
        equity = mark_of(running, label).equity
        assert equity is not None
        assert abs(equity - broker_equity(running, label)) < 5

    play(act, accounts=1, market="nyse", start=at - BEFORE_S + 5, step_s=0.5)


def test_after_hours_the_broker_s_price_of_the_last_read_is_the_mark() -> None:
    """From 22:00 the broker values stocks at the official close, without a trade."""

    async def act(running: Fleet) -> None:
        label = next(iter(running.links))
        running.buy(label, "NVDA", "7")
        await asyncio.sleep(100)  # over the close
        running.simulator.set_activity(0)
        price = Decimal(running.simulator.exchange.prices()["NVDA"])
        running.simulator.market_data.settings.no_trades = ["NVDA"]
        running.simulator.exchange.set_price("NVDA", str(price + Decimal("1.25")))
        await asyncio.sleep(60)
        assert mark_of(running, label).equity == broker_equity(running, label)

    play(act, accounts=1, market="nyse", start=new_york("2026-10-29T15:59"), step_s=0.5)
