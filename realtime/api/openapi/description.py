"""The route table as an OpenAPI 3.1 document: nothing in it is written by hand twice.

Parameters are the query structs' fields, answers the documents' types, errors the table of
problems. What the table does not say, the document does not promise.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from realtime.api.openapi.operations import Operation
from realtime.api.problems import PROBLEM_TYPES, ProblemType

VERSION = "3.1.0"
REFERENCE = "#/components/schemas/{name}"
JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
STREAM_TYPE = "text/event-stream"

FRAME = "realtime:frame"
"""A field of our own that is never written."""

ON_EVERY_ROUTE = (
    "bad_parameter", "malformed_request", "uri_too_long", "wrong_host", "too_many_requests",
    "headers_too_large", "failed",
)  # fmt: skip
WITH_A_BODY = ("body_too_slow", "body_too_large")
BEHIND_TOKENS = ("token_missing", "token_invalid", "token_expired", "permission_missing")

INTRODUCTION = (
    "The current state of many Alpaca accounts, served from memory. Account, position and order are"
    " Alpaca's own objects, money and quantities are decimal strings, freshness stands in headers."
)

Json = dict[str, Any]  # JSON of every shape


class ProblemDocument(Struct, frozen=True, kw_only=True):
    """What went wrong (RFC 9457), with a word that stays and what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    instance: str | None = None


def describe(
    operations: Sequence[Operation],
    *,
    version: str,
    servers: Iterable[str],
    kinds: Mapping[str, ProblemType] = PROBLEM_TYPES,
) -> Json:
    """The document. `servers` are the prefixes under which every path stands."""
    schemas = _Schemas(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        for path in operation.paths:
            paths.setdefault(path, {})[operation.method] = _operation(
                operation, path, schemas, kinds
            )
    document = {
        "openapi": VERSION,
        "info": {"title": "realtime", "version": version, "description": INTRODUCTION},
        "servers": [{"url": prefix or "/"} for prefix in servers],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    described: Json = msgspec.json.decode(msgspec.json.encode(document))  # tuples become arrays
    return described


class _Schemas:
    """Every type of the table as a schema, each named once."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        types = list(_types(operations))
        found, self.components = msgspec.json.schema_components(
            types, schema_hook=_anything, ref_template=REFERENCE
        )
        for schema in self.components.values():
            schema.get("properties", {}).pop(FRAME, None)
        self._found = {str(each): schema for each, schema in zip(types, found, strict=True)}

    def of(self, each: object) -> Json:
        """The schema of a type, usually a reference."""
        return self._found[str(each)]


def _fields(struct: type[Struct]) -> tuple[Json, Sequence[str]]:
    """Field → its schema, and those that must be given."""
    _, components = msgspec.json.schema_components([struct], ref_template=REFERENCE)
    schema = components[struct.__name__]
    return schema["properties"], schema.get("required", ())


def _types(operations: Sequence[Operation]) -> Iterator[object]:
    yield ProblemDocument
    for operation in operations:
        yield from operation.events.values()
        yield from (each for each in (operation.document, operation.body) if each is not None)


def _anything(_: type) -> Json:
    """The schema of `object`: what the broker says and we pass on unread."""
    return {"title": "Anything"}


def _operation(
    operation: Operation, path: str, schemas: _Schemas, kinds: Mapping[str, ProblemType]
) -> Json:
    described: Json = {
        "operationId": _identifier(operation.method, path),
        "summary": operation.summary,
        "tags": [_tag(path)],
        "parameters": [*_in_path(path), *_in_query(operation), *_in_headers(operation)],
        "responses": {**_good(operation, schemas), **_bad(operation, schemas, kinds)},
        "security": [] if operation.is_open else [{}, {"token": []}],
    }
    if operation.body is not None:
        content = {JSON_TYPE: {"schema": schemas.of(operation.body)}}
        is_needed = operation.body is not operation.query
        described["requestBody"] = {"required": is_needed, "content": content}
    return described


def _identifier(method: str, path: str) -> str:
    words = re.findall(r"[a-z_.]+", path.replace("{", "").replace("}", ""))
    return "_".join([method, *words]).replace(".", "_")


def _tag(path: str) -> str:
    return path.split("/")[1] or "page"


def _in_path(path: str) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
        }


def _in_query(operation: Operation) -> Iterator[Json]:
    fields, required = _fields(operation.query)
    for name, schema in fields.items():
        shown = _without_null(schema)
        parameter: Json = {
            "name": name,
            "in": "query",
            # What the body may contain as well is not required in the query.
            "required": name in required and operation.body is not operation.query,
            "description": schema.get("description", ""),
            "schema": shown,
        }
        if shown.get("type") == "array":
            # A parameter that is sent has a value: `symbol=` is no list of no symbols.
            shown.pop("default", None)
            shown["minItems"] = 1
            parameter |= {"style": "form", "explode": False}
        yield parameter


def _without_null(schema: Json) -> Json:
    """A parameter's schema: what may be left out cannot be sent as null."""
    shown = {key: value for key, value in schema.items() if key != "description"}
    kinds = [kind for kind in shown.get("anyOf", ()) if kind != {"type": "null"}]
    return dict(kinds[0]) if len(kinds) == 1 else shown


def _in_headers(operation: Operation) -> Iterator[Json]:
    if operation.is_conditional:
        yield _header("If-None-Match", "An `ETag` that was answered before: 304 if it still holds.")
    if operation.events:
        yield _header("Last-Event-ID", "Where to go on; a browser sends it by itself.")
    if operation.is_repeatable:
        yield _header("Idempotency-Key", "The same key again is the same call, done once.")


def _header(name: str, description: str) -> Json:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _good(operation: Operation, schemas: _Schemas) -> Json:
    content: Json = {media: {"schema": {"type": "string"}} for media in operation.media}
    if operation.document is not None:
        content[JSON_TYPE] = {"schema": schemas.of(operation.document)}
    if operation.events:
        content[STREAM_TYPE] = {
            "schema": {"type": "string"},
            "x-events": {name: schemas.of(each) for name, each in operation.events.items()},
        }
    good: Json = {"description": operation.summary}
    if content:
        good["content"] = content
    responses: Json = {str(status): good for status in operation.statuses}
    if operation.is_conditional:
        responses["304"] = {"description": "What `If-None-Match` names still holds"}
    return responses


def _bad(operation: Operation, schemas: _Schemas, kinds: Mapping[str, ProblemType]) -> Json:
    codes = [*ON_EVERY_ROUTE, *(() if operation.is_open else BEHIND_TOKENS), *operation.problems]
    if operation.body is not None:
        codes += WITH_A_BODY
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(kinds[code].status, []).append(code)
    content = {PROBLEM_TYPE: {"schema": schemas.of(ProblemDocument)}}
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {kinds[code].title}" for code in of_status),
            "content": content,
        }
        for status, of_status in sorted(by_status.items())
    }
