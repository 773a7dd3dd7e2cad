"""The description is valid, complete, and true of what is answered."""

from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from msgspec import structs
from openapi_spec_validator import OpenAPIV31SpecValidator

from realtime.api.handlers import notify
from realtime.api.handlers import reload as reloading
from realtime.api.openapi.operations import ALL_KINDS
from realtime.api.order_routes import ORDER_ROUTES
from realtime.api.route import PREFIXES, Route
from realtime.api.routes import ROUTES, llms_text, openapi_document
from tests.api.reader import Reader

DOCUMENT: Any = msgspec.json.decode(openapi_document("1.2.3"))


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Checks documents against a schema of the description."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def test_it_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_every_route_and_parameter_is_in_it() -> None:
    table: list[tuple[str, Route[Any]]] = [
        *((route.method.lower(), route) for route in ROUTES),
        *((route.method.lower(), route) for route in ORDER_ROUTES),
    ]
    named = {(method, path) for method, route in table for path in route.paths}
    named.add(("post", reloading.PATH))
    named |= {("get", notify.STATUS_PATH), ("post", notify.RESEND_PATH)}
    assert named == {(each, path) for path, told in DOCUMENT["paths"].items() for each in told}
    assert [server["url"] for server in DOCUMENT["servers"]] == [p or "/" for p in PREFIXES]
    for method, route in table:
        operation = DOCUMENT["paths"][route.paths[0]][method]
        told = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        assert told == {field.encode_name for field in structs.fields(route.query)}
        for code in route.problems:
            status = str(ALL_KINDS[code].status)
            assert f"`{code}`" in operation["responses"][status]["description"]


def test_operations_have_names_of_their_own() -> None:
    names = [each["operationId"] for path in DOCUMENT["paths"].values() for each in path.values()]
    assert len(set(names)) == len(names)
    assert {"get_realtime_orders_account_id", "delete_positions_account_id_symbol"} <= set(names)


def test_what_moves_money_is_described() -> None:
    place = DOCUMENT["paths"]["/orders"]["post"]
    assert place["requestBody"]["required"]
    body = place["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Placement"}
    assert "Idempotency-Key" in {each["name"] for each in place["parameters"]}
    assert "`orders_halted`" in place["responses"]["423"]["description"]
    assert set(DOCUMENT["paths"]["/orders/batch"]["post"]["responses"]) >= {"200", "207"}
    assert "content" not in DOCUMENT["paths"]["/orders/{order_id}"]["delete"]["responses"]["204"]


def test_no_parameter_can_be_said_to_be_null() -> None:
    for path in DOCUMENT["paths"].values():
        for parameter in (each for told in path.values() for each in told["parameters"]):
            assert {"type": "null"} not in parameter["schema"].get("anyOf", [])


def test_our_own_marks_are_not_in_it() -> None:
    assert b"realtime:frame" not in openapi_document("1.2.3")


def test_events_are_described() -> None:
    stream = DOCUMENT["paths"]["/realtime/events"]["get"]["responses"]["200"]["content"]
    events = stream["text/event-stream"]["x-events"]
    assert events["gap"] == {"$ref": "#/components/schemas/GapEvent"}
    assert set(DOCUMENT["components"]["schemas"]["GapEvent"]["properties"]) >= {"from", "to"}


@pytest.mark.parametrize("label", ["alpha", "charlie"])
@pytest.mark.parametrize(
    "route",
    [r for r in ROUTES if r.document and r.method == "GET"],
    ids=lambda route: str(route.paths[0]),
)
async def test_answers_are_as_described(reader: Reader, route: Route[Any], label: str) -> None:
    """With data, and of an account that was never read."""
    reply = await reader.get(route.paths[0].replace("{account_id}", label))
    answers = DOCUMENT["paths"][route.paths[0]]["get"]["responses"]
    told = answers[str(reply.status)]["content"][reply.headers["Content-Type"].partition(";")[0]]
    validator(told["schema"]).validate(reply.json)


async def test_the_daemon_answers_it(reader: Reader) -> None:
    for path in ("/openapi.json", "/api/v1/openapi.json"):
        assert (await reader.get(path)).body == openapi_document("1.2.3")
    text = await reader.get("/llms.txt")
    assert text.body == llms_text()
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    held = await reader.get("/docs")
    assert held.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in held.headers["Content-Security-Policy"]
    assert b"page/static/docs/explorer.js" in held.body
    assert (await reader.get("/api/v1/page/static/docs/explorer.js")).status == 200
