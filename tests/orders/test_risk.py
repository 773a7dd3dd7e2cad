"""The risk checks before money moves, as an attacker would try to pass them."""

from collections.abc import Mapping

import pytest

from realtime.auth.principal import Principal
from realtime.core.model import Order, OrderId
from realtime.orders.derived_orders import build_replacement
from realtime.orders.errors import Declined
from realtime.orders.order_request import OrderChanges, normalize_symbols, read_value
from realtime.orders.risk import AccountRiskRules, Limits, RiskChecks, RiskRules
from tests.orders.trading import ANYONE, broker, make_principal, order, trading
from tests.virtual import run

OCC, OTHER = "NVDA261120C00200000", "NVDA261120C00210000"
PRICES = {"AAPL": "100", "BTC/USD": "50000", OCC: "5", OTHER: "4"}
LIMIT = {"type": "limit", "limit_price": "100"}
STOP = {"type": "stop"}
OCO = {
    **LIMIT,
    "order_class": "oco",
    "side": "buy",
    "limit_price": "1",
    "take_profit": {"limit_price": "1"},
    "stop_loss": {"stop_price": "200"},
}
MLEG = {
    "symbol": None,
    "side": None,
    "order_class": "mleg",
    "legs": [{"symbol": OCC, "side": "buy", "ratio_qty": 2}, {"symbol": OTHER, "side": "sell"}],
}


def make_risk_checks(
    limits: Limits = Limits(),  # noqa: B008 - frozen
    *,
    own: Limits = Limits(),  # noqa: B008 - frozen
    users: Mapping[str, Limits] | None = None,
) -> RiskChecks:
    rules = RiskRules(limits=limits, users=users or {})
    permits = {label: AccountRiskRules(label=label, limits=own) for label in ("alpha", "bravo")}
    return RiskChecks(rules, permits, PRICES.get)


def refused(
    checks: RiskChecks,
    more: Mapping[str, object],
    principal: Principal = ANYONE,
    label: str = "alpha",
) -> str | None:
    """The guard that says no, or None."""
    try:
        checks.check(label, normalize_symbols(order(**more)), principal)
        checks.reserve(label, principal, now=0).confirm(0)
    except Declined as error:
        return error.guard
    return None


@pytest.mark.parametrize(
    ("more", "worth"),
    [
        ({"qty": "10"}, 1000),
        ({"qty": None, "notional": "1000"}, 1000),
        ({**LIMIT, "qty": "10"}, 1000),
        # A purchase cannot cost more than its limit; a sale at any limit fills at the market's.
        ({**LIMIT, "limit_price": "1", "qty": "1000"}, 1000),
        ({**LIMIT, "limit_price": "1", "qty": "10", "side": "sell"}, 1000),
        ({**LIMIT, "limit_price": "200", "qty": "5", "side": "sell"}, 1000),
        # A stop becomes a market order: what it says is no bound.
        ({**STOP, "stop_price": "1", "qty": "10"}, 1000),
        ({**STOP, "stop_price": "200", "qty": "5"}, 1000),
        ({"type": "trailing_stop", "trail_percent": "1", "qty": "10", "side": "sell"}, 1000),
        ({"type": "stop_limit", "stop_price": "1", "limit_price": "2", "qty": "500"}, 1000),
        ({"symbol": "aapl", "qty": "10"}, 1000),
        ({"symbol": "BTC/USD", "qty": "0.02"}, 1000),
        ({"symbol": "btc/usd", "qty": "0.02"}, 1000),
        # The limit is in bitcoins, and so is the amount: 0.05 × 0.4 × 50000.
        ({"symbol": "ETH/BTC", **LIMIT, "limit_price": "0.05", "qty": "0.4"}, 1000),
        ({"symbol": "ethbtc", **LIMIT, "limit_price": "0.05", "qty": "0.4"}, 1000),
        ({"symbol": "ETH/BTC", "qty": None, "notional": "0.02"}, 1000),
        ({"symbol": "ETH/USDC", **LIMIT, "limit_price": "2500", "qty": "0.4"}, 1000),
        # One cancels other: either may be what is filled.
        ({**OCO, "qty": "5"}, 1000),
        ({**OCO, "qty": "5", "stop_loss": {"stop_price": "150", "limit_price": "200"}}, 1000),
        ({**OCO, "qty": "5", "side": "sell", "take_profit": {"limit_price": "200"}}, 1000),
        ({**OCO, "qty": "4", "limit_price": None, "take_profit": {"limit_price": "250"}}, 1000),
        ({"symbol": OCC, "qty": "2", **LIMIT, "limit_price": "5"}, 1000),
        ({"symbol": OCC.lower(), "qty": "2"}, 1000),
        ({**MLEG, **LIMIT, "limit_price": "2.5", "qty": "4"}, 1000),
        # A credit is no bound: all legs at their prices, 2 × 5 + 1 × 4.
        ({**MLEG, **LIMIT, "limit_price": "-0.01", "qty": "1"}, 1400),
        ({**MLEG, **LIMIT, "limit_price": "0", "qty": "1"}, 1400),
        ({**MLEG, "qty": "1"}, 1400),
    ],
)
def test_what_an_order_is_worth(more: dict[str, object], worth: int) -> None:
    assert refused(make_risk_checks(Limits(max_notional=str(worth))), more) is None
    assert refused(make_risk_checks(Limits(max_notional=str(worth - 1))), more) == "notional"


