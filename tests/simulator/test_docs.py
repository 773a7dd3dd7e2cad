"""The page about the simulator tells the truth."""

import json
import re
from pathlib import Path

import pytest

from realtime.simulator.control.server import COMMANDS
from realtime.simulator.faults.catalogue import FAULT_TYPES
from tests.simulator.client import Rest

PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"
CURLS = re.findall(r"^curl localhost:8091/(_sim/\w+) -d '([^']+)'", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("path", "body"), CURLS)
async def test_every_line_can_be_tried(rest: Rest, path: str, body: str) -> None:
    status, answer = await rest.request("POST", f"/{path}", json.loads(body))
    assert status in {200, 201}, answer


def test_every_fault_has_a_line() -> None:
    tried = {json.loads(body)["kind"] for path, body in CURLS if path == "_sim/faults"}
    assert tried == set(FAULT_TYPES)


def test_every_command_is_named() -> None:
    text = PAGE.read_text()
    assert [each.path for each in COMMANDS if f"/_sim/{each.path}" not in text] == []
