"""The page about orders is true: its example runs, its tables are complete."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.api.handlers.order_problems import ORDER_PROBLEMS
from realtime.api.order_routes import ORDER_ROUTES
from realtime.config import load
from realtime.config.settings import OrderLimits
from realtime.simulator.app import Simulator
from realtime.simulator.write_config import write_config

PAGE = (Path(__file__).parents[1] / "docs" / "orders.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"`([^`\n]+)`", PAGE))


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_names_every_route_and_code() -> None:
    for route in ORDER_ROUTES:
        assert {f"{route.method} {path}" for path in route.paths} <= WORDS
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, re.MULTILINE))
    assert rows == {code: str(kind.status) for code, kind in ORDER_PROBLEMS.items()}


def test_the_risk_checks_of_the_page_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(block("toml"))
    keys = {"ALPACA_ALPHA_KEY_ID": "PKEXAMPLE01", "ALPACA_ALPHA_SECRET_KEY": "s3cr3tExample"}
    settings = load(path, environ=keys)
    assert settings.orders.users["bot"] == OrderLimits(max_orders_per_minute=5)
    assert settings.orders.limits.max_notional == "25000"
    assert settings.accounts[0].orders.max_notional == "1000"


@pytest.mark.slow
async def test_the_library_example_runs(tmp_path: Path) -> None:
    async with Simulator(accounts=2) as simulator:
        write_config(tmp_path, simulator.specs, simulator.url)
        program = block("python").replace("wait_s=60", "wait_s=0.1")
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        lines = ran.stdout.splitlines()
        assert "alpha buy 2 AAPL" in lines
        assert "bravo has it" in lines
        assert lines[-1] == "closing"
        bought = simulator.exchange.orders("bravo", {"status": "all"})
        assert [row["symbol"] for row in bought] == ["KO"]