@pytest.mark.parametrize(
    "more",
    [
        {"symbol": "ZZZ"},
        {"symbol": "ZZZ", "side": "sell", **LIMIT, "limit_price": "0.01"},
        {"symbol": "ZZZ", **STOP, "stop_price": "0.01"},
        {"symbol": "LTC/ETH", **LIMIT, "limit_price": "0.01"},
        {"symbol": "LTC/ETH", "qty": None, "notional": "0.01"},
        {"symbol": "LTC/ZZZ", **LIMIT, "limit_price": "0.01"},
        {**MLEG, "legs": [{"symbol": OCC, "side": "buy"}, {"symbol": "X", "side": "sell"}]},
    ],
)
def test_what_has_no_known_price_does_not_pass_a_cap(more: dict[str, object]) -> None:
    assert refused(make_risk_checks(Limits(max_notional="1000000")), more) == "notional"
    assert refused(make_risk_checks(), more) is None


def test_an_id_in_place_of_a_symbol_is_no_way_around() -> None:
    with pytest.raises(Declined):
        order(symbol="904837e33b7647ecb432046db621571b")


@pytest.mark.parametrize("symbol", ["AAPL", "aapl", "AAPL261120C00200000"])
def test_allowed_symbols(symbol: str) -> None:
    """An option counts as what it is about; small letters are the same letters."""
    only = make_risk_checks(Limits(symbols=("AAPL",)))
    assert refused(only, {"symbol": symbol}) is None
    assert refused(only, {"symbol": "MSFT"}) == "symbol"
    assert refused(only, {**MLEG, **LIMIT}) == "symbol"
    assert refused(make_risk_checks(Limits(symbols=(OCC,))), {**MLEG, **LIMIT}) == "symbol"


def test_sides_of_legs_count() -> None:
    only = make_risk_checks(Limits(sides=("buy",)))
    assert refused(only, {}) is None
    assert refused(only, {"side": "sell"}) == "side"
    assert refused(only, {**MLEG, **LIMIT}) == "side"


def test_every_cap_holds_where_several_do() -> None:
    """Of all accounts, of one account, of a user: the tightest decides."""
    bot = make_principal(name="bot")
    each = {
        "all": make_risk_checks(Limits(max_notional="500")),
        "own": make_risk_checks(own=Limits(max_notional="500")),
        "user": make_risk_checks(users={"bot": Limits(max_notional="500")}),
    }
    for name, guard in each.items():
        assert refused(guard, {"qty": "6"}, bot) == "notional", name
        assert refused(guard, {"qty": "5"}, bot) is None, name
    assert refused(each["user"], {"qty": "6"}) is None
    assert refused(make_risk_checks(users={"bot": Limits(enabled=False)}), {}, bot) == "enabled"


