"""What goes wrong with prices, through a running daemon: shown as it is, and never as zero."""

import asyncio
from decimal import Decimal
from itertools import pairwise

import pytest
from msgspec import structs

from realtime.core.mark import AccountMark
from realtime.market.marks.engine import MIN_INTERVAL_S, MarkEngine
from tests.fleet import Fleet
from tests.market.marks.scene import broker_equity, follow, mark_of, new_york, play

pytestmark = pytest.mark.slow  # a day of a fleet each

STOCKS = ("AAPL", "MSFT", "NVDA", "SPY", "XLF")


async def hold(running: Fleet, *symbols: str, qty: str = "10") -> str:
    """Every account buys; then prices move. Returns the first account."""
    for label in running.links:
        for symbol in symbols:
            running.buy(label, symbol, qty)
    await asyncio.sleep(20)
    running.simulator.set_activity(0.001)
    return next(iter(running.links))


@pytest.mark.parametrize("ratio", [(10, False), (10, True), (2, False)])
@pytest.mark.parametrize("lag_s", [0, 8])
def test_a_split_overnight_is_in_no_mark_of_any_account(
    ratio: tuple[int, bool], lag_s: int
) -> None:
    times, reverse = ratio

    async def act(running: Fleet) -> None:
        await hold(running, "MSFT", "XLF")
        await asyncio.sleep(50)  # over the close
        marks = follow(running)
        if lag_s:
            await running.fault(kind="lagging_positions", seconds=lag_s, for_s=40)
        equities = {label: broker_equity(running, label) for label in running.links}
        running.simulator.exchange.split("MSFT", times, reverse=reverse)
        await asyncio.sleep(90)
        assert marks
        for mark in marks:
            assert mark.equity is not None
            assert abs(mark.equity - equities[str(mark.label)]) < 20, mark
            assert mark.long_market_value > 100
        for label in running.links:
            assert mark_of(running, label).equity == broker_equity(running, label)

    play(act, market="nyse", start=new_york("2026-10-29T15:59:20"), step_s=0.5)


@pytest.mark.parametrize("stays", [True, False])
def test_a_jump_waits_for_reads_and_is_dropped_if_it_was_a_mistake(stays: bool) -> None:
    async def act(running: Fleet) -> None:
        label = await hold(running, "MSFT")
        before = broker_equity(running, label)
        price = Decimal(running.simulator.exchange.prices()["MSFT"])
        running.simulator.exchange.set_price("MSFT", str(price / 2))
        await asyncio.sleep(1)
        held = mark_of(running, label)
        assert held.prices.held == ("MSFT",)
        assert held.equity is not None
        assert abs(held.equity - before) < 20
        if not stays:
            running.simulator.exchange.set_price("MSFT", str(price))
        running.simulator.set_activity(0)
        await asyncio.sleep(60)
        mark = mark_of(running, label)
        assert mark.prices.held == ()
        assert mark.equity == broker_equity(running, label)

    play(act, step_s=0.5)


def test_a_halted_symbol_is_flagged_and_keeps_its_price() -> None:
    async def act(running: Fleet) -> None:
        label = await hold(running, "NVDA", "SPY")
        await running.http.post(
            f"{running.simulator.url}/_sim/halt", json={"symbol": "NVDA", "on": True}
        )
        await asyncio.sleep(2)
        mark = mark_of(running, label)
        assert mark.prices.halted == ("NVDA",)
        assert mark.equity is not None
        assert mark.long_market_value > 10 * Decimal(running.simulator.exchange.prices()["SPY"])
        await running.http.post(
            f"{running.simulator.url}/_sim/halt", json={"symbol": "NVDA", "on": False}
        )
        await asyncio.sleep(2)
        assert mark_of(running, label).prices.halted == ()

    play(act, step_s=0.5)


def test_without_a_price_equity_is_unknown_with_a_reason_and_so_are_the_sums() -> None:
    async def act(running: Fleet) -> None:
        settings = running.simulator.market_data.settings
        settings.no_trades, settings.silent_symbols = ["MSFT"], ["MSFT"]
        running.simulator.exchange.quirks.unpriced.append("MSFT")
        label = next(iter(running.links))
        for symbol in ("NVDA", "MSFT"):
            running.buy(label, symbol, "10")
        await asyncio.sleep(60)
        mark = mark_of(running, label)
        document = await running.reader(f"/realtime/dashboard/{label}")
        assert isinstance(document, dict)
        if mark.prices.unpriced:
            assert mark.equity is None
            assert document["equity_mark"]["equity"] is None
            assert document["equity_mark"]["reason"] == "no price of MSFT"
            assert document["equity_mark"]["day_pl"] is None
            totals = await running.reader("/market/marks")
            assert isinstance(totals, dict)
            tiers = [t for t in totals["by_tier"] if t["unknown"]]
            assert [t["equity_mark"] for t in tiers] == [None]
            summary = await running.reader("/realtime/summary")
            assert isinstance(summary, dict)
            assert summary["equity_mark"] is None
        # The broker's own figure is what it says; the mark does not replace it.
        assert document["account"]["equity"] is not None

    play(act, step_s=0.5)


