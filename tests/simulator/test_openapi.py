"""Every answer of every route is held against the broker's own OpenAPI description.

The tables say all that differs, and what speaks for the simulator. `interview.py` does the asking.
"""

import asyncio

import pytest

from realtime.simulator.rest.routes import ROUTES
from tests.simulator.all_responses import RecordedResponse, request_everything
from tests.simulator.openapi import FILE, Amendment, Json, Specification, anonymous, load

CAPTURED = "in captures of 2026"
EXAMPLE = "the description's own examples have it"
SPREAD = "the parent of a multi-leg order has none; the description's own example shows it empty"
VENUE = "coins are at CRYPTO, options at no exchange, in captures of 2026"
TEXT: Json = {"type": "string"}
INSTANT: Json = {"type": ["string", "null"], "format": "date-time"}


def or_empty(component: str) -> Json:
    """A word of a component's list, or none."""
    return {"anyOf": [{"$ref": f"#/components/schemas/{component}"}, {"enum": [""]}]}


# What is not as described.
AMENDED = [
    Amendment("Account", "admin_configurations", {"type": "object"}, CAPTURED),
    Amendment("Account", "user_configurations", {"type": ["object", "null"]}, CAPTURED),
    Amendment("Account", "crypto_tier", {"type": "integer"}, CAPTURED),
    Amendment("Account", "effective_buying_power", TEXT, CAPTURED),
    Amendment("Account", "position_market_value", TEXT, CAPTURED),
    Amendment("Assets", "exchange", {"enum": ["ARCA", "CRYPTO", "NASDAQ", "NYSE", ""]}, VENUE),
    Amendment("Position", "exchange", {"enum": ["ARCA", "CRYPTO", "NASDAQ", "NYSE", ""]}, VENUE),
    Amendment(
        "OptionContract", "ppind", {"type": "boolean"}, "the route has a filter of this name"
    ),
    Amendment("NonTradeActivities", "date", {**TEXT, "format": "date"}, EXAMPLE),
    Amendment("NonTradeActivities", "description", TEXT, "alpaca-py's model demands it"),
    Amendment("NonTradeActivities", "price", TEXT, "fees in coins have it; so has the model"),
    Amendment("Order", "cancel_requested_at", INSTANT, CAPTURED),
    Amendment("Order", "source", {"type": "null"}, EXAMPLE),
    Amendment("Order", "subtag", {"type": "null"}, EXAMPLE),
    Amendment("Order", "symbol", TEXT, SPREAD),
    Amendment("Order", "asset_id", TEXT, SPREAD),
    Amendment("Order", "asset_class", or_empty("AssetClass"), SPREAD),
    Amendment("Order", "side", or_empty("OrderSide"), SPREAD),
    Amendment("OrderLeg", "cancel_requested_at", INSTANT, CAPTURED),
    Amendment("OrderLeg", "expires_at", INSTANT, EXAMPLE),
    Amendment("OrderLeg", "ratio_qty", TEXT, EXAMPLE),
    Amendment("OrderLeg", "source", {"type": "null"}, EXAMPLE),
    Amendment("OrderLeg", "subtag", {"type": "null"}, EXAMPLE),
    Amendment("OrderLeg", "type", or_empty("OrderType"), EXAMPLE),
    Amendment(
        "CanceledOrderResponse",
        "body",
        {"$ref": "#/components/schemas/Order"},
        "in a recording of 2020",
    ),
    Amendment(
        "PositionClosedReponse",
        "body",
        {"anyOf": [{"$ref": "#/components/schemas/Order"}, {"required": ["code", "message"]}]},
        "a refusal stands in place of the order: recording of 2020",
    ),
]

