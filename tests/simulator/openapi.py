"""The broker's OpenAPI description as JSON schemas: read where it stands, never copied.

OpenAPI 3.0 is almost JSON schema draft 4: only `nullable` is translated. Beyond what the
description demands, an object may have no member that it does not name.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft4Validator, FormatChecker

FILE = Path(__file__).parents[3] / "shared" / "alpaca" / "openapi" / "trading-api.json"
FORMATS = FormatChecker(["date", "date-time", "uuid"])
_HERE = "#/components/schemas/"

Json = dict[str, Any]


class Amendment(NamedTuple):
    """A member of a component that is not as described: what it is instead, and who says so."""

    component: str
    member: str
    schema: Json
    reason: str


class Specification:
    """Routes are found by method and path, whatever their parameters are called."""

    def __init__(self, document: Json, amendments: Iterable[Amendment] = ()) -> None:
        schemas = _as_draft_4(document["components"]["schemas"])
        for each in amendments:
            schemas[each.component]["properties"][each.member] = each.schema
        self._schemas: Json = schemas
        self._answers: dict[tuple[str, str], Json] = {
            (method.upper(), anonymous(path)): operation["responses"]
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if "responses" in operation
        }

    def statuses(self, method: str, path: str) -> set[int]:
        """The status codes a route is said to have; empty for an unknown route."""
        return {int(each) for each in self._answers.get((method, anonymous(path)), {})}

    def schema(self, method: str, path: str, status: int) -> Json | None:
        """The schema of an answer, None where only its status is described."""
        answers = self._answers[method, anonymous(path)]
        content = answers.get(str(status), {}).get("content", {}).get("application/json", {})
        schema: Json | None = _as_draft_4(content.get("schema"))
        return schema

    def complaints(self, schema: Json, body: object) -> list[str]:
        """What is wrong with a body, each with its place: `$.legs[0].symbol: …`."""
        root = {"components": {"schemas": self._schemas}, **schema}
        errors = Draft4Validator(root, format_checker=FORMATS).iter_errors(body)
        return [f"{each.json_path}: {each.message}" for each in errors]

    def members(self, component: str) -> set[str]:
        """The members a component has."""
        return set(self._schemas[component].get("properties", ()))

    def parts(self, schema: Json, body: Any) -> Iterator[tuple[str, set[str]]]:
        """Every object of a body that is a component: its name, and the members it has."""
        if "$ref" in schema:
            component = schema["$ref"].removeprefix(_HERE)
            if isinstance(body, dict):
                yield component, set(body)
            yield from self.parts(self._schemas[component], body)
        for option in schema.get("anyOf", ()):
            if not self.complaints(option, body):
                yield from self.parts(option, body)
        if isinstance(body, list):
            for each in body:
                yield from self.parts(schema.get("items", {}), each)
        elif isinstance(body, dict):
            for name, member in schema.get("properties", {}).items():
                yield from self.parts(member, body.get(name))


def load() -> Json:
    """The description; raises FileNotFoundError where it is not there."""
    document: Json = json.loads(FILE.read_text(encoding="utf-8"))
    return document


def anonymous(path: str) -> str:
    """A path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _as_draft_4(node: Any) -> Any:
    if isinstance(node, list):
        return [_as_draft_4(each) for each in node]
    if not isinstance(node, dict):
        return node
    schema = {name: _as_draft_4(each) for name, each in node.items()}
    if isinstance(schema.get("properties"), dict):
        schema.setdefault("additionalProperties", False)
    if schema.get("nullable") is True:
        schema["type"] = [schema["type"], "null"]
    return schema