def test_orders_a_minute_of_an_account_and_of_a_user() -> None:
    """A user's are counted over all accounts; what is refused costs nothing of them."""
    bot = make_principal(name="bot")
    of_user = make_risk_checks(users={"bot": Limits(max_orders_per_minute=2, max_notional="1000")})
    assert refused(of_user, {"qty": "11"}, bot) == "notional"
    assert refused(of_user, {}, bot) is None
    assert refused(of_user, {}, bot, "bravo") is None
    assert refused(of_user, {}, bot) == "rate"
    assert refused(of_user, {}, bot, "bravo") == "rate"
    assert refused(of_user, {}) is None
    of_each = make_risk_checks(Limits(max_orders_per_minute=1))
    assert refused(of_each, {}) is None
    assert refused(of_each, {}, label="bravo") is None
    assert refused(of_each, {}) == "rate"


def test_a_replacement_is_judged_by_what_it_makes() -> None:
    """Not by the difference: raising the quantity or the price is no way around a cap."""
    limits = make_risk_checks(Limits(max_notional="1000"))
    before = Order(
        id=OrderId("o"), client_order_id="c", status="new", symbol="AAPL", side="buy", type="limit",
        qty="10", limit_price="100", filled_qty="0",
    )  # fmt: skip

    def check(**more: object) -> None:
        becomes = build_replacement(before, read_value(more, OrderChanges))
        limits.check("alpha", becomes, ANYONE)

    check(limit_price="99")
    check(qty="5", limit_price="200")
    for more in ({"qty": "11"}, {"limit_price": "101"}, {"qty": "6", "limit_price": "200"}):
        with pytest.raises(Declined) as error:
            check(**more)
        assert error.value.guard == "notional"


def test_nothing_refused_reaches_the_broker() -> None:
    """Nor does a name in small letters reach it otherwise than the guards have judged it."""

    async def main() -> None:
        rules = RiskRules(limits=Limits(symbols=("AAPL",), max_notional="10000"))
        async with broker(accounts=1) as simulator, trading(simulator, rules=rules) as setup:
            for more in ({"symbol": "MSFT"}, {"qty": "1000000"}):
                with pytest.raises(Declined):
                    await setup.place(order(**more))
            assert setup.posts("alpha") == 0
            placed = await setup.place(order(symbol="aapl"))
            assert placed.order.symbol == "AAPL"

    run(main)


@pytest.mark.parametrize(
    ("more", "contracts"),
    [
        ({"symbol": OCC, "qty": "3"}, 3),
        ({"qty": "500"}, 0),  # shares are no contracts
        ({**MLEG, "qty": "2", "type": "limit", "limit_price": "1"}, 6),
    ],
)
def test_the_cap_on_contracts(more: Mapping[str, object], contracts: int) -> None:
    if contracts > 1:
        checks = make_risk_checks(Limits(max_contracts=contracts - 1))
        assert refused(checks, more) == "contracts"
    assert refused(make_risk_checks(Limits(max_contracts=max(contracts, 1))), more) is None


def test_the_cap_on_the_part_of_equity() -> None:
    limits = Limits(max_equity_pct="10")
    permits = {"alpha": AccountRiskRules(label="alpha")}

    def of(equity: str | None) -> RiskChecks:
        rules = RiskRules(limits=limits)
        return RiskChecks(rules, permits, PRICES.get, equity_of=lambda _: equity)

    assert refused(of("10000"), {"qty": "10"}) is None
    assert refused(of("9999"), {"qty": "10"}) == "equity"
    assert refused(of(None), {"qty": "1"}) == "equity"
    assert refused(of("0"), {"qty": "1"}) == "equity"
    assert refused(of("10000"), {"symbol": "NOPRICE", "qty": "1"}) == "equity"