# What the description names and no answer has.
REMOVED = "removed on 2026-07-06, after the description was written"
NOT_SIMULATED = "belongs to what the simulator does not do: docs/simulator.md"
ABSENT = {
    ("Account", "daytrade_count"): REMOVED,
    ("Account", "daytrading_buying_power"): REMOVED,
    ("Account", "pattern_day_trader"): REMOVED,
    ("AccountConfigurations", "dtbp_check"): REMOVED,
    ("AccountConfigurations", "pdt_check"): REMOVED,
    ("Account", "pending_transfer_in"): "not in captures of 2026",
    ("Account", "pending_transfer_out"): "not in captures of 2026",
    ("Assets", "cusip"): "sent on request only",
    ("OptionContract", "deliverables"): "sent on request only",
    ("NonTradeActivities", "activity_sub_type"): NOT_SIMULATED,
    ("NonTradeActivities", "cusip"): NOT_SIMULATED,
    ("NonTradeActivities", "group_id"): NOT_SIMULATED,
    ("NonTradeActivities", "per_share_amount"): NOT_SIMULATED,
    ("Order", "ratio_qty"): "only the legs of a multi-leg order have it, and they are OrderLeg",
    ("Position", "avg_entry_swap_rate"): NOT_SIMULATED,
    ("Position", "prev_swap_rate"): NOT_SIMULATED,
    ("Position", "swap_rate"): NOT_SIMULATED,
    ("Position", "usd"): NOT_SIMULATED,
}

# Status codes that the description leaves out, by what they mean.
UNDESCRIBED = {
    400: "a body that is not JSON",
    401: "described for a few routes, sent by all",
    404: "described for a few routes, sent where there is something to find",
    422: "described for a few routes, sent where there is something to refuse",
    403: "closing a position is an order, and may be refused as one",
    429: "described for a few routes, sent by all",
}


@pytest.fixture(scope="module")
def description() -> Json:
    try:
        return load()
    except FileNotFoundError:
        pytest.skip(f"{FILE} is not there: nothing to hold the answers against")


@pytest.fixture(scope="module")
def spec(description: Json) -> Specification:
    return Specification(description, AMENDED)


@pytest.fixture(scope="module")
def responses(description: Json) -> list[RecordedResponse]:
    """Every answer, once."""
    return asyncio.run(request_everything())


def complaints(spec: Specification, responses: list[RecordedResponse]) -> list[str]:
    """All that is wrong with all answers whose body is described."""
    found = []
    for each in responses:
        schema = spec.schema(each.method, each.path, each.status)
        wrong = spec.complaints(schema, each.body) if schema else []
        found += [f"{each.method} {each.path} {each.status} {what}" for what in wrong]
    return found


def test_every_route_was_requested(responses: list[RecordedResponse]) -> None:
    routes = {(route.method, anonymous(route.path), route.status) for route in ROUTES}
    assert routes <= {(each.method, each.path, each.status) for each in responses}


def test_answers_are_as_described(spec: Specification, responses: list[RecordedResponse]) -> None:
    assert complaints(spec, responses) == []


def test_status_codes_are_described_or_explained(
    spec: Specification, responses: list[RecordedResponse]
) -> None:
    left_out = {
        each.status
        for each in responses
        if each.status not in spec.statuses(each.method, each.path)
    }
    assert left_out == set(UNDESCRIBED)


def test_refusals_have_code_and_message(responses: list[RecordedResponse]) -> None:
    """The shape of errors is not described; all have it but those of the gate before the API."""
    for each in responses:
        if each.status in {400, 403, 404, 422, 429}:
            assert isinstance(each.body["code"], int), each
            fits = each.body["code"] // 100_000 == each.status
            assert fits or (each.status, each.body["code"]) == (422, 40010001), each
            assert isinstance(each.body["message"], str), each
            assert list(each.body) == sorted(each.body), each


def test_members_are_all_there_or_explained(
    spec: Specification, responses: list[RecordedResponse]
) -> None:
    seen: dict[str, set[str]] = {}
    for each in responses:
        if schema := spec.schema(each.method, each.path, each.status):
            for component, members in spec.parts(schema, each.body):
                seen.setdefault(component, set()).update(members)
    missing = {(name, each) for name in seen for each in spec.members(name) - seen[name]}
    assert missing == set(ABSENT)


@pytest.mark.parametrize("left_out", AMENDED, ids=lambda each: f"{each.component}.{each.member}")
def test_every_amendment_is_needed(
    description: Json, responses: list[RecordedResponse], left_out: Amendment
) -> None:
    spec = Specification(description, [each for each in AMENDED if each is not left_out])
    assert complaints(spec, responses)
