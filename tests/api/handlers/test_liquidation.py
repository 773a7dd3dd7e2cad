"""Bad moments over HTTP: close a position, an account, everything; the kill switch."""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from realtime.config.settings import OrderLimits, Settings
from tests.api.orders.client import Change, Trader, daemon, play
from tests.orders.trading import broker
from tests.virtual import run


async def fill(trader: Trader, label: str, *symbols: str, qty: str = "10") -> None:
    """Give an account some positions."""
    for symbol in symbols:
        trader.fleet.buy(label, symbol, qty)
    await trader.fleet.until(
        lambda: len(trader.fleet.simulator.exchange.positions(label)) >= len(symbols)
    )


def held(trader: Trader, label: str) -> dict[str, str]:
    rows = trader.fleet.simulator.exchange.positions(label)
    return {str(row["symbol"]): str(row["qty"]) for row in rows}


def test_close_one_position(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        await fill(trader, "alpha", "AAPL", "MSFT")
        half = await trader.ask("DELETE", "/positions/alpha/AAPL?percentage=50")
        assert (half.status, half.json["qty"], half.json["side"]) == (200, "5", "sell")
        await trader.fleet.until(lambda: held(trader, "alpha").get("AAPL") == "5")
        two = await trader.ask("DELETE", "/positions/alpha/AAPL?qty=2")
        assert two.json["qty"] == "2"
        await trader.fleet.until(lambda: held(trader, "alpha").get("AAPL") == "3")
        rest = await trader.ask("DELETE", "/positions/alpha/AAPL")
        assert rest.json["qty"] == "3"
        await trader.fleet.until(lambda: "AAPL" not in held(trader, "alpha"))
        gone = await trader.ask("DELETE", "/positions/alpha/AAPL")
        assert (gone.status, gone.json["code"]) == (404, "broker_knows_not")
        for query in ("qty=11", "percentage=101", "qty=1&percentage=1", "qty=x", "percentage=1"):
            wrong = await trader.ask("DELETE", f"/positions/alpha/MSFT?{query}")
            assert (wrong.status, wrong.json["code"]) == (422, "invalid_order"), query
        assert held(trader, "alpha") == {"MSFT": "10"}

    play(scene, tmp_path)


def test_a_closing_order_whose_answer_is_lost_is_one(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        await fill(trader, "alpha", "AAPL")
        before = len(trader.at_broker("alpha"))
        trader.fleet.simulator.add_fault({"kind": "accepted_but_504", "method": "POST", "count": 1})
        assert (await trader.ask("DELETE", "/positions/alpha/AAPL?qty=4")).status == 200
        assert len(trader.at_broker("alpha")) == before + 1

    play(scene, tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        None,
        {"kind": "accepted_but_504", "count": 4},
        {"kind": "no_answer", "performed": True, "count": 2},
        {"kind": "no_answer", "performed": False, "count": 2},
        {"kind": "server_error", "count": 6},
        {"kind": "rate_limited", "count": 2},
        {"kind": "lagging_positions", "seconds": 8, "for_s": 60},
    ],
    ids=lambda fault: str(fault and fault["kind"]),
)
def test_close_everything(tmp_path: Path, fault: dict[str, object] | None) -> None:
    """Orders that hold the shares, coins, shorts, faults: flat in the end, and never turned."""

    async def scene(trader: Trader) -> None:
        exchange = trader.fleet.simulator.exchange
        for label in ("alpha", "bravo"):
            await fill(trader, label, "AAPL", "MSFT")
            trader.fleet.buy(label, "BTC/USD", "0.01", time_in_force="gtc")
            exchange.submit(
                label,
                {
                    "symbol": "AAPL",
                    "qty": "10",
                    "side": "sell",
                    "type": "limit",
                    "limit_price": "9999",
                    "time_in_force": "gtc",
                },
            )
        exchange.submit(
            "alpha",
            {
                "symbol": "NVDA",
                "qty": "5",
                "side": "sell",
                "type": "market",
                "time_in_force": "day",
            },
        )
        await trader.fleet.until(lambda: len(held(trader, "alpha")) == 4)
        assert (await trader.ask("DELETE", "/positions")).json["code"] == "confirm_required"
        assert len(held(trader, "alpha")) == 4
        if fault is not None:
            trader.fleet.simulator.add_fault(fault)
        answer = await trader.ask("DELETE", "/positions?confirm=true&wait_s=30")
        assert answer.status in (200, 202)
        if fault is None:
            assert answer.status == 200
            assert answer.json["done"]
            first = answer.json["accounts"][0]
            assert {row["status"] for row in first["symbols"].values()} == {"flat"}
            assert set(first["symbols"]) == {"AAPL", "MSFT", "NVDA", "BTCUSD"}
        if not answer.json["done"]:
            refused = await trader.order("alpha")
            assert (refused.status, refused.json["code"]) == (423, "account_closing")

        async def is_done() -> bool:
            return bool((await trader.ask("GET", "/orders/closing")).json["done"])

        for _ in range(300):
            if await is_done():
                break
            await asyncio.sleep(1)
        assert await is_done()
        for label in ("alpha", "bravo"):
            assert held(trader, label) == {}
            assert not trader.fleet.working(label)
        assert (await trader.order("alpha")).status == 200

    play(scene, tmp_path, accounts=3)


def test_what_cannot_be_closed_stays_latched_until_released(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        await fill(trader, "alpha", "AAPL")
        trader.fleet.simulator.set_market("closed")
        answer = await trader.ask("DELETE", "/positions/alpha?wait_s=5")
        assert answer.status == 202
        (account,) = answer.json["accounts"]
        assert account["symbols"]["AAPL"]["status"] == "working"
        await asyncio.sleep(120)
        closing = [o for o in trader.at_broker("alpha") if o["side"] == "sell"]
        assert len(closing) == 1
        released = await trader.ask("DELETE", "/orders/closing?account_id=alpha")
        assert released.json["accounts"][0]["state"] == "released"
        again = await trader.order("alpha", symbol="MSFT", type="limit", limit_price="1")
        assert (again.status, again.json["status"]) == (200, "accepted")

    play(scene, tmp_path)


def test_closing_goes_on_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with broker(accounts=2) as simulator:
            async with daemon(simulator, tmp_path, seed=1) as trader:
                await fill(trader, "alpha", "AAPL")
                simulator.set_market("closed")
                await trader.ask("DELETE", "/positions/alpha?wait_s=2")
            simulator.set_market("always")
            async with daemon(simulator, tmp_path, seed=2) as trader:
                await trader.fleet.until(lambda: not held(trader, "alpha"))
                await trader.fleet.until(
                    lambda: not trader.fleet.daemon.trading_service.gateway.liquidating
                )

    run(main)


def test_the_kill_switch_survives_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with broker(accounts=2) as simulator:
            async with daemon(simulator, tmp_path, seed=1) as trader:
                placed = await trader.order("alpha", type="limit", limit_price="1")
                state = await trader.ask("POST", "/orders/halt", {"reason": "storm"})
                assert state.json["halted"] is True
                refused = await trader.order("alpha")
                assert (refused.status, refused.json["code"]) == (423, "orders_halted")
                assert refused.json["guard"] == "halted"
                assert "storm" in refused.json["detail"]
                change = {"limit_price": "2"}
                build_replacement = await trader.ask(
                    "PATCH", f"/orders/{placed.json['id']}", change
                )
                assert build_replacement.status == 423
            async with daemon(simulator, tmp_path, seed=2) as trader:
                assert (await trader.order("bravo")).status == 423
                assert (await trader.ask("DELETE", f"/orders/{placed.json['id']}")).status == 204
                assert (await trader.ask("POST", "/orders/resume")).json["halted"] is False
                assert (await trader.order("bravo")).status == 200
                await trader.ask("POST", "/orders/halt", {"account_id": "alpha"})
                assert (await trader.order("alpha")).status == 423
                assert (await trader.order("bravo")).status == 200

    run(main)


def limited(**limits: object) -> Change:
    def change(settings: Settings) -> Settings:
        caps = OrderLimits(**limits)  # type: ignore[arg-type]  # each test names what it means
        return structs.replace(settings, orders=structs.replace(settings.orders, limits=caps))

    return change


@pytest.mark.parametrize(
    ("change", "order", "code"),
    [
        (limited(symbols=("MSFT",)), {}, "guard_symbol"),
        (limited(sides=("sell",)), {}, "guard_side"),
        (limited(max_notional="100"), {"type": "limit", "limit_price": "51", "qty": 2},
         "guard_notional"),
        (limited(max_notional="100"), {}, "guard_notional"),
        (limited(max_notional="100"), {"qty": None, "notional": "101"}, "guard_notional"),
        (limited(enabled=False), {}, "trading_disabled"),
    ],
    ids=["symbol", "side", "limit", "market", "notional", "disabled"],
)  # fmt: skip
def test_guards_are_named(
    tmp_path: Path, change: Change, order: dict[str, object], code: str
) -> None:
    async def scene(trader: Trader) -> None:
        before = trader.fleet.requests("alpha")
        refused = await trader.order(**order)  # type: ignore[arg-type]  # a body's own fields
        assert refused.json["code"] == code
        assert refused.json["guard"] in code or code == "trading_disabled"
        assert trader.fleet.requests("alpha") == before

    if code == "trading_disabled":

        def change_all(settings: Settings) -> Settings:
            return structs.replace(settings, orders=structs.replace(settings.orders, enabled=False))

        play(scene, tmp_path, change=change_all)
    else:
        play(scene, tmp_path, change=change)


def test_orders_a_minute(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        for _ in range(2):
            assert (await trader.order(type="limit", limit_price="1")).status == 200
        full = await trader.order()
        assert (full.status, full.json["code"]) == (429, "guard_rate")
        assert (await trader.order("bravo", type="limit", limit_price="1")).status == 200
        await asyncio.sleep(int(full.headers["Retry-After"]))
        assert (await trader.order(type="limit", limit_price="1")).status == 200

    play(scene, tmp_path, change=limited(max_orders_per_minute=2))


def test_real_money_wants_a_word_of_its_own(tmp_path: Path) -> None:
    def alpha_is_live(settings: Settings) -> Settings:
        accounts = tuple(
            structs.replace(each, paper=each.label != "alpha") for each in settings.accounts
        )
        return structs.replace(settings, accounts=accounts)

    def and_said(settings: Settings) -> Settings:
        settings = alpha_is_live(settings)
        return structs.replace(settings, orders=structs.replace(settings.orders, live=True))

    async def refused(trader: Trader) -> None:
        answer = await trader.order("alpha")
        assert (answer.status, answer.json["guard"]) == (403, "live")
        assert (await trader.ask("DELETE", "/positions/alpha")).status == 403
        closed = await trader.ask("DELETE", "/positions?confirm=true&wait_s=30")
        assert [row["account_id"] for row in closed.json["accounts"]] == ["bravo", "charlie"]
        assert closed.json["left_out"] == {"alpha": "account alpha holds real money"}
        routed = [await trader.order(None, strategy="round_robin") for _ in range(4)]
        assert {each.json["account_id"] for each in routed} == {"bravo", "charlie"}

    async def taken(trader: Trader) -> None:
        assert (await trader.order("alpha")).status == 200

    play(refused, tmp_path, change=alpha_is_live)
    play(taken, tmp_path, change=and_said)
