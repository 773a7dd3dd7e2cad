import re
from pathlib import Path

import msgspec
import pytest

from realtime.server.problems import KINDS
from realtime.server.routes import ROUTES, all_paths
from tests.server.reader import Reader

API = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_the_index_lists_what_answers(reader: Reader, prefix: str) -> None:
    index = (await reader.get(f"{prefix}/")).json
    assert (index["name"], index["version"]) == ("realtime", "1.2.3")
    for entry in index["routes"]:
        path = entry["path"].replace("{account_id}", "alpha")
        assert (await reader.get(prefix + path)).status == 200, path


def test_every_route_has_words_and_a_described_document() -> None:
    for route in ROUTES:
        assert route.summary
        assert set(route.problems) <= KINDS.keys()
        assert msgspec.json.schema(route.document)
        for field in msgspec.json.schema(route.query)["$defs"][route.query.__name__][
            "properties"
        ].values():
            assert field["description"]
            assert "default" in field


def test_every_answer_is_of_the_document_the_table_names() -> None:
    assert len({path for route in ROUTES for path in all_paths(route)}) == 22


def test_the_page_about_the_interface_names_every_route_parameter_and_code() -> None:
    text = API.read_text(encoding="utf-8")
    words = set(re.findall(r"`([^`\n]+)`", text))
    for route in ROUTES:
        for path in route.paths:
            assert f"`GET {path}`" in text, path
        for name in route.query.__struct_fields__:
            assert name in words, name
    assert KINDS.keys() <= words
