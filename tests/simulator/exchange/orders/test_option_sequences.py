"""Options, spreads, the shares under them, and nights: no order of them breaks a book."""

from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.simulator.exchange.engine import ApiError
from realtime.simulator.exchange.orders.order import TERMINAL
from tests.simulator.exchange.harness import ExchangeHarness, Json
from tests.simulator.exchange.test_engine import check_frames, executions

CALLS = ("NVDA261120C00180000", "NVDA261120C00200000", "NVDA261120C00210000")
PUTS = ("NVDA261120P00180000", "NVDA261120P00200000")
SIDES = st.sampled_from(["buy", "sell"])
LEG = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(CALLS + PUTS),
        "side": SIDES,
        "ratio_qty": st.sampled_from(["1", "2"]),
    }
)
SINGLE = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from((*CALLS, *PUTS, "NVDA", "NVDA")),
        "side": SIDES,
        "qty": st.sampled_from(["1", "2", "100", "250"]),
        "type": st.just("market"),
        "time_in_force": st.just("day"),
    }
)
RESTING = SINGLE.map(lambda body: {**body, "type": "limit", "limit_price": "190"})
SPREAD = st.fixed_dictionaries(
    {
        "order_class": st.just("mleg"),
        "qty": st.sampled_from(["1", "3"]),
        "type": st.just("market"),
        "time_in_force": st.just("day"),
        "legs": st.lists(LEG, min_size=2, max_size=4),
    }
)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.one_of(SINGLE, RESTING, SPREAD)),
        st.tuples(st.just("step"), st.integers(1, 4)),
        st.tuples(st.just("pass"), st.integers(3_600, 500_000)),
        st.tuples(st.just("price"), st.integers(150, 240)),
        st.tuples(st.just("close_all"), st.booleans()),
        st.tuples(st.just("cancel_all"), st.none()),
    ),
    max_size=30,
)


def play(harness: ExchangeHarness, name: str, value: object) -> None:
    """Carry out one operation, unless the exchange refuses it."""
    exchange = harness.exchange
    try:
        match name, value:
            case "submit", dict():
                exchange.submit("alpha", value)
            case "step", int():
                harness.step(value)
            case "pass", int():
                harness.pass_time(value)
            case "price", int():
                exchange.set_price("NVDA", str(value))
            case "close_all", bool():
                exchange.close_all_positions("alpha", cancel_orders=value)
            case _:
                exchange.cancel_all("alpha")
    except ApiError as error:
        assert error.status in (403, 404, 422)  # noqa: PT017 -- a refusal need not come


def check(harness: ExchangeHarness) -> None:
    """Cash and contracts follow from trades and journal; no power is negative; none is bare."""
    exchange = harness.exchange
    trades = executions(exchange, "alpha")
    activity_log = exchange.activities("alpha", {"category": "non_trade_activity"})
    account = exchange.account("alpha")
    cash = number(trades, "cash_delta") + number(activity_log, "net_amount")
    assert Decimal(str(account["cash"])) == cash
    moved: dict[object, Decimal] = defaultdict(Decimal)
    for item in trades:
        moved[item["symbol"]] += number([item], "position_delta")
    for item in activity_log:
        moved[item.get("symbol")] += number([item], "qty")
    held = {p["symbol"]: number([p], "qty") for p in exchange.positions("alpha")}
    assert held == {symbol: qty for symbol, qty in moved.items() if qty and symbol}
    assert all(Decimal(str(v)) >= 0 for k, v in account.items() if k.endswith("buying_power"))
    calls = sum((qty for symbol, qty in held.items() if symbol in CALLS), Decimal(0))
    assert calls * 100 + max(held.get("NVDA", Decimal(0)), Decimal(0)) >= 0
    check_orders(harness)


def check_orders(harness: ExchangeHarness) -> None:
    """An order is open or closed, never both, and so are its legs."""
    exchange = harness.exchange
    lists = {
        status: {o["id"] for o in exchange.orders("alpha", {"status": status, "limit": "500"})}
        for status in ("open", "closed", "all")
    }
    assert not lists["open"] & lists["closed"]
    assert lists["open"] | lists["closed"] == lists["all"]
    for order in exchange.orders("alpha", {"status": "all", "nested": "true", "limit": "500"}):
        legs = order["legs"] or []
        assert isinstance(legs, list)
        ended = order["status"] in TERMINAL
        assert all((leg["status"] in TERMINAL) == ended for leg in legs)


def number(items: list[Json], key: str) -> Decimal:
    return sum((Decimal(str(item.get(key, 0))) for item in items), Decimal(0))


@settings(max_examples=80, deadline=None)
@given(script=OPERATIONS, multiplier=st.sampled_from(["1", "2", "4"]))
def test_state_is_consistent_after_any_option_sequence(
    script: list[tuple[str, object]], multiplier: str
) -> None:
    """Also over nights and past the contracts' last day."""
    harness = ExchangeHarness(multiplier=multiplier)
    for name, value in script:
        play(harness, name, value)
        check(harness)
    check_frames(harness.frames())
