"""Whatever is asked in whatever order, the books of the exchange stay consistent."""

import json
from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.simulator.exchange.engine import ApiError, Exchange
from realtime.simulator.exchange.orders.order import TERMINAL
from tests.simulator.exchange.harness import ExchangeHarness, Json, nested

SYMBOLS = ("NVDA", "F", "ETH/USD")
ROOMY = settings(max_examples=60, deadline=None)

orders = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(SYMBOLS),
        "side": st.sampled_from(["buy", "sell"]),
        "qty": st.sampled_from(["1", "3", "7", "0.5", "40"]),
        "type": st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"]),
        "time_in_force": st.sampled_from(["day", "gtc", "ioc", "fok", "opg", "cls"]),
        "near": st.integers(-3, 3),
        "order_class": st.sampled_from(["", "", "", "bracket", "oco", "oto"]),
    }
)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), orders),
        st.tuples(st.just("step"), st.integers(1, 5)),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("replace"), st.integers(0, 30)),
        st.tuples(st.just("close"), st.sampled_from(SYMBOLS)),
        st.tuples(st.just("cancel_all"), st.none()),
        st.tuples(st.just("close_all"), st.booleans()),
        st.tuples(st.just("hold_cancels"), st.booleans()),
        st.tuples(st.just("hold_replaces"), st.booleans()),
        st.tuples(st.just("reject_next"), st.none()),
        st.tuples(st.just("bust"), st.integers(0, 30)),
        st.tuples(st.just("correct"), st.integers(0, 30)),
        st.tuples(st.just("market"), st.sampled_from(["open", "closed", "nyse"])),
        st.tuples(st.just("pass"), st.integers(1, 100_000)),
        st.tuples(st.just("price"), st.tuples(st.sampled_from(SYMBOLS), st.integers(-5, 5))),
    ),
    max_size=40,
)


def body_of(exchange: Exchange, wish: Json) -> Json:
    """Make a request body out of a wish; most are valid, some are not."""
    price = Decimal(exchange.prices()[str(wish["symbol"])])
    near = int(str(wish["near"]))

    def around(percent: int) -> str:
        return str((price * (100 + percent) / 100).quantize(Decimal("0.01")))

    body = {k: v for k, v in wish.items() if k != "near"}
    kind = body["type"]
    if kind in ("limit", "stop_limit"):
        body["limit_price"] = around(near)
    if kind in ("stop", "stop_limit"):
        body["stop_price"] = around(near)
    if kind == "trailing_stop":
        body["trail_percent"] = "1"
    up = 2 if (body["side"] == "buy") != (body["order_class"] == "oco") else -2
    if body["order_class"] in ("bracket", "oco"):
        body["take_profit"] = {"limit_price": around(near + up)}
    if body["order_class"]:
        body["stop_loss"] = {"stop_price": around(near - up)}
    return body


def pick(documents: list[Json], number: int, key: str = "id") -> str | None:
    return str(documents[number % len(documents)][key]) if documents else None


def play(harness: ExchangeHarness, label: str, operation: tuple[str, object]) -> None:
    """Carry out one operation; the exchange may refuse it, but must not break."""
    exchange = harness.exchange
    name, value = operation
    error = None
    try:
        _carry_out(harness, exchange, label, name, value)
    except ApiError as caught:
        error = caught
    if error is not None:
        assert error.status in (403, 404, 422)
        assert list(error.body) == sorted(error.body)


