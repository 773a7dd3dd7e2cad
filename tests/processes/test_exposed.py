"""Bound to all interfaces: nothing without a token, no other account with one, no more connections
than allowed; and without `[auth]` the daemon does not start."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.exposed import CONNECTIONS

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]


def can_unshare() -> bool:
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    process = subprocess.run(
        ["unshare", "-n", "ip", "link", "set", "lo", "up"], capture_output=True, check=False
    )
    return process.returncode == 0


def test_a_client_on_the_network_gets_nothing_without_a_token(tmp_path: Path) -> None:
    if not can_unshare():
        pytest.skip("no network namespace here: unshare -n and ip need root")
    process = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", "tests.processes.exposed", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=50, cwd=REPOSITORY,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr[-3000:]
    results = json.loads(process.stdout.splitlines()[-1])
    code, output = results["unguarded"]
    assert code == 2
    assert "refusing to listen on 0.0.0.0 without authentication" in output
    assert (results["livez"], results["page"]) == ([200] * 3, [200] * 3)
    for name in ("accounts", "metrics", "status", "orders"):
        assert results[name] == [401] * 3, name
    assert (results["mine"], results["foreign"]) == ([200] * 3, [404] * 3)
    assert 0 < results["connections"] <= CONNECTIONS
    assert '"level":"error"' not in results["log"]
