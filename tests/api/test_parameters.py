from typing import Any
from urllib.parse import urlencode

import pytest
from msgspec import structs

from realtime.api.documents.accounts import AccountsQuery
from realtime.api.documents.health import HealthQuery
from realtime.api.documents.history import FleetHistoryQuery
from realtime.api.documents.orders import OrdersQuery
from realtime.api.parameters import Parameters, describe_type
from realtime.api.problems import Problem
from realtime.api.route import Route
from realtime.api.routes import ROUTES
from tests.api.reader import Reader

GOOD = [
    (OrdersQuery, "", OrdersQuery()),
    (OrdersQuery, "limit=1", OrdersQuery(limit=1)),
    (OrdersQuery, "symbol=a,%20b,&symbol=C%2FD", OrdersQuery(symbol=("a", "b", "C/D"))),
    (OrdersQuery, "symbol=a%0A,b%E3%80%80", OrdersQuery(symbol=("a\n", "b\u3000"))),
    (OrdersQuery, "nested", OrdersQuery(nested=True)),
    (OrdersQuery, "nested=TRUE", OrdersQuery(nested=True)),
    (OrdersQuery, "nested=0", OrdersQuery(nested=False)),
    (
        OrdersQuery,
        "side=buy,sell&direction=asc",
        OrdersQuery(side=("buy", "sell"), direction="asc"),
    ),
    (AccountsQuery, "state=synced,waiting&offset=0", AccountsQuery(state=("synced", "waiting"))),
    (HealthQuery, "strict=", HealthQuery(strict=True)),
]

LIMIT = "limit: a whole number, 1–500"
BAD = [
    ("limit=9999", "limit=9999", LIMIT),
    ("limit=0500", "limit=0500", LIMIT),
    ("limit=0", "limit=0", LIMIT),
    ("limit=-1", "limit=-1", LIMIT),
    ("limit=5.0", "limit=5.0", LIMIT),
    ("limit=1e2", "limit=1e2", LIMIT),
    ("limit=", "limit=", LIMIT),
    ("limit=%D9%A5", "limit=٥", LIMIT),
    ("limit=" + "9" * 5000, "limit=" + "9" * 120 + "…", LIMIT),
    ("limit=1&limit=1", "limit: repeated", "limit: send it once"),
    ("status=Open", "status=Open", "status: one of all, closed, open"),
    ("side=long", "side=long", "side: one of buy, sell; up to 2, separated by commas"),
    ("nested=yes", "nested=yes", "nested: true or false"),
    ("symbol=", "symbol=", "symbol: 1–32 characters; up to 100, separated by commas"),
    (
        "symbol=" + "a," * 101,
        "symbol=" + ("a," * 101)[:120] + "…",
        "symbol: 1–32 characters; up to 100, separated by commas",
    ),
    (
        "limt=5",
        "limt: unknown parameter",
        "did you mean limit? known parameters: "
        "status, limit, symbol, side, direction, nested, format, as_of",
    ),
    (
        "zzz",
        "zzz: unknown parameter",
        "known parameters: status, limit, symbol, side, direction, nested, format, as_of",
    ),
]


@pytest.mark.parametrize(("query", "text", "expected"), GOOD)
def test_valid_queries(query: type[Any], text: str, expected: object) -> None:
    assert Parameters(query).read(text) == expected


@pytest.mark.parametrize(("text", "detail", "remedy"), BAD)
def test_invalid_queries(text: str, detail: str, remedy: str) -> None:
    with pytest.raises(Problem) as raised:
        Parameters(OrdersQuery).read(text)
    problem = raised.value
    assert (problem.code, problem.detail, problem.remedy) == ("bad_parameter", detail, remedy)


REQUIRED = [
    (route, field.encode_name)
    for route in ROUTES
    for field in structs.fields(route.query)
    if field.required
]


def test_some_routes_have_required_parameters() -> None:
    assert REQUIRED


@pytest.mark.parametrize(("route", "name"), REQUIRED, ids=lambda value: str(value)[:40])
def test_a_required_parameter_that_is_missing_is_a_problem_that_names_it(
    route: Route[Any], name: str
) -> None:
    samples = {"rule": "order_risk", "state": "over", "symbol": "AAPL"}
    others = {n: samples[n] for r, n in REQUIRED if r is route and n != name}
    with pytest.raises(Problem) as raised:
        Parameters(route.query).read(urlencode(others))
    problem = raised.value
    assert (problem.code, problem.detail) == ("bad_parameter", f"{name}: missing")
    assert (problem.remedy or "").startswith(f"{name}: ")


async def test_invalid_query_is_a_problem(reader: Reader) -> None:
    for text, _, remedy in BAD:
        reply = await reader.get(f"/realtime/orders/alpha?{text}")
        assert reply.problem(400, "bad_parameter")["remedy"] == remedy


async def test_routes_without_parameters_reject_any(reader: Reader) -> None:
    reply = await reader.get("/livez?verbose=1")
    assert reply.problem(400, "bad_parameter")["remedy"] == "known parameters: none"


def test_every_parameter_type_can_be_described() -> None:
    words = [
        describe_type(parameter.kind)
        for route in ROUTES
        for parameter in Parameters(route.query).known.values()
    ]
    assert all(words)
    assert not any("None" in each for each in words)


def test_a_flag_needs_no_value_and_a_choice_of_three_does() -> None:
    """`?nested` is true; `?paper` could be either kind of account."""
    assert Parameters(OrdersQuery).read("nested").nested
    with pytest.raises(Problem) as caught:
        Parameters(FleetHistoryQuery).read("paper=")
    assert caught.value.code == "bad_parameter"
    assert Parameters(FleetHistoryQuery).read("paper=false").paper is False
