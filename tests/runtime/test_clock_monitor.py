"""Steps of the system clock are reported; tokens and displayed times follow it."""

import asyncio
import ctypes.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from realtime.api.documents.documents import Documents
from realtime.api.documents.timestamps import format_millis, set_display_offset
from realtime.core.model import AccountLabel
from realtime.runtime.clock_monitor import (
    ClockChange,
    ClockReading,
    compare_readings,
    monitor_clock,
)
from realtime.runtime.steady_clock import SteadyClock
from realtime.store.records import Profile, Record
from realtime.store.store import Store
from tests import virtual

START = ClockReading(wall=1000.0, monotonic=50.0, boot=70.0)


@pytest.fixture(autouse=True)
def _no_offset() -> Iterator[None]:
    yield
    set_display_offset(0.0)


@pytest.mark.parametrize(
    ("wall", "monotonic", "boot", "expected"),
    [
        (1010, 60, 80, ClockChange(0, 0)),
        (1012, 60, 80, ClockChange(0, 0)),
        (8210, 60, 80, ClockChange(7200, 0)),
        (10, 60, 80, ClockChange(-1000, 0)),
        (4610, 60, 3680, ClockChange(0, 3600)),
        (1010, 60, 3680, ClockChange(-3600, 3600)),
    ],
)
def test_steps_and_suspends_are_told_apart(
    wall: float, monotonic: float, boot: float, expected: ClockChange
) -> None:
    assert compare_readings(START, ClockReading(wall, monotonic, boot)) == expected


def test_a_step_is_logged_once_and_displayed_times_follow_even_in_cached_documents() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        step = 0.0

        def read() -> ClockReading:
            return ClockReading(1_000_000.0 + loop.time() + step, loop.time(), loop.time())

        clock = SteadyClock(lambda: read().wall, loop.time)
        store, documents = Store(boot="b"), Documents()
        first = store.add(Profile(label=AccountLabel("alpha")), now=clock())

        def alpha() -> Record:
            record = store.get("alpha")
            assert record is not None
            return record

        def as_of(body: bytes) -> datetime:
            return datetime.fromisoformat(json.loads(body)["as_of"])

        with capture_logs() as lines:
            monitor = monitor_clock(clock, set_display_offset, store.renew, read)
            task = asyncio.create_task(monitor)
            await asyncio.sleep(10)
            before = documents.render_dashboard(alpha()).body
            assert documents.render_dashboard(alpha()).body is before
            step = 7200.0
            await asyncio.sleep(10)
            after = documents.render_dashboard(alpha()).body
            passed = as_of(after) - as_of(before)
            assert abs(passed - timedelta(seconds=7200)) < timedelta(seconds=1)
            assert alpha().version > first.version
            task.cancel()
        assert [(line["event"], line["step_s"]) for line in lines] == [("clock.stepped", 7200.0)]
        assert abs(clock() - read().wall) > 7000, "the clock for comparing does not step"
        expected = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(read().wall))
        assert format_millis(clock()).startswith(expected)

    virtual.run(scene)


SCRIPT = """
import sys, time
from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRefused, TokenRules, issue_token
from realtime.auth.verifier import Verifier
from realtime.runtime.clock_monitor import compare_readings, read_clocks
from realtime.runtime.environment import real_environment

keys = parse_secrets(b"0" * 32)
environment = real_environment()
verifier = Verifier(TokenRules(leeway_s=0), keys)
now = float(sys.argv[1])
grant = {"user_id": "ann", "accounts": ["*"], "permissions": []}
old = issue_token(keys, TokenRules(), now=now - 7200, valid_s=3600, **grant)
new = issue_token(keys, TokenRules(), now=now, valid_s=3600, **grant)

def state(token):
    try:
        verifier.get_principal(token, environment.wall_clock())
    except TokenRefused as refused:
        return refused.code
    return "accepted"

before = read_clocks()
print(state(old), state(new), flush=True)
sys.stdin.readline()
step_s = compare_readings(before, read_clocks()).step_s
print(state(old), state(new), round(step_s / 600), flush=True)
"""


def _find_faketime() -> str | None:
    if shutil.which("faketime") is None:
        return None
    paths = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]
    return str(paths[0]) if paths else ctypes.util.find_library("faketime")


@pytest.mark.skipif(_find_faketime() is None, reason="libfaketime is not installed")
def test_a_token_that_expired_while_the_clock_was_slow_is_refused_once_it_is_set(
    tmp_path: Path,
) -> None:
    """The clock is two hours slow at start; then a time service sets it."""
    offset = tmp_path / "offset"
    offset.write_text("-2h")
    environ = {
        **os.environ,
        "LD_PRELOAD": _find_faketime() or "",
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(time.time())],
        env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "accepted accepted\n"
        offset.write_text("+0h")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "token_expired accepted 12\n"
