"""A replacement is judged as the order that results from it."""

from decimal import Decimal

import pytest

from realtime.core.model import Order, OrderId, Position, Symbol
from realtime.orders.derived_orders import build_closing_order, build_replacement
from realtime.orders.errors import Declined
from realtime.orders.order_request import OrderChanges, read_value
from realtime.orders.risk import Limits
from tests.orders.test_risk import make_risk_checks
from tests.orders.trading import ANYONE

OCC = "NVDA261120C00200000"


def make_order(**more: str | None) -> Order:
    fields: dict[str, str | None] = {
        "symbol": "AAPL", "side": "buy", "type": "limit", "qty": "10", "limit_price": "100",
        "time_in_force": "day", "asset_class": "us_equity", **more,
    }  # fmt: skip
    return Order(id=OrderId("o"), status="new", **fields)  # type: ignore[arg-type]


BY_AMOUNT = make_order(qty=None, notional="500", type="market", limit_price=None)
TRAILING = make_order(type="trailing_stop", limit_price=None, trail_price="5", side="sell")
OPTION = make_order(symbol=OCC, qty="1", limit_price="5", asset_class="us_option")
SALE = make_order(side="sell")
STOP = make_order(type="stop", limit_price=None, stop_price="120")


@pytest.mark.parametrize(
    ("order", "changes"),
    [
        (BY_AMOUNT, {"notional": "1001"}),
        (BY_AMOUNT, {"notional": "900000"}),
        (make_order(), {"qty": "11"}),
        (make_order(), {"limit_price": "100.01"}),
        (make_order(qty="1"), {"limit_price": "1001"}),
        (make_order(), {"qty": "5", "limit_price": "201"}),
        (TRAILING, {"qty": "11"}),
        (OPTION, {"qty": "3"}),
        (OPTION, {"limit_price": "10.01"}),
        (SALE, {"limit_price": "101"}),
        (SALE, {"qty": "11", "limit_price": "1"}),
        (STOP, {"stop_price": "99", "qty": "11"}),
    ],
    ids=str,
)
def test_a_replacement_does_not_pass_a_cap_that_the_order_would_not(
    order: Order, changes: dict[str, str]
) -> None:
    checks = make_risk_checks(Limits(max_notional="1000"))
    with pytest.raises(Declined) as error:
        checks.check("alpha", build_replacement(order, read_value(changes, OrderChanges)), ANYONE)
    assert error.value.code == "guard_notional"


@pytest.mark.parametrize(
    ("order", "changes"),
    [
        (make_order(), {"notional": "10"}),
        (BY_AMOUNT, {"qty": "1"}),
        (make_order(), {"trail": "1"}),
        (make_order(), {"stop_price": "1"}),
        (TRAILING, {"limit_price": "1"}),
        (STOP, {"limit_price": "1"}),
        (make_order(), {"limit_price": "-1"}),
        (OPTION, {"qty": "1.5"}),
    ],
    ids=str,
)
def test_a_replacement_that_no_order_can_have_is_refused(
    order: Order, changes: dict[str, str]
) -> None:
    with pytest.raises(Declined) as error:
        build_replacement(order, read_value(changes, OrderChanges))
    assert error.value.code == "invalid_order"


def test_a_trail_stays_what_it_is() -> None:
    """In dollars or in percent: as the order has it."""
    changes = OrderChanges(trail=Decimal(7))
    assert build_replacement(TRAILING, changes).trail_price == 7
    percent = make_order(type="trailing_stop", limit_price=None, trail_percent="5", side="sell")
    assert build_replacement(percent, changes).trail_percent == 7


def test_an_order_of_an_unknown_type_has_no_bound() -> None:
    """A type that Alpaca adds: its limit does not hold it, so a sale's price counts."""
    strange = make_order(type="pegged", side="sell", limit_price="1")
    assert build_replacement(strange, OrderChanges(qty=Decimal(11))).type == "market"


@pytest.mark.parametrize(
    ("qty", "asset_class", "expected"),
    [
        ("10", "us_equity", ("sell", "10", "day", "AMD")),
        ("-10", "us_equity", ("buy", "10", "day", "AMD")),
        ("0.5", "crypto", ("sell", "0.5", "gtc", "BTC/USD")),
    ],
)
def test_what_closes_a_position(
    qty: str, asset_class: str, expected: tuple[str, str, str, str]
) -> None:
    symbol = Symbol("BTCUSD" if asset_class == "crypto" else "AMD")
    request = build_closing_order(Position(symbol=symbol, qty=qty, asset_class=asset_class))
    assert expected == (request.side, str(request.qty), request.time_in_force, request.symbol)
