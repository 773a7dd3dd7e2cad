"""docs/api.md is correct: its samples are requested again, its names are compared."""

import re
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from realtime.api.handlers.order_problems import ORDER_PROBLEMS
from realtime.api.order_routes import ORDER_ROUTES
from realtime.api.problems import PROBLEM_TYPES
from realtime.api.routes import ROUTES
from tests.api.reader import Reader

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
ORDERS_PAGE = (Path(__file__).parents[2] / "docs" / "orders.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```http\nGET (\S+)\n(\d+)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("path", "status", "body"), SAMPLES, ids=[each[0] for each in SAMPLES])
async def test_samples_in_the_docs_equal_the_responses(
    reader: Reader, path: str, status: str, body: str
) -> None:
    reply = await reader.get(path)
    assert (reply.status, reply.json) == (int(status), msgspec.json.decode(body))


def test_docs_name_every_route_parameter_and_code() -> None:
    words = set(re.findall(r"`([^`\n]+)`", PAGE))
    for route in ROUTES:
        assert {f"{route.method} {path}" for path in route.paths} <= words
        assert {field.encode_name for field in structs.fields(route.query)} <= words
    assert PROBLEM_TYPES.keys() <= words


def test_docs_name_every_order_route() -> None:
    words = set(re.findall(r"`([^`\n]+)`", ORDERS_PAGE))
    for route in ORDER_ROUTES:
        assert {f"{route.method} {path}" for path in route.paths} <= words
    assert ORDER_PROBLEMS.keys() <= words


def test_docs_list_every_code_with_its_status() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, re.MULTILINE))
    assert rows == {code: str(kind.status) for code, kind in PROBLEM_TYPES.items()}
