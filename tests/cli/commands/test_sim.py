"""`realtime sim` as a program."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from realtime.simulator.faults.catalogue import FAULT_TYPES


@contextmanager
def started(*args: str) -> Iterator["subprocess.Popen[str]"]:
    """The program, killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime", "sim", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_sim_serves_until_it_is_told_to_stop(tmp_path: Path, how: signal.Signals) -> None:
    args = ("--accounts", "3", "--seed", "9", "--port", "0", "--activity", "50")
    with started(*args, "--write-config", str(tmp_path)) as process:
        line = first_line(process)
        found = re.fullmatch(r"simulator on (http://127\.0\.0\.1:\d+), 3 accounts, seed 9", line)
        assert found, line
        with urlopen(f"{found[1]}/_sim/books") as answer:
            labels = [each["label"] for each in json.load(answer)]
        written = tomllib.loads((tmp_path / "accounts.toml").read_text())["accounts"]
        assert list(written) == labels == ["alpha", "bravo", "charlie"]
        assert {each["trading_url"] for each in written.values()} == {found[1]}
        asked = time.monotonic()
        process.send_signal(how)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - asked < 5
        assert process.communicate() == ("", "")


def test_sim_ends_with_its_duration() -> None:
    with started("--accounts", "1", "--port", "0", "--duration", "0.1") as process:
        assert "1 account, seed 7" in first_line(process)
        assert process.wait(timeout=10) == 0


def test_taken_port_is_said_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started("--accounts", "1", "--port", str(port)) as process:
            out, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert out == ""
    assert f"127.0.0.1:{port} is taken by another program" in err
    assert "realtime sim --port" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "args",
    [("--accounts", "0"), ("--port", "99999"), ("--activity", "nan"), ("--market", "mars"), ("x",)],
)
def test_bad_flag_is_a_usage_error(args: tuple[str, ...]) -> None:
    with started(*args) as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert out == ""
    assert "Traceback" not in err


def test_help_names_every_fault() -> None:
    with started("--help") as process:
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert set(FAULT_TYPES) <= set(re.findall(r"[a-z_0-9]+", out))
