"""The description is valid, complete, and true of what is answered."""

from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from realtime.server.problems import KINDS
from realtime.server.routes import PREFIXES, ROUTES, Route, description
from tests.server.reader import Reader

DOCUMENT: Any = msgspec.json.decode(description("1.2.3"))


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Checks documents against a schema of the description."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def test_it_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_every_route_and_parameter_is_in_it() -> None:
    assert set(DOCUMENT["paths"]) == {path for route in ROUTES for path in route.paths}
    assert [server["url"] for server in DOCUMENT["servers"]] == [p or "/" for p in PREFIXES]
    for route in ROUTES:
        operation = DOCUMENT["paths"][route.paths[0]]["get"]
        told = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        assert told == set(route.query.__struct_fields__)
        for code in route.problems:
            assert f"`{code}`" in operation["responses"][str(KINDS[code].status)]["description"]


def test_operations_have_names_of_their_own() -> None:
    names = [path["get"]["operationId"] for path in DOCUMENT["paths"].values()]
    assert len(set(names)) == len(names)
    assert "get_realtime_orders_account_id" in names


def test_our_own_marks_are_not_in_it() -> None:
    assert b"realtime:frame" not in description("1.2.3")


def test_events_are_described() -> None:
    stream = DOCUMENT["paths"]["/realtime/events"]["get"]["responses"]["200"]["content"]
    events = stream["text/event-stream"]["x-events"]
    assert events["gap"] == {"$ref": "#/components/schemas/Gap"}
    assert set(DOCUMENT["components"]["schemas"]["Gap"]["properties"]) >= {"from", "to"}


@pytest.mark.parametrize("label", ["alpha", "charlie"])
@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.document], ids=lambda route: str(route.paths[0])
)
async def test_answers_are_as_described(reader: Reader, route: Route[Any], label: str) -> None:
    """With data, and of an account that was never read."""
    reply = await reader.get(route.paths[0].replace("{account_id}", label))
    answers = DOCUMENT["paths"][route.paths[0]]["get"]["responses"]
    told = answers[str(reply.status)]["content"][reply.headers["Content-Type"].partition(";")[0]]
    validator(told["schema"]).validate(reply.json)


async def test_the_daemon_answers_it(reader: Reader) -> None:
    for path in ("/openapi.json", "/api/v1/openapi.json"):
        assert (await reader.get(path)).body == description("1.2.3")
    held = await reader.get("/docs")
    assert held.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in held.headers["Content-Security-Policy"]
    assert b"page/static/docs/docs.js" in held.body
    assert (await reader.get("/api/v1/page/static/docs/docs.js")).status == 200