def _carry_out(
    harness: ExchangeHarness, exchange: Exchange, label: str, name: str, value: object
) -> None:
    everything = {"status": "all", "limit": "500"}
    match name, value:
        case "submit", dict():
            exchange.submit(label, body_of(exchange, value))
        case "step", int():
            harness.step(value)
        case "pass", int():
            harness.pass_time(value)
        case (("cancel" | "replace"), int()):
            chosen = pick(exchange.orders(label, everything), value)
            if chosen is not None and name == "cancel":
                exchange.cancel(label, chosen)
            elif chosen is not None:
                exchange.replace(label, chosen, {"qty": "2"})
        case "close", str():
            exchange.close_position(label, value, qty=None, percentage=None)
        case "cancel_all", _:
            exchange.cancel_all(label)
        case "close_all", bool():
            exchange.close_all_positions(label, cancel_orders=value)
        case "hold_cancels", bool():
            exchange.hold_cancels(label, value)
        case "hold_replaces", bool():
            exchange.hold_replaces(label, value)
        case "reject_next", _:
            exchange.reject_next(label)
        case (("bust" | "correct"), int()):
            standing = [e for e in executions(exchange, label) if not e["is_busted"]]
            chosen = pick(standing, value)
            if chosen is not None and name == "bust":
                exchange.bust(label, chosen)
            elif chosen is not None:
                exchange.correct(label, chosen, "100.25")
        case "market", str():
            exchange.set_market(value)
        case "price", (str() as symbol, int() as percent):
            price = Decimal(exchange.prices()[symbol]) * (100 + percent) / 100
            exchange.set_price(symbol, str(price.quantize(Decimal("0.01"))))
        case _:
            raise AssertionError(name)


def executions(exchange: Exchange, label: str) -> list[Json]:
    books = exchange.books(label)["executions"]
    assert isinstance(books, list)
    return books


def total(items: list[Json], key: str) -> Decimal:
    return sum((Decimal(str(item[key])) for item in items), Decimal(0))


def check_books(harness: ExchangeHarness, label: str) -> None:
    """Compare account, positions and orders with the executions they must follow from."""
    exchange = harness.exchange
    account = exchange.account(label)
    standing = [e for e in executions(exchange, label) if not e["is_busted"]]
    assert total([account], "cash") == 100_000 + total(standing, "cash_delta")
    values = total([account], "long_market_value") + total([account], "short_market_value")
    assert total([account], "equity") == total([account], "cash") + values
    by_symbol: dict[str, Decimal] = defaultdict(Decimal)
    for execution in standing:
        name = str(execution["symbol"]).replace("/", "")
        by_symbol[name] += Decimal(str(execution["position_delta"]))
    positions = exchange.positions(label)
    held = {str(p["symbol"]): Decimal(str(p["qty"])) for p in positions}
    assert held == {symbol: qty for symbol, qty in by_symbol.items() if qty}
    assert total(positions, "market_value") == values
    for order in exchange.orders(label, {"status": "all", "limit": "500"}):
        mine = [e for e in standing if e["order_id"] == order["id"]]
        assert total([order], "filled_qty") == total(mine, "qty")


def check_frames(frames: list[Json]) -> None:
    """Walk through all events of one account as a careful client would."""
    statuses: dict[object, str] = {}
    updated: dict[object, str] = {}
    execution_ids: set[object] = set()
    event_ids: list[str] = []
    for data in frames:
        order_id = nested(data, "order", "id")
        event = str(data["event"])
        status = str(nested(data, "order", "status"))
        if statuses.get(order_id) in TERMINAL:
            assert event in ("trade_bust", "trade_correct", "order_cancel_rejected"), event
        statuses[order_id] = status
        moment = str(nested(data, "order", "updated_at")).rstrip("Z").ljust(32, "0")
        assert updated.get(order_id, "") < moment
        updated[order_id] = moment
        event_ids.append(str(data["event_id"]))
        execution_id = data.get("execution_id")
        if execution_id is not None:
            assert execution_id not in execution_ids
            execution_ids.add(execution_id)
        if event == "fill":
            assert status == "filled"
            qty = nested(data, "order", "qty")
            assert qty is None or nested(data, "order", "filled_qty") == qty
    assert event_ids == sorted(set(event_ids))


@ROOMY
@given(script=operations)
def test_state_is_consistent_after_any_sequence(script: list[tuple[str, object]]) -> None:
    """Cash, positions and filled quantities always follow from the executions."""
    harness = ExchangeHarness()
    for operation in script:
        play(harness, "alpha", operation)
        check_books(harness, "alpha")
    check_frames(harness.frames())


