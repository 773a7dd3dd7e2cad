from typing import Any

import msgspec
import pytest

from realtime.api.problems import KINDS
from realtime.api.routes import ROUTES, Route, all_paths
from tests.api.reader import Reader


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_the_index_lists_what_answers(reader: Reader, prefix: str) -> None:
    index = (await reader.get(f"{prefix}/")).json
    assert (index["name"], index["version"]) == ("realtime", "1.2.3")
    for entry in index["routes"]:
        if entry["path"] == "/realtime/events":
            continue
        path = entry["path"].replace("{account_id}", "alpha")
        assert (await reader.get(prefix + path)).status == 200, path


def anything(_: type) -> dict[str, object]:
    """The schema of `object`: the broker's configurations are passed on unread."""
    return {"title": "Anything"}


def test_every_route_has_words_and_a_described_document() -> None:
    for route in ROUTES:
        assert route.summary
        assert set(route.problems) <= KINDS.keys()
        for document in [route.document, *route.events.values()]:
            assert document is None or msgspec.json.schema(document, schema_hook=anything)
        for field in msgspec.json.schema(route.query)["$defs"][route.query.__name__][
            "properties"
        ].values():
            assert field["description"]
            assert "default" in field


def test_no_path_is_given_twice() -> None:
    assert len({path for route in ROUTES for path in all_paths(route)}) == 38


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.document], ids=lambda route: str(route.paths[0])
)
async def test_every_answer_is_of_the_document_the_table_names(
    reader: Reader, route: Route[Any]
) -> None:
    reply = await reader.get(route.paths[0].replace("{account_id}", "alpha"))
    decoded = msgspec.json.decode(reply.body, type=route.document)
    assert msgspec.json.encode(decoded) == reply.body