def test_a_silent_feed_is_old_after_seconds_and_reads_go_on_correcting_it() -> None:
    async def act(running: Fleet) -> None:
        label = await hold(running, "NVDA", "SPY")
        await asyncio.sleep(10)
        assert mark_of(running, label).prices.old == 0
        running.simulator.market_data.settings.deaf = True
        old = []
        for _ in range(240):
            await asyncio.sleep(0.5)
            mark = mark_of(running, label)
            old.append(mark.prices.old)
            assert mark.equity is not None
            assert abs(mark.equity - broker_equity(running, label)) < 30
        assert max(old) > 0
        running.simulator.market_data.settings.deaf = False
        await asyncio.sleep(60)
        assert mark_of(running, label).prices.old == 0

    play(act, accounts=1, step_s=0.5)


@pytest.mark.slow
def test_a_late_iex_feed_is_indicative_and_its_error_covers_the_true_one() -> None:
    async def act(running: Fleet) -> None:
        running.simulator.market_data.settings.iex_delay_s = 300
        label = await hold(running, *STOCKS, qty="40")
        await asyncio.sleep(120)
        covered, reads, confirmed_at = 0, 0, running.record(label).confirmed_at
        mark, true = mark_of(running, label), Decimal(0)
        for _ in range(2_000):
            await asyncio.sleep(0.5)
            if running.record(label).confirmed_at != confirmed_at:
                # What the mark before this read was off by, against what it said.
                confirmed_at = running.record(label).confirmed_at
                assert mark.error is not None
                reads, covered = reads + 1, covered + (true <= mark.error.p95 + Decimal("0.01"))
            mark = mark_of(running, label)
            assert mark.equity is not None
            true = abs(mark.equity - broker_equity(running, label))
        assert reads > 50
        assert covered / reads >= 0.95
        document = await running.reader("/market/marks")
        assert isinstance(document, dict)
        assert (document["feed"], document["indicative"]) == ("iex", True)
        assert {e["feed"] for e in document["errors"]} == {"iex"}

    play(act, accounts=1, plan="basic", step_s=0.5)


def test_a_trade_that_the_feed_corrects_or_cancels_is_undone() -> None:
    async def act(running: Fleet) -> None:
        label = await hold(running, "SPY", qty="10")
        running.simulator.set_activity(0)
        await asyncio.sleep(60)
        tape, settings = running.simulator.market_data.tape, running.simulator.market_data.settings
        settings.no_trades = ["SPY"]
        right = mark_of(running, label).equity
        price = Decimal(running.simulator.exchange.prices()["SPY"])
        tape.print_execution("SPY", price + 10, Decimal(200))
        await asyncio.sleep(1)
        assert mark_of(running, label).equity == (right or 0) + 100
        tape.amend("SPY", price=float(price + 1))
        await asyncio.sleep(1)
        assert mark_of(running, label).equity == (right or 0) + 10
        tape.amend("SPY", price=None)
        await asyncio.sleep(1)
        assert mark_of(running, label).equity == right

    play(act, accounts=1, step_s=0.5)


def test_an_account_gets_at_most_four_marks_a_second_and_only_new_ones() -> None:
    async def act(running: Fleet) -> None:
        await hold(running, *STOCKS)
        marks = follow(running)
        await asyncio.sleep(20)
        for label in running.links:
            mine = [mark for mark in marks if mark.label == label]
            assert 40 < len(mine) <= 20 / MIN_INTERVAL_S + 1
            gaps = [b.at - a.at for a, b in pairwise(mine)]
            assert min(gaps) >= MIN_INTERVAL_S - 0.001
            for a, b in pairwise(mine):
                stripped = {"seq": 0, "at": 0, "price_at": 0, "equity_rest_at": 0}
                assert structs.replace(a, **stripped) != structs.replace(b, **stripped)
            assert [m.seq for m in mine] == sorted(m.seq for m in mine)

    play(act)