@ROOMY
@given(script=operations)
def test_what_can_be_read_is_readable(script: list[tuple[str, object]]) -> None:
    """Every answer and every event is plain JSON, without floats except in the history."""
    harness = ExchangeHarness()
    exchange = harness.exchange
    for operation in script:
        play(harness, "alpha", operation)
    documents = [
        exchange.books("alpha"),
        exchange.orders("alpha", {"status": "all", "nested": "true", "limit": "500"}),
        exchange.activities("alpha", {}),
        exchange.configurations("alpha"),
        harness.frames(),
    ]
    assert not list(floats_in(documents))
    assert json.loads(json.dumps(documents)) == documents
    json.dumps(exchange.portfolio_history("alpha", {}))


def floats_in(document: object) -> list[float]:
    """Find the floats in nested JSON, and make sure that it is JSON."""
    if isinstance(document, dict):
        return floats_in(list(document.values()))
    if isinstance(document, list):
        return [number for part in document for number in floats_in(part)]
    if isinstance(document, float):
        return [document]
    assert document is None or isinstance(document, str | int | bool)
    return []


@settings(max_examples=25, deadline=None)
@given(script=operations, seed=st.integers(0, 1000))
def test_same_seed_same_calls_same_bytes(script: list[tuple[str, object]], seed: int) -> None:
    """Two exchanges of the same seed give the same results to the same calls."""

    def day() -> bytes:
        harness = ExchangeHarness(seed=seed)
        for operation in script:
            play(harness, "alpha", operation)
        return json.dumps([harness.frames(), harness.exchange.books("alpha")]).encode()

    assert day() == day()


@settings(max_examples=40, deadline=None)
@given(script=operations, noise=operations)
def test_accounts_never_influence_each_other(
    script: list[tuple[str, object]], noise: list[tuple[str, object]]
) -> None:
    """Alpha's day is the same to the byte, whatever bravo does in the meantime."""
    of_the_account = {"submit", "cancel", "replace", "close", "cancel_all", "close_all"}
    of_the_account |= {"hold_cancels", "hold_replaces", "reject_next", "bust", "correct"}
    quiet_noise = [operation for operation in noise if operation[0] in of_the_account]

    def alphas_day(disturbed: bool) -> bytes:
        harness = ExchangeHarness()
        harness.open_account("bravo")
        for number, operation in enumerate(script):
            if disturbed and number < len(quiet_noise):
                play(harness, "bravo", quiet_noise[number])
            play(harness, "alpha", operation)
        mine = [u.data for u in harness.updates if u.label == "alpha"]
        return json.dumps([mine, harness.exchange.books("alpha")]).encode()

    assert alphas_day(disturbed=True) == alphas_day(disturbed=False)


@settings(max_examples=25, deadline=None)
@given(script=st.lists(st.tuples(st.just("submit"), orders), min_size=5, max_size=25))
def test_trading_at_a_standing_price_makes_no_money(
    script: list[tuple[str, Json]],
) -> None:
    """Where prices stand still and nothing costs a fee, equity stays what it was."""
    harness = ExchangeHarness()
    for symbol in SYMBOLS:
        harness.exchange.set_price(symbol, harness.exchange.prices()[symbol])
    for operation in script:
        if operation[1]["symbol"] != "ETH/USD":
            play(harness, "alpha", operation)
        harness.step(3)
    assert Decimal(str(harness.account()["equity"])) == 100_000


def test_labels_are_unique_and_in_order() -> None:
    """Accounts are listed as they were opened; a label is taken once."""
    harness = ExchangeHarness()
    harness.open_account("bravo")
    assert list(harness.exchange.labels) == ["alpha", "bravo"]
    with pytest.raises(ValueError, match="bravo"):
        harness.open_account("bravo")


def test_events_of_the_first_frames() -> None:
    """The keys of a fill come in the order of the recorded frames."""
    harness = ExchangeHarness()
    harness.buy("NVDA", "30", type="limit", limit_price="400")
    harness.settle()
    fill = harness.frames()[-1]
    assert list(fill) == [
        "at",
        "event_id",
        "event",
        "timestamp",
        "order",
        "price",
        "qty",
        "position_qty",
        "execution_id",
        "swap_rate",
        "settle_date",
    ]
    assert "execution_id" not in harness.frames()[0]
    assert fill["timestamp"] == nested(fill, "order", "filled_at")
    assert fill["settle_date"] == "2026-10-07"
