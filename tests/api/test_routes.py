from typing import Any

import msgspec
import pytest

from realtime.api.problems import PROBLEM_TYPES
from realtime.api.route import Route, all_paths
from realtime.api.routes import ROUTES
from tests.api.reader import Reader

STATUS = "/broker/stream/status"
PAST = ("/history/", "/compare", "/books", "/report")
"""Routes that read what was recorded."""


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_every_route_of_the_index_responds(reader: Reader, prefix: str) -> None:
    index = (await reader.get(f"{prefix}/")).json
    assert (index["name"], index["version"]) == ("realtime", "1.2.3")
    for entry in index["routes"]:
        if entry["path"] == "/realtime/events" or entry["path"].startswith(PAST):
            continue  # a stream; and the past, which is not recorded here
        path = entry["path"].replace("{account_id}", "alpha")
        path += "?account_id=alpha" * path.startswith("/broker/") * (path != STATUS)
        assert (await reader.get(prefix + path)).status == 200, path


def anything(_: type) -> dict[str, object]:
    """The schema of `object`: the broker's configurations are passed on as they are."""
    return {"title": "Anything"}


def test_every_route_has_a_summary_and_a_documented_type() -> None:
    for route in ROUTES:
        assert route.summary
        assert set(route.problems) <= PROBLEM_TYPES.keys()
        for document in [route.document, *route.events.values()]:
            assert document is None or msgspec.json.schema(document, schema_hook=anything)
        for field in msgspec.json.schema(route.query)["$defs"][route.query.__name__][
            "properties"
        ].values():
            assert field["description"]
            assert "default" in field or route.method != "GET"


def test_every_path_exists_once() -> None:
    paths = [(route.method, path) for route in ROUTES for path in all_paths(route)]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize(
    "route",
    [r for r in ROUTES if r.document and r.method == "GET" and not r.paths[0].startswith(PAST)],
    ids=lambda route: str(route.paths[0]),
)
async def test_every_response_has_the_type_in_the_table(reader: Reader, route: Route[Any]) -> None:
    path = route.paths[0].replace("{account_id}", "alpha")
    path += "?account_id=alpha" * path.startswith("/broker/")
    reply = await reader.get(path)
    decoded = msgspec.json.decode(reply.body, type=route.document)
    assert msgspec.json.encode(decoded) == reply.body