def test_books_add_up_to_the_account_while_it_trades() -> None:
    async def act(running: Fleet) -> None:
        label = next(iter(running.links))
        for number, prefix in enumerate(("mom-", "pairs-", "mom-", "")):
            running.buy(label, "NVDA", str(number + 1), client_order_id=f"{prefix}x{number}")
        await asyncio.sleep(20)
        running.simulator.set_activity(0.5)
        for _ in range(40):
            await asyncio.sleep(0.5)
            document = await running.reader("/market/marks")
            assert isinstance(document, dict)
            marks = [mark_of(running, each) for each in running.links]
            assert len({b["book"] for b in document["by_book"]}) == 3
            by_book = sum(Decimal(b["market_value"]) for b in document["by_book"])
            by_tier = sum(
                Decimal(t["long_market_value"]) + Decimal(t["short_market_value"])
                for t in document["by_tier"]
            )
            assert by_book == by_tier
            assert all(mark.books for mark in marks)
        assert isinstance(document, dict)
        rows = {b["book"]: Decimal(b["market_value"]) for b in document["by_book"]}
        assert rows["momentum"] > rows["pairs"] > 0
        assert document["drift"] == 0

    play(act, step_s=0.5, books={"momentum": "mom-", "pairs": "pairs-"})


def test_a_limit_of_streamed_symbols_is_kept_and_the_others_are_read_in_turn() -> None:
    async def act(running: Fleet) -> None:
        label = next(iter(running.links))
        symbols = [
            asset.symbol
            for asset in running.simulator.exchange.listing.by_symbol.values()
            if asset.is_equity and asset.active
        ]
        for symbol in symbols:
            running.buy(label, symbol, "1")
        await asyncio.sleep(30)
        running.simulator.set_activity(0.001)
        await asyncio.sleep(30)
        document = await running.reader("/market/marks")
        assert isinstance(document, dict)
        held = len(running.record(label).state.positions)
        assert held > 30
        assert document["prices"]["streamed"] == 20
        assert document["prices"]["polled"] == held - 20
        assert document["prices"]["refused"] is None
        assert mark_of(running, label).prices.unpriced == ()
        running.simulator.set_activity(0)
        await asyncio.sleep(60)
        assert mark_of(running, label).equity == broker_equity(running, label)

    play(act, accounts=1, plan="basic", reserve=20, step_s=0.5)


def test_after_a_restart_marks_are_the_broker_s_again() -> None:
    async def before(running: Fleet) -> None:
        await hold(running, *STOCKS)
        await asyncio.sleep(20)

    async def after(running: Fleet) -> None:
        await asyncio.sleep(2)
        for label in running.links:
            mark = mark_of(running, label)
            assert mark.equity is not None
            assert abs(mark.equity - broker_equity(running, label)) < 50
        running.simulator.set_activity(0)
        await asyncio.sleep(60)
        for label in running.links:
            assert mark_of(running, label).equity == broker_equity(running, label)

    play(before, then=after, step_s=0.5)


def test_while_another_program_holds_the_stream_prices_are_read_by_rest() -> None:
    async def act(running: Fleet) -> None:
        label = await hold(running, *STOCKS)
        await asyncio.sleep(10)
        settings = running.simulator.market_data.settings
        settings.slot_release_s, settings.cut_in_frame = 3600.0, True
        await asyncio.sleep(60)
        document = await running.reader("/market/marks")
        assert isinstance(document, dict)
        assert (document["prices"]["streamed"], document["prices"]["polled"]) == (0, len(STOCKS))
        mark = mark_of(running, label)
        assert mark.equity is not None
        assert abs(mark.equity - broker_equity(running, label)) < 50
        running.simulator.set_activity(0)
        await asyncio.sleep(60)
        assert mark_of(running, label).equity == broker_equity(running, label)

    play(act, step_s=0.5)


def test_a_mistake_of_the_program_withdraws_all_marks_and_they_begin_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tick, broken = MarkEngine.tick, [False]

    def tick_or_fail(engine: MarkEngine) -> list[AccountMark]:
        if broken.pop():
            broken.append(False)
            raise ValueError("a mistake")
        broken.append(False)
        return tick(engine)

    monkeypatch.setattr(MarkEngine, "tick", tick_or_fail)

    async def act(running: Fleet) -> None:
        label = await hold(running, "NVDA")
        assert mark_of(running, label).equity is not None
        broken[0] = True
        await asyncio.sleep(1)
        assert all(record.mark is None for record in running.daemon.store)
        document = await running.reader(f"/realtime/dashboard/{label}")
        assert isinstance(document, dict)
        assert "equity_mark" not in document
        assert document["account"]["equity"] is not None
        running.simulator.set_activity(0)
        await asyncio.sleep(60)
        assert mark_of(running, label).equity == broker_equity(running, label)
        totals = await running.reader("/market/marks")
        assert isinstance(totals, dict)
        assert (totals["failures"], totals["accounts"]) == (1, 2)

    play(act, step_s=0.5)
