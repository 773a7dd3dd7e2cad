"""Bound to all interfaces: nothing without a token, nothing foreign with one, no more connections
than allowed; and without `[auth]` no start at all."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.exposed import CONNECTIONS

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]


def may_unshare() -> bool:
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    made = subprocess.run(
        ["unshare", "-n", "ip", "link", "set", "lo", "up"], capture_output=True, check=False
    )
    return made.returncode == 0


def test_what_a_stranger_on_the_network_finds(tmp_path: Path) -> None:
    if not may_unshare():
        pytest.skip("no network of its own here: unshare -n and ip want root")
    told = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", "tests.processes.exposed", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=50, cwd=REPOSITORY,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-3000:]
    found = json.loads(told.stdout.splitlines()[-1])
    code, said = found["unguarded"]
    assert code == 2
    assert "refusing to listen on 0.0.0.0 without authentication" in said
    assert (found["livez"], found["page"]) == ([200] * 3, [200] * 3)
    for name in ("accounts", "metrics", "status", "orders"):
        assert found[name] == [401] * 3, name
    assert (found["mine"], found["foreign"]) == ([200] * 3, [404] * 3)
    assert 0 < found["connections"] <= CONNECTIONS
    assert '"level":"error"' not in found["log"]
